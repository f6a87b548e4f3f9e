"""Rivers beside their levels: how long water takes from gauge to gauge, and what has rained on each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from storage.as_json import time_sql

Conn = psycopg.AsyncConnection[Any]

# Every gauge that names one upstream, also before anything is learned; not what was learned of another one.
LAGS = f"""
SELECT d.id AS device_id, coalesce(d.name, d.id) AS device_name, d.attributes ->> 'river' AS river,
    d.attributes ->> 'upstream' AS upstream, coalesce(u.name, d.attributes ->> 'upstream') AS upstream_name,
    g.lag_s, g.earliest_s, g.latest_s, g.gain AS gain_share, g.alike AS alike_share, g.waves,
    {time_sql("g.looked_at")} AS looked_at
FROM device AS d LEFT JOIN device AS u ON u.id = d.attributes ->> 'upstream'
LEFT JOIN forecast_lag AS g ON g.device_id = d.id AND g.upstream = d.attributes ->> 'upstream'
WHERE d.kind = 'water_level' AND d.attributes ->> 'upstream' IS NOT NULL ORDER BY d.id
"""
# A sum over nothing is null: nobody knows whether it rained. Five minutes count whole.
RAIN = f"""
SELECT d.id AS device_id, coalesce(d.name, d.id) AS device_name, d.district, d.attributes ->> 'river' AS river,
    d.attributes ->> 'upstream' AS upstream, r.*
FROM device AS d CROSS JOIN LATERAL (
    SELECT sum(x.rain_mm_sum) FILTER (WHERE x.bucket >= %(now)s::timestamptz - interval '1 hour') AS rain_1h_mm,
        sum(x.rain_mm_sum) FILTER (WHERE x.bucket >= %(now)s::timestamptz - interval '3 hours') AS rain_3h_mm,
        sum(x.rain_mm_sum) AS rain_24h_mm, {time_sql("max(x.bucket)")} AS newest
    FROM rollup_water_level_5m AS x
    WHERE x.device_id = d.id AND x.bucket >= %(now)s::timestamptz - interval '24 hours' AND x.bucket < %(now)s
      AND x.rain_mm_sum IS NOT NULL
) AS r
WHERE d.kind = 'water_level' ORDER BY d.id
"""


async def lags(conn: Conn) -> list[DictRow]:
    """Pairs of gauges, one upstream of the other, in order of the lower one."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(LAGS)).fetchall()


async def rain(conn: Conn, now: datetime) -> list[DictRow]:
    """Rain of the last 1, 3 and 24 h on every gauge."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(RAIN, {"now": now}, prepare=False)).fetchall()
