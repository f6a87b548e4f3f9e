"""Lamps with the panel or feeder they hang on, what they told in a time, and what stands against them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import numpy as np
import psycopg
from psycopg.rows import DictRow, class_row, dict_row

from alerts.lit import STEP_S, Told
from devices.quality import Quality
from storage.as_json import time_sql
from storage.wiring import PLACES

Conn = psycopg.AsyncConnection[Any]
By = Literal["panel", "feeder"]

CLOSED = "SELECT until FROM closed WHERE kind = 'streetlight' AND level = '5m'"
# Of a time that is over: where each hung then, what it was, and whether it was in service.
AS_OF = f"""(
    SELECT d.*, coalesce(l.status, 'in_service') AS status FROM {PLACES} AS d LEFT JOIN LATERAL (
        SELECT l.status FROM device_life AS l WHERE l.device_id = d.id AND l.from_at <= %(at)s
        ORDER BY l.from_at DESC LIMIT 1
    ) AS l ON true
    WHERE d.since <= %(at)s AND d.until > %(at)s
)"""
# qc: a value out of its range is none.
LAMPS = f"""
SELECT d.id, d.attributes ->> %(by)s AS name, d.district, d.lat, d.lon, (d.attributes ->> 'nominal_w')::float8 AS
    nominal_w, extract(epoch FROM l.ts)::float8 AS at_s, CASE WHEN l.qc <= {int(Quality.SUSPECT)} THEN
    (l."values" ->> 'power_w')::float8 END AS power_w, (l."values" ->> 'dimming_pct')::float8 AS dimming_pct
FROM {{devices}} AS d LEFT JOIN latest AS l ON l.device_id = d.id
WHERE d.kind = 'streetlight' AND d.status = 'in_service'
  AND (%(district)s::text IS NULL OR d.district = %(district)s) ORDER BY d.id
"""
# A walk over the key of each lamp (OFFSET 0): to find a night in four weeks of everybody takes longer. A column is sent
# as one value, as in storage/read_series.py: half a million tuples would take seconds.
TOLD = """
SELECT string_agg(int4send(number), ''), string_agg(int4send(step), ''), string_agg(float8send(power_w), ''),
    string_agg(float8send(dimming_pct), '')
FROM (
    SELECT c.number::int - 1 AS number, (extract(epoch FROM r.bucket - %(since)s) / %(step_s)s)::int AS step,
        coalesce(r.power_w_last, 'NaN') AS power_w, coalesce(r.dimming_pct_last, 'NaN') AS dimming_pct
    FROM unnest(%(lamps)s::text[]) WITH ORDINALITY AS c(id, number) CROSS JOIN LATERAL (
        SELECT bucket, power_w_last, dimming_pct_last FROM rollup_streetlight_5m AS r
        WHERE r.device_id = c.id AND r.bucket >= %(since)s AND r.bucket < %(until)s OFFSET 0
    ) AS r
) AS t
"""
OUTAGES = f"""
SELECT a.id, substr(a.device_id, length(%(by)s) + 3) AS name, extract(epoch FROM a.raised_at)::float8 AS raised_s,
    extract(epoch FROM a.cleared_at)::float8 AS cleared_s, {time_sql("a.raised_at")} AS raised_at
FROM alert AS a
WHERE a.rule = 'outage' AND starts_with(a.device_id, '$' || %(by)s || '/') AND NOT a.superseded
  AND a.raised_at < %(until)s AND (a.cleared_at IS NULL OR a.cleared_at > %(since)s)
ORDER BY a.raised_at, a.id
"""
FAULTS = """
SELECT a.device_id, a.rule FROM alert AS a JOIN device AS d ON d.id = a.device_id
WHERE a.open AND a.active AND NOT a.historical AND d.kind = 'streetlight'
"""
# Counted once a device, whether an incident stands for it or not. alone: of these, those that no incident stands for.
BY_RULE = """
SELECT a.rule, count(DISTINCT a.device_id) FILTER (WHERE a.open AND a.active)::int AS devices,
    count(DISTINCT a.device_id) FILTER (WHERE a.open AND a.active AND a.parent_id IS NULL)::int AS alone,
    count(*) FILTER (WHERE a.raised_at >= %(since)s)::int AS raised
FROM alert AS a
WHERE a.kind IN ('streetlight', 'cabinet') AND NOT (a.historical OR a.superseded)
  AND (a.open AND a.active OR a.raised_at >= %(since)s)
GROUP BY a.rule ORDER BY devices DESC, raised DESC, a.rule
"""


class Lamp(NamedTuple):
    """name: of its panel or feeder; at_s, power_w and dimming_pct: its newest reading."""

    id: str
    name: str | None
    district: str | None
    lat: float | None
    lon: float | None
    nominal_w: float | None
    at_s: float | None
    power_w: float | None
    dimming_pct: float | None


class Outage(NamedTuple):
    """A panel or feeder that was dark, as an incident says it. Times: epoch s; cleared_s None: it still is."""

    id: int
    name: str
    raised_s: float
    cleared_s: float | None
    raised_at: str


async def closed(conn: Conn) -> datetime | None:
    """Until when retention may have dropped what lamps told."""
    row = await (await conn.execute(CLOSED)).fetchone()
    return row[0] if row else None


async def lamps(conn: Conn, by: By, district: str | None, at: datetime | None = None) -> list[Lamp]:
    """Those in service, where they hang: now, or as it was at a time that is over."""
    query = LAMPS.format(devices="device" if at is None else AS_OF)
    async with conn.cursor(row_factory=class_row(Lamp), binary=True) as cursor:
        values = {"by": by, "district": district, "at": at}
        return await (await cursor.execute(query.encode(), values)).fetchall()


async def told(conn: Conn, lamps: Sequence[str], since: datetime, until: datetime) -> Told:
    """What these lamps told with since <= t < until; steps count from `since`, lamps as they are given."""
    values = {"lamps": list(lamps), "since": since, "until": until, "step_s": STEP_S}
    async with conn.cursor(binary=True) as cursor:
        # Unprepared, so that the planner sees which partitions matter.
        row = await (await cursor.execute(TOLD, values, prepare=False)).fetchone()
    assert row is not None
    number, step, power_w, dimming_pct = (each or b"" for each in row)
    return Told(
        np.frombuffer(number, ">i4").astype(np.int64),
        np.frombuffer(step, ">i4").astype(np.int64),
        np.frombuffer(power_w, ">f8").astype(np.float64),
        np.frombuffer(dimming_pct, ">f8").astype(np.float64),
    )


async def outages(conn: Conn, by: By, since: datetime, until: datetime) -> list[Outage]:
    """Panels or feeders that were dark at some moment of since <= t < until."""
    async with conn.cursor(row_factory=class_row(Outage)) as cursor:
        values = {"by": by, "since": since, "until": until}
        return await (await cursor.execute(OUTAGES.encode(), values)).fetchall()


async def faults(conn: Conn) -> list[tuple[str, str]]:
    """Lamp and rule of every alert that stands now."""
    return await (await conn.execute(FAULTS)).fetchall()


async def by_rule(conn: Conn, since: datetime) -> list[DictRow]:
    """Lamps and cabinets against which a rule stands, and how often it was raised since then."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(BY_RULE.encode(), {"since": since})).fetchall()
