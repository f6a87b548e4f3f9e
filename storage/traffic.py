"""Roads as detectors see them: each site now, and how it usually is at this time of the week.

A site is its detectors, one a lane; a detector that names no site is one by itself. Flow is added up over them, speed
is averaged over vehicles.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import DictRow, class_row, dict_row

from devices.quality import Quality
from storage.as_json import time_sql

Conn = psycopg.AsyncConnection[Any]

SITE = "coalesce(d.attributes ->> 'site', d.name, d.id)"
OF = f"""
d.kind = 'traffic' AND (%(district)s::text IS NULL OR d.district = %(district)s)
AND (%(site)s::text IS NULL OR {SITE} = %(site)s) AND (%(device)s::text IS NULL OR d.id = %(device)s)
"""
# Only fresh readings count, and none of a fault. Flow is as the reading has it: of its own period, in an hour.
NOW = f"""
WITH l AS (
    SELECT {SITE} AS site, d.id, d.district, d.lat, d.lon, (d.attributes ->> 'free_flow_kmh')::float8 AS free_kmh,
        n.ts, (n."values" ->> 'period_s')::float8 AS period_s, (n."values" ->> 'count')::float8 AS count,
        (n."values" ->> 'speed_kmh')::float8 AS speed_kmh, (n."values" ->> 'occupancy_pct')::float8 AS occupancy_pct,
        (n."values" ->> 'flow_vph')::float8 AS flow_vph, (n."values" ->> 'count_motorcycle')::float8 AS motorcycle,
        (n."values" ->> 'count_car')::float8 AS car, (n."values" ->> 'count_heavy')::float8 AS heavy
    FROM device AS d LEFT JOIN latest AS n
        ON n.device_id = d.id AND n.ts > %(fresh)s AND n.qc <= {int(Quality.SUSPECT)}
    WHERE {OF}
), classes AS (
    SELECT {SITE} AS site, sum(r.count_motorcycle_sum) AS motorcycle, sum(r.count_car_sum) AS car,
        sum(r.count_heavy_sum) AS heavy
    FROM device AS d CROSS JOIN LATERAL (
        SELECT * FROM rollup_traffic_1h AS r
        WHERE r.device_id = d.id AND r.bucket >= %(midnight)s AND r.bucket < %(now)s OFFSET 0) AS r
    WHERE {OF} GROUP BY 1
)
SELECT l.site, min(l.district) AS district, avg(l.lat) AS lat, avg(l.lon) AS lon, count(*)::int AS devices,
    count(l.ts)::int AS reporting, {time_sql("max(l.ts)")} AS ts,
    sum(l.speed_kmh * l.count) / nullif(sum(l.count) FILTER (WHERE l.speed_kmh IS NOT NULL), 0) AS speed_kmh,
    avg(l.free_kmh) AS free_flow_kmh, sum(l.flow_vph) AS flow_vph, avg(l.occupancy_pct) AS occupancy_pct,
    sum(l.motorcycle * 3600 / nullif(l.period_s, 0)) AS motorcycle_vph,
    sum(l.car * 3600 / nullif(l.period_s, 0)) AS car_vph, sum(l.heavy * 3600 / nullif(l.period_s, 0)) AS heavy_vph,
    bool_and(l.motorcycle IS NOT NULL AND l.car IS NOT NULL AND l.heavy IS NOT NULL) FILTER (WHERE l.ts IS NOT NULL)
        AS has_classes,
    min(c.motorcycle) AS motorcycles_today, min(c.car) AS cars_today, min(c.heavy) AS heavy_today
FROM l LEFT JOIN classes AS c USING (site) GROUP BY l.site ORDER BY l.site
"""
# A quarter of an hour of each week is one value; then the middle and the tenths of those of all weeks.
TYPICAL = f"""
WITH quarters AS (
    SELECT {SITE} AS site, q.number, q.week, sum(r.speed_kmh_avg * r.speed_kmh_w) / nullif(sum(r.speed_kmh_w), 0)
        AS speed_kmh, sum(r.flow_vph_avg * r.flow_vph_w) / nullif(sum(r.flow_vph_w), 0) AS flow_vph
    FROM unnest(%(begins)s::timestamptz[], %(numbers)s::int[], %(weeks)s::int[]) AS q(begin_at, number, week)
    CROSS JOIN device AS d CROSS JOIN LATERAL (
        SELECT r.speed_kmh_avg, r.speed_kmh_w, r.flow_vph_avg, r.flow_vph_w FROM rollup_traffic_5m AS r
        WHERE r.device_id = d.id AND r.bucket >= q.begin_at AND r.bucket < q.begin_at + interval '15 minutes' OFFSET 0
    ) AS r
    WHERE {OF} GROUP BY 1, 2, 3, d.id
), weeks AS (
    SELECT site, number, week, sum(speed_kmh * flow_vph) / nullif(sum(flow_vph) FILTER (WHERE speed_kmh IS NOT NULL), 0)
        AS speed_kmh, sum(flow_vph) AS flow_vph
    FROM quarters GROUP BY 1, 2, 3
)
SELECT site, number, count(speed_kmh)::int AS speed_n, count(flow_vph)::int AS flow_n,
    percentile_cont(ARRAY[0.1, 0.5, 0.9]) WITHIN GROUP (ORDER BY speed_kmh) AS speed_kmh,
    percentile_cont(ARRAY[0.1, 0.5, 0.9]) WITHIN GROUP (ORDER BY flow_vph) AS flow_vph
FROM weeks GROUP BY 1, 2 ORDER BY 1, 2
"""
# Roads by quarters of an hour, as they were. Classes are told of what was counted, so they are shares of the flow.
COURSE = f"""
WITH lanes AS (
    SELECT {SITE} AS site, d.id, date_bin('15 minutes', r.bucket, 'epoch') AS quarter,
        sum(r.speed_kmh_avg * r.speed_kmh_w) / nullif(sum(r.speed_kmh_w), 0) AS speed_kmh,
        sum(r.flow_vph_avg * r.flow_vph_w) / nullif(sum(r.flow_vph_w), 0) AS flow_vph,
        sum(r.occupancy_pct_avg * r.occupancy_pct_w) / nullif(sum(r.occupancy_pct_w), 0) AS occupancy_pct,
        nullif(sum(r.count_sum), 0) AS count, sum(r.count_motorcycle_sum) AS motorcycle, sum(r.count_car_sum) AS car,
        sum(r.count_heavy_sum) AS heavy
    FROM device AS d CROSS JOIN LATERAL (
        SELECT * FROM rollup_traffic_5m AS r
        WHERE r.device_id = d.id AND r.bucket >= %(since)s AND r.bucket < %(until)s OFFSET 0) AS r
    WHERE {OF} GROUP BY 1, 2, 3
)
SELECT site, {time_sql("quarter")} AS bucket, count(flow_vph)::int AS lanes, sum(flow_vph) AS flow_vph,
    sum(speed_kmh * flow_vph) / nullif(sum(flow_vph) FILTER (WHERE speed_kmh IS NOT NULL), 0) AS speed_kmh,
    avg(occupancy_pct) AS occupancy_pct, sum(flow_vph * motorcycle / count) AS motorcycle_vph,
    sum(flow_vph * car / count) AS car_vph, sum(flow_vph * heavy / count) AS heavy_vph,
    bool_and(motorcycle IS NOT NULL AND car IS NOT NULL AND heavy IS NOT NULL) AS has_classes
FROM lanes GROUP BY site, quarter ORDER BY site, quarter
"""
KNOWN = f"SELECT EXISTS (SELECT FROM device AS d WHERE {OF})"


class Of(NamedTuple):
    """Which detectors; None is any."""

    district: str | None = None
    site: str | None = None
    device: str | None = None


class Quarter(NamedTuple):
    """A quarter of an hour in a week before: number says which of the day."""

    begin: datetime
    number: int
    week: int


class Usual(NamedTuple):
    """Of the same quarters of some weeks: tenth, middle and nine tenths, and how many weeks there were."""

    site: str
    number: int
    speed_n: int
    flow_n: int
    speed_kmh: list[float] | None
    flow_vph: list[float] | None


async def known(conn: Conn, of: Of) -> bool:
    """Whether there is such a detector."""
    row = await (await conn.execute(KNOWN.encode(), of._asdict())).fetchone()
    return bool(row and row[0])


async def now(conn: Conn, of: Of, at: datetime, fresh: datetime, midnight: datetime) -> list[DictRow]:
    """Every site by its readings after `fresh`, and its vehicles since midnight."""
    values = of._asdict() | {"now": at, "fresh": fresh, "midnight": midnight}
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(NOW.encode(), values, prepare=False)).fetchall()


async def course(conn: Conn, of: Of, since: datetime, until: datetime) -> list[DictRow]:
    """Every site by quarters of an hour of since <= t < until, those of which there is something."""
    values = of._asdict() | {"since": since, "until": until}
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(COURSE.encode(), values, prepare=False)).fetchall()


async def typical(conn: Conn, of: Of, quarters: Sequence[Quarter]) -> list[Usual]:
    """How each site was in these quarters, by site and number."""
    values = of._asdict() | {
        "begins": [each.begin for each in quarters],
        "numbers": [each.number for each in quarters],
        "weeks": [each.week for each in quarters],
    }
    async with conn.cursor(row_factory=class_row(Usual)) as cursor:
        return await (await cursor.execute(TYPICAL.encode(), values, prepare=False)).fetchall()
