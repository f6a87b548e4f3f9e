"""Rollups brought up to their readings: what `rollup_mark` names is computed again from raw rows, and nothing else.

Once its marks are drained, a rollup equals the aggregate of its raw rows. n counts all of them, n_good those that
alerts trust too (qc 1 and 2), and only these make the numbers: suspect (3) and failed (4) readings are counted, not
averaged. An increment of a counter belongs to the bucket of the later reading, however old the one before is; a drop
is a reset, from 0. So a late reading also changes the bucket of the next one, which is rolled up with it.

Once retention has dropped what a rollup was made of, a late reading leaves that rollup as it is; it makes one where
there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import psycopg

from devices.kind import Kind
from storage import groups, rollup_sql
from storage.flavour import make_partitions, start_of
from storage.kind_tables import STEPS, Level, rollup_table

BEGINNING, END_OF_TIME = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
FIVE_MINUTES, HOUR, DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)

# One at a time per kind: of two that roll up the same bucket the slower one would put back what it read earlier.
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('siaga rollup ' || %s, 0))"
# Nor may what they are made of be dropped between being told as closed or not, and being read.
LOCK = TRY_LOCK.replace("pg_try_", "pg_")
DEVICES = "SELECT count(*) FROM device WHERE kind = %s"
# Marks are deleted first and readings read after, in a statement of its own: it sees every row whose mark is gone.
# A mark that is committed later stays. Newest first: a backlog must not hold up what is on screens.
TAKE_WHOLE = """
WITH gone AS (
    DELETE FROM rollup_mark WHERE kind = %(kind)s AND device_id IS NULL AND bucket IN (
        SELECT DISTINCT bucket FROM rollup_mark WHERE kind = %(kind)s AND device_id IS NULL AND bucket < %(before)s
        ORDER BY bucket DESC LIMIT %(limit)s)
    RETURNING bucket)
SELECT DISTINCT bucket FROM gone
"""
# By device: the buckets of one device share their hours and days.
TAKE_OWN = """
WITH chosen AS (
    SELECT DISTINCT device_id, bucket FROM rollup_mark WHERE kind = %(kind)s AND device_id IS NOT NULL
    ORDER BY device_id, bucket LIMIT %(limit)s
), gone AS (
    DELETE FROM rollup_mark AS m USING chosen AS c
    WHERE m.kind = %(kind)s AND m.device_id = c.device_id AND m.bucket = c.bucket
    RETURNING m.device_id, m.bucket)
SELECT DISTINCT device_id, bucket FROM gone
"""
CLOSED = "SELECT level, until FROM closed WHERE kind = %s"
PENDING = "SELECT count(*) FROM (SELECT FROM rollup_mark WHERE kind = ANY (%s) LIMIT %s) AS m"

Place = tuple[str, datetime]
Ending = Callable[[datetime], datetime]


class Drained(NamedTuple):
    """What one transaction did: rollup rows it changed, whether marks of this sort may be left, the oldest it took."""

    changed: int
    more: bool
    oldest: datetime | None = None


async def drain_whole(
    conn: psycopg.AsyncConnection[Any], kind: Kind, zone: ZoneInfo, limit: int, before: datetime = END_OF_TIME
) -> Drained | None:
    """Take marks that mean every device, as live data leaves them; only of buckets before a time, newest first.

    None while another worker is at this kind.
    """
    async with conn.transaction():
        if not await _scalar(conn, TRY_LOCK, kind.name):
            return None
        most = max(1, limit // max(1, await _scalar(conn, DEVICES, kind.name)))
        cursor = await conn.execute(TAKE_WHOLE, {"kind": kind.name, "limit": most, "before": before})
        whole = [bucket async for (bucket,) in cursor]
        changed = await _roll_up(conn, kind, zone, whole, [])
        return Drained(changed, len(whole) == most, min(whole, default=None))


async def drain_own(conn: psycopg.AsyncConnection[Any], kind: Kind, zone: ZoneInfo, limit: int) -> Drained | None:
    """Take marks that mean one device, as late data leaves them. None while another worker is at this kind."""
    async with conn.transaction():
        if not await _scalar(conn, TRY_LOCK, kind.name):
            return None
        cursor = await conn.execute(TAKE_OWN, {"kind": kind.name, "limit": limit})
        own = await cursor.fetchall()
        return Drained(await _roll_up(conn, kind, zone, [], own), len(own) == limit)


async def pending(conn: psycopg.AsyncConnection[Any], kinds: Iterable[str], at_most: int) -> int:
    """How many marks of these kinds wait, counted no further than at_most."""
    return await _scalar(conn, PENDING, list(kinds), at_most)


async def _roll_up(
    conn: psycopg.AsyncConnection[Any], kind: Kind, zone: ZoneInfo, whole: list[datetime], own: list[Place]
) -> int:
    """Compute the marked buckets again, then the hours and days of those that changed."""
    if not whole and not own:
        return 0
    closed = {level: until async for level, until in await conn.execute(CLOSED, (kind.name,))}
    all_runs, own_runs = _runs(("", bucket) for bucket in whole), _runs(own)
    values = {
        "kind": kind.name,
        "whole_since": [run[1] for run in all_runs], "whole_until": [run[2] for run in all_runs],
        "run_devices": [run[0] for run in own_runs], "run_since": [run[1] for run in own_runs],
        "run_until": [run[2] for run in own_runs],
        "since": min(run[1] for run in [*all_runs, *own_runs]), "until": max(run[2] for run in [*all_runs, *own_runs]),
    }  # fmt: skip
    cursor = await conn.execute(rollup_sql.targets(kind), values, prepare=False)
    targets = await cursor.fetchall()
    changed = await _roll(conn, kind, "5m", "raw", closed, targets, lambda bucket: bucket + FIVE_MINUTES)
    hours = {(device, _hour(bucket)) for device, bucket in changed}
    days = {(device, day_of(bucket, zone)) for device, bucket in changed}
    by_hours = all(_hour(edge) == edge for _, day in days for edge in (day, _next_day(day, zone)))
    again = await _roll(conn, kind, "1h", "5m", closed, hours, lambda hour: hour + HOUR)
    finer: Level = "1h" if by_hours else "5m"
    daily = await _roll(conn, kind, "1d", finer, closed, days, lambda day: _next_day(day, zone))
    await groups.mark(conn, kind, (day for _, day in daily))
    return len(changed) + len(again) + len(daily)


async def _roll(
    conn: psycopg.AsyncConnection[Any],
    kind: Kind,
    level: Level,
    source: Level,
    closed: Mapping[Level, datetime],
    places: Iterable[Place],
    end_of: Ending,
) -> list[Place]:
    """Compute rollups of a level from the level below; which of them changed."""
    listed = sorted(places)
    if not listed:
        return []
    buckets = [bucket for _, bucket in listed]
    ends = [end_of(bucket) for bucket in buckets]
    values = {
        "devices": [device for device, _ in listed], "buckets": buckets, "ends": ends,
        "since": min(buckets), "until": max(ends), "closed": closed.get(source, BEGINNING),
    }  # fmt: skip
    starts = {start_of(bucket, STEPS[level]) for bucket in set(buckets)}
    await make_partitions(conn, rollup_table(kind, level), starts, STEPS[level])
    query = rollup_sql.roll_raw(kind) if source == "raw" else rollup_sql.roll_again(kind, level, source)
    return await (await conn.execute(query, values, prepare=False)).fetchall()


def _runs(places: Iterable[Place]) -> list[tuple[str, datetime, datetime]]:
    """Buckets that follow each other without a gap, as since <= ts < until."""
    found: list[tuple[str, datetime, datetime]] = []
    for device, bucket in sorted(places):
        if found and found[-1][0] == device and found[-1][2] == bucket:
            found[-1] = (device, found[-1][1], bucket + FIVE_MINUTES)
        else:
            found.append((device, bucket, bucket + FIVE_MINUTES))
    return found


async def _scalar(conn: psycopg.AsyncConnection[Any], query: str, *values: Any) -> int:
    row = await (await conn.execute(query.encode(), values)).fetchone()
    assert row is not None
    return int(row[0])


def day_of(bucket: datetime, zone: ZoneInfo) -> datetime:
    """When the calendar day of a bucket began."""
    local = bucket.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return local.astimezone(UTC)


def _next_day(day: datetime, zone: ZoneInfo) -> datetime:
    # On the wall clock: a day is 23 or 25 h long where summer time begins or ends.
    midnight = day.astimezone(zone).replace(tzinfo=None) + DAY
    return midnight.replace(hour=0, minute=0).replace(tzinfo=zone).astimezone(UTC)


def _hour(bucket: datetime) -> datetime:
    return bucket.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
