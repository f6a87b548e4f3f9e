"""Days of groups, kept so that a year of ten thousand lamps is not added up each time somebody looks.

A day of a kind that changed is marked, in the transaction that changed it; the worker takes marks away and computes
those days anew, in one transaction. Whoever reads trusts the days without a mark and adds up the others from the
rollups of the devices: so an answer is what the rollups say, whether the worker has been there or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from devices.kind import Kind
from storage import group_sql
from storage.kind_tables import group_columns, group_table, rollup_table
from storage.wiring import PLACES

# Held until the end of the transaction, by one who computes days and by one who corrects places: days computed from the
# old places could else be kept after the marks of the correction.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('siaga groups ' || %s, 0))"
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('siaga groups ' || %s, 0))"
MARK = "INSERT INTO group_mark (kind, day) SELECT %s, unnest(%s::timestamptz[])"
MARK_OF_DEVICES = """
INSERT INTO group_mark (kind, day) SELECT %s, bucket FROM {days} WHERE device_id = ANY (%s) GROUP BY bucket
"""
MARK_BETWEEN = """
INSERT INTO group_mark (kind, day)
SELECT %s, bucket FROM {groups} WHERE grouping = 'all' AND bucket >= %s AND bucket < %s
"""
DEVICES = "SELECT count(*) FROM device WHERE kind = %s"
# As with rollup_mark: taken first, read after. A mark that is committed later stays.
TAKE = """
WITH gone AS (
    DELETE FROM group_mark WHERE kind = %(kind)s AND day IN (
        SELECT DISTINCT day FROM group_mark WHERE kind = %(kind)s ORDER BY day DESC LIMIT %(limit)s)
    RETURNING day)
SELECT DISTINCT day FROM gone
"""
FORGET = "DELETE FROM {groups} WHERE grouping = ANY (%(groupings)s) AND bucket = ANY (%(days)s)"
# OFFSET 0 keeps it a short walk over the key of each device: to find one day in a year of everybody takes longer.
KEEP = """
INSERT INTO {groups} (grouping, bucket, name, {columns})
SELECT g.grouping, r.bucket, g.name, {sums} FROM {places} AS d
CROSS JOIN LATERAL (
    SELECT * FROM {days} AS r WHERE r.device_id = d.id AND r.bucket = ANY (%(days)s)
       AND r.bucket >= %(since)s AND r.bucket <= %(until)s AND r.bucket >= d.since AND r.bucket < d.until OFFSET 0
) AS r
CROSS JOIN LATERAL (VALUES {groupings}) AS g(grouping, name)
WHERE d.kind = %(kind)s GROUP BY 1, 2, 3
"""


async def mark(conn: psycopg.AsyncConnection[Any], kind: Kind, days: Iterable[datetime]) -> None:
    """These days have changed; inside the transaction that changed them."""
    if listed := sorted(set(days)):
        await conn.execute(MARK, (kind.name, listed))


async def mark_devices(conn: psycopg.AsyncConnection[Any], kind: Kind, devices: Sequence[str]) -> None:
    """These devices have belonged to other groups than was known; inside the transaction that says so."""
    await conn.execute(LOCK, (kind.name,))
    query = sql.SQL(MARK_OF_DEVICES).format(days=sql.Identifier(rollup_table(kind, "1d")))
    await conn.execute(query, (kind.name, list(devices)))


async def mark_between(conn: psycopg.AsyncConnection[Any], kind: Kind, since: datetime, until: datetime) -> None:
    """Days with since <= day < until have lost their rollups; inside the transaction that dropped them."""
    query = sql.SQL(MARK_BETWEEN).format(groups=sql.Identifier(group_table(kind)))
    await conn.execute(query, (kind.name, since, until))


async def drain(conn: psycopg.AsyncConnection[Any], kind: Kind, rows_max: int) -> int | None:
    """Compute marked days anew, the newest first, from so many rollup rows at most, or from those of one day; how many
    days. None while another worker is at this kind, or places are being corrected."""
    async with conn.transaction():
        if not await _scalar(conn, TRY_LOCK, kind.name):
            return None
        most = max(1, rows_max // max(1, await _scalar(conn, DEVICES, kind.name)))
        cursor = await conn.execute(TAKE, {"kind": kind.name, "limit": most})
        days = [day async for (day,) in cursor]
        if days:
            await _compute(conn, kind, days)
        return len(days)


async def _compute(conn: psycopg.AsyncConnection[Any], kind: Kind, days: list[datetime]) -> None:
    counts = ("devices", "n", "n_good")
    columns = {
        name: [column.removeprefix(f"{name}_") for column in group_columns(metric)]
        for name, metric in kind.metrics.items()
    }
    groupings = [
        sql.SQL("({}, {})").format(sql.Literal(grouping), group_sql.name_of(grouping)) for grouping in kind.groupings
    ]
    names = {"groups": sql.Identifier(group_table(kind)), "days": sql.Identifier(rollup_table(kind, "1d"))}
    values = {
        "kind": kind.name, "groupings": list(kind.groupings), "days": days, "since": min(days), "until": max(days),
    }  # fmt: skip
    await conn.execute(sql.SQL(FORGET).format(**names), values)
    keep = sql.SQL(KEEP).format(
        **names,
        places=sql.SQL(PLACES),
        columns=group_sql.named(columns, counts),
        sums=group_sql.added(columns, group_sql.OF_GROUP, counts),
        groupings=sql.SQL(", ").join(groupings),
    )
    # Unprepared, so that the planner sees which partitions matter.
    await conn.execute(keep, values, prepare=False)


async def _scalar(conn: psycopg.AsyncConnection[Any], query: str, *values: Any) -> int:
    row = await (await conn.execute(query.encode(), values)).fetchone()
    assert row is not None
    return int(row[0])
