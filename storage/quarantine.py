"""Quarantine: what could not become a reading is kept whole, once, and counted when it comes again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, date
from typing import Any, NamedTuple

import psycopg

from devices.batch import Quarantined
from storage.ledger import Ledger

KNOWN = """
SELECT device_id, reason, digest FROM quarantine JOIN unnest(%s::text[], %s::text[], %s::bytea[])
    AS t(device_id, reason, digest) USING (device_id, reason, digest)
"""
KEPT = """
SELECT device_id, day, count(*) FROM quarantine
WHERE device_id = ANY (%s) AND day = ANY (%s) AND payload IS NOT NULL GROUP BY device_id, day
"""
ADD = """
INSERT INTO quarantine AS q (reason, fingerprint, device_id, topic, digest, payload, detail, skew_s, day,
                             first_seen, last_seen, hour_of, count, replay_of)
SELECT reason, fingerprint, device_id, topic, digest, payload, detail, skew_s, day, seen, seen, hour_of, count, %s
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::bytea[], %s::text[], %s::float8[],
            %s::date[], %s::timestamptz[], %s::timestamptz[], %s::int8[])
     AS t(reason, fingerprint, device_id, topic, digest, payload, detail, skew_s, day, seen, hour_of, count)
ON CONFLICT (device_id, reason, digest) DO UPDATE SET
    count = q.count + excluded.count, last_seen = greatest(q.last_seen, excluded.last_seen)
RETURNING device_id, reason, digest, xmax = 0
"""


Key = tuple[str, str, bytes]


class _Row(NamedTuple):
    entry: Quarantined
    digest: bytes
    payload: bytes | None

    @property
    def key(self) -> Key:
        return (self.entry.device_id, self.entry.reason, self.digest)


def fingerprint(entry: Quarantined) -> str:
    """Entries that a person would treat as one: same reason, same sender, same complaint but for its figures."""
    shape = re.sub(r"[0-9]+", "#", entry.detail)
    return hashlib.sha256(f"{entry.reason}\n{entry.device_id}\n{entry.topic}\n{shape}".encode()).hexdigest()[:16]


def key_of(entry: Quarantined) -> Key:
    """What makes it the same entry when it comes again."""
    return (entry.device_id, entry.reason, _digest(entry))


async def write_quarantine(
    conn: psycopg.AsyncConnection[Any],
    entries: Sequence[Quarantined],
    cap: int,
    ledger: Ledger,
    replay_of: int | None = None,
) -> None:
    """Keep entries, at most `cap` payloads per device and day. What was kept before counts as a duplicate.

    replay_of: the entry whose replay these come from.
    """
    if not entries:
        return
    rows: dict[Key, _Row] = {}
    counts: dict[Key, int] = {}
    for row in await _capped(conn, entries, cap):
        rows.setdefault(row.key, row)
        counts[row.key] = counts.get(row.key, 0) + 1
    kept = [rows[key] for key in sorted(rows)]  # two processes that share a line cannot deadlock
    columns: list[list[Any]] = [
        [row.entry.reason for row in kept],
        [fingerprint(row.entry) for row in kept],
        [row.entry.device_id for row in kept],
        [_text(row.entry.topic) for row in kept],
        [row.digest for row in kept],
        [row.payload for row in kept],
        [_text(row.entry.detail) for row in kept],
        [row.entry.skew_s for row in kept],
        [_day(row.entry) for row in kept],
        [row.entry.received_at for row in kept],
        [row.entry.hour_of for row in kept],
        [counts[row.key] for row in kept],
    ]
    async for device_id, reason, digest, new in await conn.execute(ADD, [replay_of, *columns]):
        key = (device_id, reason, digest)
        entry, number = rows[key].entry, counts[key]
        over_cap = rows[key].payload is None
        fresh = number if over_cap else int(new)
        ledger.count(device_id, entry.hour_of, "conflict" if reason == "conflict" else "quarantined", fresh)
        ledger.count(device_id, entry.hour_of, "duplicate", number - fresh)


async def _capped(conn: psycopg.AsyncConnection[Any], entries: Sequence[Quarantined], cap: int) -> list[_Row]:
    """Rows for entries; those past the cap lose their payload. One that is kept already costs nothing of the cap."""
    whole = [_Row(entry, _digest(entry), entry.payload) for entry in entries]
    columns = [[row.key[i] for row in whole] for i in range(3)]
    known = set(await (await conn.execute(KNOWN, columns)).fetchall())
    devices, days = {entry.device_id for entry in entries}, {_day(entry) for entry in entries}
    cursor = await conn.execute(KEPT, (list(devices), list(days)))
    kept = {(device_id, day): int(number) for device_id, day, number in await cursor.fetchall()}
    rows = []
    for row in whole:
        here = (row.entry.device_id, _day(row.entry))
        if row.key not in known and kept.get(here, 0) >= cap:
            rows.append(_Row(row.entry, f"over the cap {here[1]}".encode(), None))
            continue
        if row.key not in known:
            known.add(row.key)
            kept[here] = kept.get(here, 0) + 1
        rows.append(row)
    return rows


def _digest(entry: Quarantined) -> bytes:
    return hashlib.sha256(entry.topic.encode() + b"\n" + entry.payload).digest()


def _day(entry: Quarantined) -> date:
    return entry.received_at.astimezone(UTC).date()


def _text(text: str) -> str:
    """PostgreSQL keeps no NUL in text; a topic may have one where the broker lets it through."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
