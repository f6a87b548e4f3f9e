"""Sums and lines of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row

from devices.kind import Kind
from storage.kind_tables import reading_table
from storage.ledger_count import CLOSED

STORED_SINCE = """
SELECT coalesce(sum(stored), 0)::bigint, coalesce(sum(stored) FILTER (WHERE hour >= %(later)s), 0)::bigint
FROM ledger WHERE hour >= %(since)s
"""
LINES = """
SELECT hour, received, stored, duplicate, conflict, quarantined FROM ledger
WHERE device_id = %s AND hour >= %s AND hour < %s ORDER BY hour
"""
# One row for each combination of what it is by; '' is null to those who ask.
SUMMARY = """
SELECT {by}, sum(received)::int8 AS received, sum(stored)::int8 AS stored, sum(duplicate)::int8 AS duplicate,
    sum(conflict)::int8 AS conflict, sum(quarantined)::int8 AS quarantined, sum(missing)::int8 AS missing,
    sum(expected)::int8 AS expected, sum(met)::float8 / nullif(sum(expected), 0)::float8 AS completeness,
    bool_and(summed_at >= hour + %(closed)s) AS final
FROM ledger_sum WHERE hour >= %(since)s AND hour < %(until)s
    AND (%(kind)s::text IS NULL OR kind = %(kind)s) AND (%(district)s::text IS NULL OR district = %(district)s)
GROUP BY {groups} ORDER BY {groups} LIMIT %(limit)s
"""
# Numbers are missing of an hour only once it is closed, and then also where nothing came.
DEVICES = """
SELECT device_id, coalesce(sum(received), 0)::int8 AS received, coalesce(sum(stored), 0)::int8 AS stored,
    coalesce(sum(duplicate), 0)::int8 AS duplicate, coalesce(sum(conflict), 0)::int8 AS conflict,
    coalesce(sum(quarantined), 0)::int8 AS quarantined, coalesce(sum(missing), 0)::int8 AS missing
FROM (SELECT * FROM ledger WHERE hour >= %(since)s AND hour < %(until)s) AS l
FULL JOIN (SELECT * FROM ledger_missing WHERE hour >= %(since)s AND hour < %(until)s) AS m USING (device_id, hour)
GROUP BY device_id HAVING coalesce(sum(missing), 0) + coalesce(sum(conflict + quarantined), 0) > 0
ORDER BY coalesce(sum(missing), 0) + coalesce(sum(conflict + quarantined), 0) DESC, device_id LIMIT %(limit)s
"""
FIRST = "SELECT min(ts) FROM {table} WHERE device_id = %s"
COUNTED = "SELECT hour, missing FROM ledger_missing WHERE device_id = %s AND hour >= %s AND hour < %s"

By = Literal["hour", "kind", "district"]
COLUMNS: dict[By, str] = {
    "hour": "hour", "kind": "nullif(kind, '') AS kind", "district": "nullif(district, '') AS district",
}  # fmt: skip


class Line(NamedTuple):
    """What became of what a device sent in one hour."""

    hour: datetime
    received: int
    stored: int
    duplicate: int
    conflict: int
    quarantined: int


async def lines(conn: psycopg.AsyncConnection[Any], device: str, since: datetime, until: datetime) -> list[Line]:
    """The hours of since <= hour < until in which something was received."""
    cursor = await conn.execute(LINES, (device, since, until))
    return [Line(*row) for row in await cursor.fetchall()]


async def counted_missing(
    conn: psycopg.AsyncConnection[Any], device: str, since: datetime, until: datetime
) -> dict[datetime, int]:
    """How many numbers were missing in the hours of since <= hour < until when these were last counted."""
    cursor = await conn.execute(COUNTED, (device, since, until))
    return {hour: number async for hour, number in cursor}


async def first_raw(conn: psycopg.AsyncConnection[Any], kind: Kind, device: str) -> datetime | None:
    """ts of the oldest reading of a device that is still there."""
    query = sql.SQL(FIRST).format(table=sql.Identifier(reading_table(kind)))
    row = await (await conn.execute(query, (device,))).fetchone()
    return row[0] if row else None


async def summary(
    conn: psycopg.AsyncConnection[Any],
    by: Sequence[By],
    since: datetime,
    until: datetime,
    kind: str | None,
    district: str | None,
    limit: int,
) -> list[DictRow]:
    """The fleet's ledger of since <= hour < until, a row for each hour, kind, district or combination of them."""
    query = SUMMARY.format(
        by=", ".join(COLUMNS[name] for name in by), groups=", ".join(f"ledger_sum.{name}" for name in by)
    )
    values = {
        "since": since, "until": until, "kind": kind, "district": district, "limit": limit, "closed": CLOSED,
    }  # fmt: skip
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(query.encode(), values)).fetchall()


async def devices(conn: psycopg.AsyncConnection[Any], since: datetime, until: datetime, limit: int) -> list[DictRow]:
    """Devices of which something is missing, in conflict or in quarantine in since <= hour < until; most first."""
    values = {"since": since, "until": until, "limit": limit}
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(DEVICES.encode(), values)).fetchall()


async def stored_since(conn: psycopg.AsyncConnection[Any], since: datetime, later: datetime) -> tuple[int, int]:
    """Readings stored for the hours from `since` on, and from a later hour on, at the same moment."""
    row = await (await conn.execute(STORED_SINCE, {"since": since, "later": later})).fetchone()
    assert row is not None
    return row[0], row[1]
