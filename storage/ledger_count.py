"""What is missing by device and hour: counted where lines of the ledger were marked, kept beyond the raw readings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from devices.completeness import HOUR
from devices.kind import Kind
from devices.kinds import KINDS
from storage.kind_tables import reading_table
from storage.ledger import hour_us
from storage.ledger_marks import OPEN, mark
from storage.quarantine_gaps import missing_by_hour

# From its beginning. Later than the writers have it: clocks differ, and a commit takes its time.
CLOSED = OPEN + timedelta(minutes=5)
# One at a time, as with rollups: of two that count one hour the slower would put back what it read earlier.
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('siaga ledger', 0))"
# By device: the hours of one are counted in few ranges. Marks are deleted first and readings read after.
TAKE = """
WITH chosen AS (
    SELECT DISTINCT device_id, hour FROM ledger_mark WHERE device_id IS NOT NULL AND hour <= %(closed)s
    ORDER BY device_id, hour LIMIT %(limit)s
), gone AS (
    DELETE FROM ledger_mark AS m USING chosen AS c WHERE m.device_id = c.device_id AND m.hour = c.hour
    RETURNING m.device_id, m.hour)
SELECT DISTINCT g.device_id, d.kind, g.hour FROM gone AS g LEFT JOIN device AS d ON d.id = g.device_id
ORDER BY g.device_id, g.hour
"""
# A reading ends one gap and begins another: hours between it and its neighbours change with it.
AROUND = """
SELECT (SELECT max(ts) FROM {table} WHERE device_id = %(device)s AND ts < %(since)s),
    (SELECT min(ts) FROM {table} WHERE device_id = %(device)s AND ts >= %(until)s)
"""
# What was missing before that was counted while its readings were there, and is not counted without them.
DROPPED = "SELECT kind, until FROM closed WHERE level = 'raw'"
BEGINNING = datetime.min.replace(tzinfo=UTC)
KEPT = "SELECT hour, missing FROM ledger_missing WHERE device_id = %s AND hour >= %s AND hour < %s"
FORGET = "DELETE FROM ledger_missing WHERE device_id = %s AND hour = ANY (%s)"
KEEP = """
INSERT INTO ledger_missing (device_id, hour, missing) SELECT %s, * FROM unnest(%s::timestamptz[], %s::int8[])
"""

Span = tuple[datetime, datetime]


async def count_missing(conn: psycopg.AsyncConnection[Any], now: datetime, limit: int) -> bool | None:
    """Take marks of closed hours, at most `limit`, and count anew; whether more may be left.

    None while another worker counts.
    """
    async with conn.transaction():
        row = await (await conn.execute(TRY_LOCK)).fetchone()
        if not row or not row[0]:
            return None
        cursor = await conn.execute(TAKE, {"closed": now - CLOSED, "limit": limit})
        hours: defaultdict[tuple[str, str | None], list[datetime]] = defaultdict(list)
        async for device_id, name, hour in cursor:
            hours[device_id, name].append(hour)
        changed = {hour for own in hours.values() for hour in own}
        dropped = {name: until async for name, until in await conn.execute(DROPPED)}
        for (device_id, name), own in hours.items():
            kind = KINDS.get(name or "")
            if kind is not None:
                begin = dropped.get(kind.name, BEGINNING)
                for since, until in spans(hour for hour in own if hour >= begin):
                    changed |= await _count(conn, kind, device_id, since, until, begin)
        await mark(conn, [(hour_us(hour), None) for hour in sorted(changed)])
        return sum(map(len, hours.values())) == limit


def spans(hours: Iterable[datetime]) -> list[Span]:
    """Hours in rising order as ranges without a break. Pure."""
    found: list[Span] = []
    for hour in hours:
        if found and found[-1][1] == hour:
            found[-1] = (found[-1][0], hour + HOUR)
        else:
            found.append((hour, hour + HOUR))
    return found


async def _count(
    conn: psycopg.AsyncConnection[Any], kind: Kind, device: str, since: datetime, until: datetime, begin: datetime
) -> set[datetime]:
    """Count a range and what its neighbours change with it, but for what is before `begin`; the hours of which the
    number is another now."""
    query = sql.SQL(AROUND).format(table=sql.Identifier(reading_table(kind)))
    row = await (await conn.execute(query, {"device": device, "since": since, "until": until})).fetchone()
    before, after = row or (None, None)
    since = max(_hour(before), begin) if before else since
    until = _hour(after) + HOUR if after else until
    now = await missing_by_hour(conn, kind, device, since, until)
    cursor = await conn.execute(KEPT, (device, since, until))
    kept = {hour: number async for hour, number in cursor}
    changed = [hour for hour in now.keys() | kept.keys() if now.get(hour) != kept.get(hour)]
    if changed:
        await _keep(conn, device, changed, now)
    return set(changed)


async def _keep(
    conn: psycopg.AsyncConnection[Any], device: str, changed: Sequence[datetime], now: dict[datetime, int]
) -> None:
    await conn.execute(FORGET, (device, list(changed)))
    there = [hour for hour in changed if hour in now]
    await conn.execute(KEEP, (device, there, [now[hour] for hour in there]))


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
