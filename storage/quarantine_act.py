"""What people do with quarantine entries: claim, ask for a replay, discard. One transaction, one event each.

A replay is only asked for here; the ingest process does it (ingest/replay.py), as the one writer of readings.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import psycopg

Action = Literal["claim", "replay", "discard"]
State = Literal["open", "claimed", "replaying", "replayed", "discarded"]
BECOMES: dict[Action, tuple[State, str]] = {
    "claim": ("claimed", "claimed"),
    "replay": ("replaying", "replay"),
    "discard": ("discarded", "discarded"),
}
# What ingest/intake.py says of a payload that it has kept in part.
CUT = "kept up to the limit"

# In order of id: two people who act on the same entries cannot deadlock.
LOCK = """
SELECT id, state, claimed_by, payload IS NULL, reason = 'too_large' AND detail LIKE %(cut)s
FROM quarantine WHERE id = ANY (%(ids)s) ORDER BY id FOR UPDATE
"""
CHANGE = """
UPDATE quarantine SET state = %(state)s, shift_s = %(shift_s)s,
    claimed_by = CASE WHEN %(state)s = 'claimed' THEN %(who)s ELSE claimed_by END,
    claimed_at = CASE WHEN %(state)s = 'claimed' THEN %(at)s ELSE claimed_at END
WHERE id = ANY (%(ids)s)
"""
TELL = """
INSERT INTO quarantine_event (entry_id, at, who, what, note, shift_s)
SELECT id, %(at)s, %(who)s, %(what)s, %(note)s, %(shift_s)s FROM unnest(%(ids)s::int8[]) AS t(id)
"""


class Order(NamedTuple):
    """Who wants what done, and when; shift_s is added to the ts of what is replayed; force takes from others."""

    action: Action
    who: str
    at: datetime
    note: str | None = None
    shift_s: float = 0.0
    force: bool = False


class Entry(NamedTuple):
    """As much of an entry as decides what may be done with it."""

    id: int
    state: State
    claimed_by: str | None
    counted_only: bool
    cut: bool


class Acted(NamedTuple):
    """What came of an order for one entry: its state now, and why nothing was done where there is a problem."""

    id: int
    state: State
    problem: str | None = None


async def act(conn: psycopg.AsyncConnection[Any], ids: Sequence[int], order: Order) -> list[Acted]:
    """Carry out an order for entries, each on its own; those that do not exist are left out of the answer."""
    state, what = BECOMES[order.action]
    async with conn.transaction():
        cursor = await conn.execute(LOCK, {"ids": list(ids), "cut": f"%{CUT}"})
        entries = [Entry(*row) for row in await cursor.fetchall()]
        refused = {entry.id: problem for entry in entries if (problem := refusal(entry, order))}
        good = [entry.id for entry in entries if entry.id not in refused]
        if good:
            values = order._asdict() | {"ids": good, "state": state, "what": what}
            values["shift_s"] = order.shift_s if order.action == "replay" else None
            await conn.execute(CHANGE, values)
            await conn.execute(TELL, values)
    return [
        Acted(entry.id, entry.state, refused[entry.id]) if entry.id in refused else Acted(entry.id, state)
        for entry in entries
    ]


def refusal(entry: Entry, order: Order) -> str | None:
    """Why an order cannot be carried out; None where it can."""
    if entry.state not in ("open", "claimed"):
        return f"the entry is {entry.state} already"
    if entry.claimed_by not in (None, order.who) and entry.state == "claimed" and not order.force:
        return f"claimed by {entry.claimed_by}; force takes it from them"
    if order.action == "replay" and entry.counted_only:
        return "no payload is kept: past SIAGA_QUARANTINE_DEVICE_DAY entries are only counted"
    if order.action == "replay" and entry.cut:
        return "the payload is kept only up to SIAGA_PAYLOAD_MAX_BYTES; the rest is gone"
    return None
