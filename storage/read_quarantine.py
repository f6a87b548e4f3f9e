"""Quarantine for people: entries newest first, groups of entries with the same complaint, one entry with its events."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import DictRow, dict_row

from storage.quarantine_act import State

# A stranger shares a ledger line with others; the device that a topic names finds its entries too.
CHOSEN = """
(%(reason)s::text IS NULL OR reason = %(reason)s) AND (%(state)s::text IS NULL OR state = %(state)s)
AND (%(device)s::text IS NULL OR device_id = %(device)s OR split_part(topic, '/', 4) = %(device)s)
AND (%(fingerprint)s::text IS NULL OR fingerprint = %(fingerprint)s)
AND (%(since)s::timestamptz IS NULL OR last_seen >= %(since)s)
"""
COLUMNS = """
id, reason, fingerprint, device_id, topic, detail, skew_s, first_seen, last_seen, count, state, claimed_by, claimed_at,
replay_of, payload IS NOT NULL AS has_payload
"""
LIST = f"""
SELECT {COLUMNS} FROM quarantine WHERE {CHOSEN} AND (%(before)s::int8 IS NULL OR id < %(before)s)
ORDER BY id DESC LIMIT %(limit)s
"""
GROUPS = f"""
SELECT fingerprint, min(reason) AS reason, min(device_id) AS device_id, min(topic) AS topic, count(*) AS entries,
    sum(count)::int8 AS count, min(first_seen) AS first_seen, max(last_seen) AS last_seen,
    (array_agg(detail ORDER BY id DESC))[1] AS detail, max(id) AS sample
FROM quarantine WHERE {CHOSEN} GROUP BY fingerprint
HAVING %(before)s::int8 IS NULL OR max(id) < %(before)s ORDER BY sample DESC LIMIT %(limit)s
"""
ONE = f"SELECT {COLUMNS}, payload FROM quarantine WHERE id = %s"
EVENTS = "SELECT at, who, what, note, shift_s, outcome FROM quarantine_event WHERE entry_id = %s ORDER BY id"
IDS = f"SELECT id FROM quarantine WHERE {CHOSEN} ORDER BY id LIMIT %(limit)s"


class Chosen(NamedTuple):
    """Which entries; None means any. device: the one they are filed under, or the one their topic names."""

    reason: str | None = None
    state: State | None = None
    device: str | None = None
    fingerprint: str | None = None
    since: datetime | None = None  # seen at this time or later


async def entries(conn: psycopg.AsyncConnection[Any], chosen: Chosen, before: int | None, limit: int) -> list[DictRow]:
    """Entries, newest first, without their payloads; before: only of smaller id."""
    return await _rows(conn, LIST, chosen._asdict() | {"before": before, "limit": limit})


async def groups(conn: psycopg.AsyncConnection[Any], chosen: Chosen, before: int | None, limit: int) -> list[DictRow]:
    """Entries by fingerprint; sample is the id of the newest of a group, and orders them."""
    return await _rows(conn, GROUPS, chosen._asdict() | {"before": before, "limit": limit})


async def entry(conn: psycopg.AsyncConnection[Any], number: int) -> DictRow | None:
    """One entry with its payload and everything that was done with it."""
    found = await _rows(conn, ONE, (number,))
    if not found:
        return None
    return found[0] | {"events": await _rows(conn, EVENTS, (number,))}


async def ids(conn: psycopg.AsyncConnection[Any], chosen: Chosen, limit: int) -> list[int]:
    """Ids of the oldest entries chosen."""
    cursor = await conn.execute(IDS.encode(), chosen._asdict() | {"limit": limit})
    return [number for (number,) in await cursor.fetchall()]


async def _rows(conn: psycopg.AsyncConnection[Any], query: str, values: Any) -> list[DictRow]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(query.encode(), values)).fetchall()
