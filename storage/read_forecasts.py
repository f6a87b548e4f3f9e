"""Forecasts as the API shows them, and how good they were."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import dict_row

from alerts.forecast import Stage
from storage.as_json import time_sql

Row = dict[str, Any]
# Which stages count where forecasts of at least one are asked for.
AT_LEAST: dict[Stage, list[Stage]] = {
    "watch": ["watch", "advisory", "warning"],
    "advisory": ["advisory", "warning"],
    "warning": ["warning"],
}

# A gauge that has been silent for longer than `since` has no forecast that holds.
GAUGES = f"""
SELECT s.device_id, coalesce(d.name, s.device_id) AS device_name, m.as_of AS newest, {time_sql("m.as_of")} AS as_of,
    CASE WHEN s.seen_until <= %(since)s THEN 'silent' ELSE s.refused END AS refused,
    {time_sql("CASE WHEN s.seen_until <= %(since)s THEN s.seen_until ELSE s.refused_at END")} AS refused_at
FROM forecast_seen s JOIN device d ON d.id = s.device_id
CROSS JOIN LATERAL (SELECT max(f.as_of) AS as_of FROM forecast f WHERE f.device_id = s.device_id
    AND (NOT %(active)s OR f.holds AND f.as_of > %(since)s)) AS m
WHERE (%(device)s::text IS NULL OR s.device_id = %(device)s) AND s.device_id > %(after)s
  AND (m.as_of IS NOT NULL OR %(refused)s AND (s.refused IS NOT NULL OR s.seen_until <= %(since)s))
ORDER BY s.device_id LIMIT %(limit)s
"""
LEVELS = f"""
SELECT f.device_id, f.siaga, f.bound_m, f.level_m, f.slope_m_h, f.points, f.basis, f.upstream,
    coalesce(u.name, f.upstream) AS upstream_name, f.lag_s, f.rose_m, f.stage, f.holds, f.earliest AS earliest_at,
    f.latest AS latest_at, {time_sql("f.made_at")} AS made_at, {time_sql("f.expected_at")} AS expected_at,
    {time_sql("f.earliest")} AS earliest, {time_sql("f.latest")} AS latest, f.outcome,
    {time_sql("f.reached_at")} AS reached_at
FROM unnest(%s::text[], %s::timestamptz[]) AS g (id, as_of)
JOIN forecast f ON f.device_id = g.id AND f.as_of = g.as_of LEFT JOIN device u ON u.id = f.upstream
ORDER BY f.device_id, f.siaga DESC
"""
# A run is forecasts of one level without an hour between them, judged by its first (docs/forecasts.md).
SCORE = """
WITH told AS MATERIALIZED (
    SELECT f.outcome, f.reached_at BETWEEN f.earliest AND f.latest AS covered, NOT EXISTS (
        SELECT FROM forecast b WHERE b.device_id = f.device_id AND b.siaga = f.siaga AND b.stage = ANY (%(stages)s)
            AND b.as_of < f.as_of AND b.as_of >= f.as_of - interval '1 hour') AS begins
    FROM forecast f WHERE f.as_of >= %(since)s AND f.as_of < %(until)s AND f.stage = ANY (%(stages)s)
        AND (%(device)s::text IS NULL OR f.device_id = %(device)s)
), came AS (
    SELECT extract(epoch FROM c.at - (
        SELECT min(f.as_of) FROM forecast f WHERE f.device_id = c.device_id AND f.siaga = c.siaga
            AND f.stage = ANY (%(stages)s) AND f.as_of < c.at AND f.until >= c.at))::float8 / 3600 AS lead_h
    FROM forecast_crossing c WHERE c.at >= %(since)s AND c.at < %(until)s
        AND (%(device)s::text IS NULL OR c.device_id = %(device)s)
)
SELECT t.*, c.* FROM (
    SELECT count(*) AS forecasts, count(*) FILTER (WHERE begins) AS runs,
        count(*) FILTER (WHERE begins AND outcome = 'hit') AS right,
        count(*) FILTER (WHERE begins AND outcome = 'false') AS false,
        count(*) FILTER (WHERE begins AND outcome = 'unknown') AS unknown,
        count(*) FILTER (WHERE begins AND outcome IS NULL) AS pending,
        count(*) FILTER (WHERE outcome = 'hit') AS timed, count(*) FILTER (WHERE covered) AS covered FROM told
) AS t CROSS JOIN (
    SELECT count(*) AS crossings, count(lead_h) AS hits, count(*) - count(lead_h) AS misses,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY lead_h) AS lead_median_h FROM came
) AS c
"""
# The first of each run that has been judged, of whatever stage, newest first.
PAST = f"""
SELECT f.device_id, f.siaga, f.bound_m, f.stage, f.basis, {time_sql("f.as_of")} AS as_of,
    {time_sql("f.expected_at")} AS at, {time_sql("f.earliest")} AS earliest, {time_sql("f.latest")} AS latest,
    f.outcome, {time_sql("f.reached_at")} AS reached_at, f.as_of AS position
FROM forecast f
WHERE f.as_of >= %(since)s AND f.as_of < %(until)s AND f.outcome IS NOT NULL
  AND (%(device)s::text IS NULL OR f.device_id = %(device)s)
  AND (%(before)s::timestamptz IS NULL
       OR (f.as_of, f.device_id, f.siaga) < (%(before)s, %(before_device)s::text, %(before_siaga)s::int))
  AND NOT EXISTS (SELECT FROM forecast b WHERE b.device_id = f.device_id AND b.siaga = f.siaga
      AND b.as_of < f.as_of AND b.as_of >= f.as_of - interval '1 hour')
ORDER BY f.as_of DESC, f.device_id DESC, f.siaga DESC LIMIT %(limit)s
"""


class AskedPast(NamedTuple):
    """before…: where the page before ended."""

    device: str | None
    since: datetime
    until: datetime
    before: datetime | None
    before_device: str | None
    before_siaga: int | None
    limit: int


class Asked(NamedTuple):
    """active: what holds, of readings after `since`; else the newest of each gauge. refused: also those without."""

    device: str | None
    active: bool
    refused: bool
    since: datetime
    after: str
    limit: int


async def gauges(conn: psycopg.AsyncConnection[Any], asked: Asked) -> list[Row]:
    """Gauges in order of their ids, each with the time of its forecast."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(GAUGES, asked._asdict())).fetchall()


async def levels(conn: psycopg.AsyncConnection[Any], found: Sequence[Row]) -> dict[str, list[Row]]:
    """The forecast of each gauge of `gauges`, a row a level, worst last."""
    told = [row for row in found if row["newest"] is not None]
    by_gauge: dict[str, list[Row]] = {}
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(LEVELS, ([row["device_id"] for row in told], [row["newest"] for row in told]))
        async for row in cursor:
            by_gauge.setdefault(row.pop("device_id"), []).append(row)
    return by_gauge


async def past(conn: psycopg.AsyncConnection[Any], asked: AskedPast) -> list[Row]:
    """What was said first of each rise, and what came of it."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(PAST, asked._asdict())).fetchall()


async def score(
    conn: psycopg.AsyncConnection[Any], stage: Stage, since: datetime, until: datetime, device: str | None
) -> Row:
    """How forecasts of at least this stage did in since <= t < until; of every gauge, or one."""
    values = {"stages": AT_LEAST[stage], "since": since, "until": until, "device": device}
    async with conn.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(SCORE, values)).fetchone()
    assert row is not None
    return row
