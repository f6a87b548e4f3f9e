"""What the tables of the kinds take and hold, for `siaga storage status`. It reads little, however much there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from devices.kind import Kind
from storage import flavour
from storage.flavour import Flavour, Part
from storage.kind_tables import Level, table_of
from storage.retention import Hold, Policy, due, wanted

SERVER = """
SELECT current_setting('server_version'), (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),
    pg_database_size(current_database())
"""
# What the last ANALYZE found, or what has been counted since, whichever is more.
ROWS = """
SELECT coalesce(sum(greatest(reltuples, pg_stat_get_live_tuples(oid), 0)), 0)::int8 FROM pg_class
WHERE oid = ANY (%s::text[]::regclass[])
"""
# From device to device by the key: there is no index of the times alone.
OLDEST = """
WITH RECURSIVE d(device_id) AS (
    SELECT min(device_id) FROM {part}
    UNION ALL
    SELECT (SELECT min(device_id) FROM {part} WHERE device_id > d.device_id) FROM d WHERE d.device_id IS NOT NULL
)
SELECT min((SELECT min({at}) FROM {part} AS p WHERE p.device_id = d.device_id)) FROM d
"""
# The newest is of one of those that were heard of last.
NEWEST = """
SELECT max(n.at) FROM (SELECT device_id FROM latest WHERE kind = %s ORDER BY ts DESC LIMIT 100) AS l
CROSS JOIN LATERAL (
    SELECT {at} AS at FROM {table} AS t WHERE t.device_id = l.device_id ORDER BY {at} DESC LIMIT 1) AS n
"""


class Server(NamedTuple):
    """timescale is the extension's version; size in bytes, of the whole database."""

    flavour: Flavour
    postgres: str
    timescale: str | None
    size: int


class Use(NamedTuple):
    """One table: bytes with its indexes, rows as estimated, times of its rows in UTC."""

    kind: str
    level: Level
    table: str
    size: int
    rows: int
    parts: int
    oldest: datetime | None
    newest: datetime | None


async def server(conn: psycopg.AsyncConnection[Any]) -> Server:
    row = await (await conn.execute(SERVER)).fetchone()
    assert row is not None
    return Server(await flavour.current_async(conn), *row)


async def use(conn: psycopg.AsyncConnection[Any], on: Flavour, kind: Kind, level: Level, parts: Sequence[Part]) -> Use:
    """What a table takes, of which these are the parts, oldest first."""
    table, at = table_of(kind, level), sql.Identifier("ts" if level == "raw" else "bucket")
    newest = sql.SQL(NEWEST).format(table=sql.Identifier(table), at=at)
    return Use(
        kind.name,
        level,
        table,
        await flavour.size_of(conn, on, table),
        await _one(conn, ROWS.encode(), [part.name for part in parts]) or 0,
        len(parts),
        await _oldest(conn, at, parts),
        await _one(conn, newest, kind.name),
    )


async def held(
    conn: psycopg.AsyncConnection[Any], policy: Policy, parts: Sequence[Part], now: datetime
) -> tuple[int, Counter[Hold]]:
    """How many parts have had their time, and who still needs how many of them."""
    passed = due(parts, policy.days, now)
    found = [await wanted(conn, policy, part) for part in passed]
    return len(passed), Counter(hold for hold in found if hold)


async def _oldest(conn: psycopg.AsyncConnection[Any], at: sql.Identifier, parts: Sequence[Part]) -> datetime | None:
    for part in parts:
        name = sql.SQL(part.name)  # as regclass prints it
        if found := await _one(conn, sql.SQL(OLDEST).format(part=name, at=at)):
            return found  # type: ignore[no-any-return]
    return None


async def _one(conn: psycopg.AsyncConnection[Any], query: Any, *values: Any) -> Any:
    row = await (await conn.execute(query, values)).fetchone()
    return row[0] if row else None
