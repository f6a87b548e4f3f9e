"""Quarantine: what could not become a reading is kept whole, once, and counted when it comes again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC
from typing import Any, NamedTuple

import psycopg

from devices.batch import Quarantined
from storage.ledger import Ledger

KEPT_TODAY = (
    "SELECT device_id, count(*) FROM quarantine WHERE device_id = ANY (%s) AND day = ANY (%s) GROUP BY device_id"
)
ADD = """
INSERT INTO quarantine AS q (reason, fingerprint, device_id, topic, digest, payload, detail, skew_s, day,
                             first_seen, last_seen, count)
SELECT reason, fingerprint, device_id, topic, digest, payload, detail, skew_s, day, seen, seen, count
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::bytea[], %s::text[], %s::float8[],
            %s::date[], %s::timestamptz[], %s::int8[])
     AS t(reason, fingerprint, device_id, topic, digest, payload, detail, skew_s, day, seen, count)
ON CONFLICT (device_id, reason, digest) DO UPDATE SET
    count = q.count + excluded.count, last_seen = greatest(q.last_seen, excluded.last_seen)
RETURNING device_id, reason, digest, xmax = 0
"""


class _Row(NamedTuple):
    entry: Quarantined
    digest: bytes
    payload: bytes | None

    @property
    def key(self) -> tuple[str, str, bytes]:
        return (self.entry.device_id, self.entry.reason, self.digest)


def fingerprint(entry: Quarantined) -> str:
    """Entries that a person would treat as one: same reason, same sender, same complaint but for its figures."""
    shape = re.sub(r"[0-9]+", "#", entry.detail)
    return hashlib.sha256(f"{entry.reason}\n{entry.device_id}\n{entry.topic}\n{shape}".encode()).hexdigest()[:16]


async def write_quarantine(
    conn: psycopg.AsyncConnection[Any], entries: Sequence[Quarantined], cap: int, ledger: Ledger
) -> None:
    """Keep entries, at most `cap` payloads per device and day. What was kept before counts as a duplicate."""
    if not entries:
        return
    rows: dict[tuple[str, str, bytes], _Row] = {}
    counts: dict[tuple[str, str, bytes], int] = {}
    for row in await _capped(conn, entries, cap):
        rows.setdefault(row.key, row)
        counts[row.key] = counts.get(row.key, 0) + 1
    kept = list(rows.values())
    columns: list[list[Any]] = [
        [row.entry.reason for row in kept],
        [fingerprint(row.entry) for row in kept],
        [row.entry.device_id for row in kept],
        [row.entry.topic for row in kept],
        [row.digest for row in kept],
        [row.payload for row in kept],
        [row.entry.detail for row in kept],
        [row.entry.skew_s for row in kept],
        [row.entry.received_at.astimezone(UTC).date() for row in kept],
        [row.entry.received_at for row in kept],
        [counts[row.key] for row in kept],
    ]
    async for device_id, reason, digest, new in await conn.execute(ADD, columns):
        key = (device_id, reason, digest)
        entry, number = rows[key].entry, counts[key]
        over_cap = rows[key].payload is None
        fresh = number if over_cap else int(new)
        ledger.count(device_id, entry.hour_of, "conflict" if reason == "conflict" else "quarantined", fresh)
        ledger.count(device_id, entry.hour_of, "duplicate", number - fresh)


async def _capped(conn: psycopg.AsyncConnection[Any], entries: Sequence[Quarantined], cap: int) -> list[_Row]:
    days = {entry.received_at.astimezone(UTC).date() for entry in entries}
    devices = {entry.device_id for entry in entries}
    cursor = await conn.execute(KEPT_TODAY, (list(devices), list(days)))
    kept: dict[str, int] = dict(await cursor.fetchall())
    rows = []
    for entry in entries:
        kept[entry.device_id] = kept.get(entry.device_id, 0) + 1
        if kept[entry.device_id] <= cap:
            rows.append(
                _Row(entry, hashlib.sha256(entry.topic.encode() + b"\n" + entry.payload).digest(), entry.payload)
            )
        else:
            day = entry.received_at.astimezone(UTC).date()
            rows.append(_Row(entry, f"over the cap {day}".encode(), None))
    return rows
