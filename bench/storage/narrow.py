"""The layout to compare with: one row for each value, as ThingsBoard keeps it (its `ts_kv`), and FROST alike.

Columns, key and monthly partitions are those of ThingsBoard 4 (dao/src/main/resources/sql/schema-ts-psql.sql), with
keys of numbers and entities of uuid: the leanest of them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import psycopg
from psycopg import sql

from bench.storage.fill import Span
from devices.kinds import KINDS
from storage.kind_tables import reading_table

SPACE = UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")
KEYS = {name: number for number, name in enumerate(sorted({n for kind in KINDS.values() for n in kind.numbers}), 1)}

TABLES = """
CREATE TABLE ts_kv (
    entity_id uuid NOT NULL, key int NOT NULL, ts bigint NOT NULL,
    bool_v boolean, str_v varchar(10000000), long_v bigint, dbl_v double precision, json_v json,
    CONSTRAINT ts_kv_pkey PRIMARY KEY (entity_id, key, ts)
) PARTITION BY RANGE (ts);
CREATE TABLE ts_kv_latest (
    entity_id uuid NOT NULL, key int NOT NULL, ts bigint NOT NULL,
    bool_v boolean, str_v varchar(10000000), long_v bigint, dbl_v double precision, json_v json,
    PRIMARY KEY (entity_id, key)
);
CREATE TABLE entity (device_id text COLLATE "C" PRIMARY KEY, entity_id uuid NOT NULL);
"""
FILL = """
INSERT INTO ts_kv (entity_id, key, ts, dbl_v)
SELECT e.entity_id, v.key, (extract(epoch FROM r.ts) * 1000)::bigint, v.value
FROM {readings} AS r JOIN entity AS e USING (device_id) CROSS JOIN LATERAL (VALUES {values}) AS v(key, value)
WHERE r.ts >= {since} AND r.ts < {until} AND v.value IS NOT NULL ORDER BY r.ts
"""
FILL_LATEST = """
INSERT INTO ts_kv_latest (entity_id, key, ts, dbl_v)
SELECT e.entity_id, v.key, (extract(epoch FROM l.ts) * 1000)::bigint, v.value
FROM latest AS l JOIN entity AS e USING (device_id)
CROSS JOIN LATERAL (SELECT k.key, (l."values" ->> k.name)::float8 AS value
                    FROM unnest(%s::text[], %s::int[]) AS k(name, key)) AS v
WHERE v.value IS NOT NULL
"""


def entity(device_id: str) -> UUID:
    return uuid5(SPACE, device_id)


async def fill(conn: psycopg.AsyncConnection[Any], devices: list[str], span: Span) -> int:
    """The readings of these devices once more, value by value; how many values."""
    await conn.execute(TABLES)
    async with conn.cursor() as cursor:
        await cursor.executemany("INSERT INTO entity VALUES (%s, %s)", [(each, entity(each)) for each in devices])
    await _partitions(conn, span)
    values = 0
    day = span.since
    while day < span.until:
        for kind in KINDS.values():
            pairs = [sql.SQL("({}, r.{})").format(KEYS[name], sql.Identifier(name)) for name in kind.numbers]
            cursor = await conn.execute(
                sql.SQL(FILL).format(
                    readings=sql.Identifier(reading_table(kind)), values=sql.SQL(", ").join(pairs),
                    since=sql.Literal(day), until=sql.Literal(min(day + timedelta(days=1), span.until)),
                )
            )  # fmt: skip
            values += cursor.rowcount
        day += timedelta(days=1)
    await conn.execute(FILL_LATEST, (list(KEYS), list(KEYS.values())))
    return values


async def readings_of(conn: psycopg.AsyncConnection[Any], devices: list[str]) -> int:
    """How many readings these devices have in the wide tables."""
    total = 0
    for kind in KINDS.values():
        query = sql.SQL("SELECT count(*) FROM {} WHERE device_id = ANY (%s)").format(
            sql.Identifier(reading_table(kind))
        )
        row = await (await conn.execute(query, (devices,))).fetchone()
        total += row[0] if row else 0
    return total


async def _partitions(conn: psycopg.AsyncConnection[Any], span: Span) -> None:
    month = span.since.replace(day=1, hour=0, minute=0)
    while month < span.until:
        following = (month + timedelta(days=32)).replace(day=1)
        bounds = [sql.Literal(round(at.timestamp() * 1000)) for at in (month, following)]
        name = sql.Identifier(f"ts_kv_{month:%Y_%m}")
        await conn.execute(
            sql.SQL("CREATE TABLE {} PARTITION OF ts_kv FOR VALUES FROM ({}) TO ({})").format(name, *bounds)
        )
        month = datetime(following.year, following.month, 1, tzinfo=UTC)
