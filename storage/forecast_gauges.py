"""Gauges that forecasts are made for, and what their readings say: many of them in a statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import psycopg
from psycopg import sql

from alerts.forecast_lag import Lag
from alerts.forecast_rise import History
from alerts.ladder import BOUNDS, LEVEL
from devices.device import Device
from devices.kind import Kind
from devices.quality import Quality
from storage.kind_tables import reading_table, rollup_table

# Live gauges first, so that none waits while others catch up. One that is new begins with what there is of a month.
DUE = """
SELECT d.id, d.district, d.attributes, extract(epoch FROM l.ts)::float8, extract(epoch FROM coalesce(s.seen_until,
    (SELECT min(r.ts) FROM {table} r WHERE r.device_id = d.id AND r.ts > l.ts - interval '31 days')
        - interval '1 microsecond', l.ts - interval '1 microsecond'))::float8,
    extract(epoch FROM s.good_at)::float8,
    (SELECT extract(epoch FROM max(f.as_of))::float8 FROM forecast f WHERE f.device_id = d.id AND f.holds),
    g.lag_s, g.gain, g.alike, g.waves
FROM device d JOIN latest l ON l.device_id = d.id LEFT JOIN forecast_seen s ON s.device_id = d.id
    LEFT JOIN forecast_lag g ON g.device_id = d.id AND g.upstream = d.attributes->>'upstream'
WHERE d.kind = %s AND d.status = 'in_service' AND d.attributes ?| %s AND (s.seen_until IS NULL OR l.ts > s.seen_until)
ORDER BY s.seen_until DESC NULLS LAST, d.id LIMIT %s
"""
# Readings that say nothing about the level are passed over. first and last: parts of the table outside them are not
# looked at, as the planner knows these numbers.
READ = """
SELECT g.n, extract(epoch FROM r.ts)::float8, r.{level}, r.qc <= {trusted}
FROM unnest(%(ids)s::text[], %(since)s::timestamptz[], %(until)s::timestamptz[]) WITH ORDINALITY
    AS g (id, since, until, n)
CROSS JOIN LATERAL (
    SELECT ts, {level}, qc FROM {table}
    WHERE device_id = g.id AND ts > g.since AND ts <= g.until AND ts > %(first)s AND ts <= %(last)s
        AND {level} IS NOT NULL ORDER BY ts) AS r
"""
PAIRS = """
SELECT d.id, d.attributes->>'upstream' FROM device d
    LEFT JOIN forecast_lag g ON g.device_id = d.id AND g.upstream = d.attributes->>'upstream'
WHERE d.kind = %s AND d.attributes->>'upstream' IS NOT NULL AND (g.looked_at IS NULL OR g.looked_at < %s)
ORDER BY g.looked_at NULLS FIRST, d.id LIMIT %s
"""
LEVELS = """
SELECT extract(epoch FROM bucket)::float8, {level} FROM {table}
WHERE device_id = %(id)s AND {level} IS NOT NULL
    AND bucket > (SELECT max(bucket) FROM {table} WHERE device_id = %(id)s) - %(back)s
ORDER BY bucket
"""
BOUND_NAMES = [name for _, name in BOUNDS]


class Gauge(NamedTuple):
    """Times are epoch s. newest: of its readings; seen_until: how far they were looked at; good_at: the last usable one
    of those; made: its forecast that holds; lag: from the gauge upstream, as learned."""

    id: str
    district: str | None
    attributes: Mapping[str, Any]
    newest: float
    seen_until: float
    good_at: float | None
    made: float | None
    lag: Lag | None


class Span(NamedTuple):
    """Readings of a gauge with since < ts <= until, epoch s."""

    device_id: str
    since: float
    until: float


async def due(conn: psycopg.AsyncConnection[Any], kind: Kind, at_most: int) -> list[Gauge]:
    """Gauges with levels, and readings that no forecast has been made of; those that are up to date first."""
    query = sql.SQL(DUE).format(table=sql.Identifier(reading_table(kind)))
    found = []
    async for row in await conn.execute(query, (kind.name, BOUND_NAMES, at_most)):
        device, district, attributes, newest, seen_until, good_at, made, *lag = row
        known = None if lag[0] is None else Lag(*lag)
        found.append(Gauge(device, district, attributes, newest, seen_until, good_at, made, known))
    return found


def device(kind: Kind, gauge: Gauge) -> Device:
    """A gauge as far as rules look at it."""
    return Device(gauge.id, kind.name, district=gauge.district, attributes=gauge.attributes)


async def histories(conn: psycopg.AsyncConnection[Any], kind: Kind, spans: Sequence[Span]) -> list[History]:
    """The readings of each span, in one statement."""
    since = [datetime.fromtimestamp(span.since, UTC) for span in spans]
    until = [datetime.fromtimestamp(span.until, UTC) for span in spans]
    values = {"ids": [span.device_id for span in spans], "since": since, "until": until}
    query = sql.SQL(READ).format(
        level=sql.Identifier(LEVEL),
        table=sql.Identifier(reading_table(kind)),
        trusted=sql.Literal(int(Quality.NOT_EVALUATED)),
    )
    rows: list[list[tuple[float, float | None, bool]]] = [[] for _ in spans]
    if spans:
        async with conn.cursor(binary=True) as cursor:
            await cursor.execute(query, values | {"first": min(since), "last": max(until)})
            for place, *reading in await cursor.fetchall():
                rows[place - 1].append(tuple(reading))
    return [_history(each) for each in rows]


async def pairs(
    conn: psycopg.AsyncConnection[Any], kind: Kind, looked_before: datetime, at_most: int
) -> list[tuple[str, str]]:
    """Gauges with the gauge upstream of them, whose lag nobody has looked at since."""
    return await (await conn.execute(PAIRS, (kind.name, looked_before, at_most))).fetchall()


async def levels(conn: psycopg.AsyncConnection[Any], kind: Kind, device_id: str, back: timedelta) -> History:
    """Means of 5 minutes of good readings, so far back from the newest; a mean stands at the middle."""
    query = sql.SQL(LEVELS).format(level=sql.Identifier(f"{LEVEL}_avg"), table=sql.Identifier(rollup_table(kind, "5m")))
    rows = await (await conn.execute(query, {"id": device_id, "back": back})).fetchall()
    half_s = timedelta(minutes=2.5).total_seconds()
    return _history([(at + half_s, level_m, True) for at, level_m in rows])


def _history(rows: Sequence[tuple[float, float | None, bool]]) -> History:
    t, level_m, good = zip(*rows, strict=True) if rows else ((), (), ())
    return History(np.array(t, np.float64), np.array(level_m, np.float64), np.array(good, np.bool_))
