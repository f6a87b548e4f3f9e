"""Readings of many devices of a kind, by device and time, in pages: each costs what it holds, however much there is."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from alerts import ladder
from devices.kind import Kind
from storage.kind_tables import reading_table
from storage.read_readings import FIXED

# The smallest step of a timestamptz.
STEP = timedelta(microseconds=1)
# Devices one statement walks through; it ends when its page is full.
DEVICES = 500
# A LATERAL with a LIMIT is a nested loop, so devices come in the order given and no sort reads them all. The lower
# bound is by device: a page may begin in the middle of one, and must not walk over what came before.
PAGE = """
SELECT d.id, r.ts, r.qc, {level}, {content} FROM unnest(%(ids)s::text[], %(since)s::timestamptz[]) AS d (id, since)
CROSS JOIN LATERAL (
    SELECT * FROM {table} AS r WHERE r.device_id = d.id AND r.ts >= d.since AND r.ts >= {least} AND r.ts < {until}
    ORDER BY r.ts LIMIT %(limit)s
) AS r LIMIT %(limit)s
"""


class After(NamedTuple):
    """Where the page before ended; nothing of the device yet where ts is None."""

    device_id: str
    ts: datetime | None


class Found(NamedTuple):
    """A reading: its JSON object or its cells, and what its siaga digit depends on."""

    device_id: str
    ts: datetime
    qc: int
    level_m: float | None
    content: Any

    @property
    def place(self) -> After:
        return After(self.device_id, self.ts)


class Asked(NamedTuple):
    """Which columns of which devices, since <= ts < until; ids as Python sorts them."""

    kind: Kind
    ids: Sequence[str]
    names: Sequence[str]
    since: datetime
    until: datetime


async def page(
    conn: psycopg.AsyncConnection[Any], asked: Asked, after: After, limit: int, as_json: bool
) -> list[Found]:
    """The next `limit` readings; content is JSON text, or a tuple of cells in order of the names."""
    found: list[Found] = []
    ids = asked.ids[bisect_left(asked.ids, after.device_id) :]
    for start in range(0, len(ids), DEVICES):
        some = ids[start : start + DEVICES]
        bounds = [asked.since] * len(some)
        if after.ts is not None and some[0] == after.device_id:
            bounds[0] = after.ts + STEP
        values = {"ids": some, "since": bounds, "limit": limit - len(found)}
        # Unprepared, so that the planner sees which partitions matter.
        cursor = await conn.execute(_query(asked, min(bounds), as_json), values, prepare=False)
        rows = await cursor.fetchall()
        found += (Found(row[0], row[1], row[2], row[3], row[4] if as_json else row[4:]) for row in rows)
        if len(found) >= limit:
            break
    return found


def _query(asked: Asked, least: datetime, as_json: bool) -> sql.Composed:
    listed = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(
            sql.SQL(FIXED[name]) if name in FIXED else sql.Identifier("r", name), sql.Identifier(name)
        )
        for name in asked.names
    )
    if not asked.names:
        listed = sql.SQL("NULL AS none").format()
    content = sql.SQL("(SELECT row_to_json(x) FROM (SELECT {}) x)::text" if as_json else "{}").format(listed)
    has_ladder = ladder.has_ladder(asked.kind)
    return sql.SQL(PAGE).format(
        level=sql.Identifier("r", ladder.LEVEL) if has_ladder else sql.SQL("NULL::float8"),
        content=content,
        table=sql.Identifier(reading_table(asked.kind)),
        least=sql.Literal(least),
        until=sql.Literal(asked.until),
    )
