"""The writer's side of a replay: which entries wait for one, and closing them with what they became.

An entry that fails in the very same way is opened again: it is the same entry, and its ledger line is right as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from devices.batch import Quarantined
from storage.ledger import Ledger, Outcome
from storage.quarantine import Key, key_of

WAITING = """
SELECT id, device_id, reason, digest, topic, payload, first_seen, coalesce(hour_of, first_seen), coalesce(shift_s, 0)
FROM quarantine WHERE state = 'replaying' AND (%(regions)s::text[] IS NULL
    OR split_part(topic, '/', 3) = ANY (%(regions)s))
ORDER BY id LIMIT %(limit)s
"""
CLOSE = """
UPDATE quarantine SET state = %s, shift_s = NULL, detail = coalesce(%s, detail) WHERE id = %s AND state = 'replaying'
"""
TELL = """
INSERT INTO quarantine_event (entry_id, at, who, what, note, shift_s, outcome) VALUES (%s, %s, 'ingest', %s, %s, %s, %s)
"""


class GoneError(Exception):
    """Somebody else has replayed the entry meanwhile."""


class Waiting(NamedTuple):
    """An entry that waits for its replay; shift_s is added to ts, ledger_at says which line counts it."""

    id: int
    device_id: str
    reason: str
    digest: bytes
    topic: str
    payload: bytes
    first_seen: datetime
    ledger_at: datetime
    shift_s: float

    @property
    def key(self) -> Key:
        return (self.device_id, self.reason, self.digest)


async def waiting(conn: psycopg.AsyncConnection[Any], regions: Sequence[str] | None, limit: int) -> list[Waiting]:
    """The oldest entries that wait; regions: only of topics there, None for all."""
    cursor = await conn.execute(WAITING, {"regions": regions and list(regions), "limit": limit})
    return [Waiting(*row) for row in await cursor.fetchall()]


def same_again(entry: Waiting, refused: Sequence[Quarantined]) -> Quarantined | None:
    """The refusal that is this entry once more."""
    return next((each for each in refused if key_of(each) == entry.key), None)


async def close(
    conn: psycopg.AsyncConnection[Any], entry: Waiting, ledger: Ledger, again: Quarantined | None, now: datetime
) -> None:
    """Write what an entry became, inside the writer's transaction. Raises GoneError."""
    if again is None:
        ledger.take_back(entry.device_id, entry.ledger_at, "conflict" if entry.reason == "conflict" else "quarantined")
    await finish(conn, entry, "replayed" if again is None else "open", again and again.detail, ledger.total, now)


async def finish(
    conn: psycopg.AsyncConnection[Any],
    entry: Waiting,
    state: str,
    detail: str | None,
    outcome: dict[Outcome, int],
    now: datetime,
) -> None:
    """End a replay, with an event. Raises GoneError."""
    done = await conn.execute(CLOSE, (state, detail, entry.id))
    if done.rowcount != 1:
        raise GoneError(f"entry {entry.id} is not waiting any more")
    what = "replayed" if state == "replayed" else "reopened"
    await conn.execute(TELL, (entry.id, now, what, detail, entry.shift_s, Jsonb(outcome)))
