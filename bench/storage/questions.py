"""What the dashboard asks, three times over: of the query layer, of raw readings, of a narrow table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from api import buckets
from api.params import Window
from bench.storage.fill import WIB, Span
from bench.storage.narrow import KEYS, entity
from devices.kind import Kind
from devices.kinds import KINDS
from storage import read_groups, read_latest, read_metrics
from storage.kind_tables import reading_table
from storage.read_groups import Asked, Steps

Conn = psycopg.AsyncConnection[Any]
Ask = Callable[[Conn], Awaitable[int]]  # how many rows came

LAMPS, RIVERS = KINDS["streetlight"], KINDS["water_level"]

RAW_BUCKETS = """
SELECT date_bin('15 minutes', ts, 'epoch') AS bucket, count(*), avg({metric}), min({metric}), max({metric})
FROM {readings} WHERE device_id = {device} AND ts >= {since} AND ts < {until} AND qc <= 2 GROUP BY 1 ORDER BY 1
"""
NARROW_BUCKETS = """
SELECT date_bin('15 minutes', to_timestamp(ts / 1000.0), 'epoch') AS bucket,
       count(*), avg(dbl_v), min(dbl_v), max(dbl_v)
FROM ts_kv WHERE entity_id = {device} AND key = {key} AND ts >= {since_ms} AND ts < {until_ms} GROUP BY 1 ORDER BY 1
"""
RAW_DAYS = """
SELECT date_trunc('day', ts, 'Asia/Jakarta') AS bucket, count(DISTINCT device_id), count(*), avg(power_w), max(power_w),
       max(energy_wh) - min(energy_wh)
FROM reading_streetlight WHERE ts >= {since} AND ts < {until} AND qc <= 2 GROUP BY 1 ORDER BY 1
"""
NARROW_DAYS = """
SELECT date_trunc('day', to_timestamp(ts / 1000.0), 'Asia/Jakarta') AS bucket, count(DISTINCT entity_id),
       avg(dbl_v) FILTER (WHERE key = {power}), max(dbl_v) FILTER (WHERE key = {power}),
       max(dbl_v) FILTER (WHERE key = {energy}) - min(dbl_v) FILTER (WHERE key = {energy})
FROM ts_kv WHERE key IN ({power}, {energy}) AND ts >= {since_ms} AND ts < {until_ms} GROUP BY 1 ORDER BY 1
"""
# All that `latest` tells, from readings: the newest of each device, by its key, from the newest partition on.
RAW_LATEST = """
SELECT d.id, r.* FROM device AS d CROSS JOIN LATERAL (
    SELECT row_to_json(x)::text FROM {readings} AS x
    WHERE device_id = d.id AND ts >= {since} AND ts < {until} ORDER BY ts DESC LIMIT 1
) AS r WHERE d.kind = 'streetlight'
"""
NARROW_LATEST = "SELECT entity_id, key, ts, dbl_v FROM ts_kv_latest ORDER BY entity_id, key"


class Question(NamedTuple):
    """bar_ms: what ours may take, median, warm. raw and narrow answer the same without rollups; None: not asked."""

    name: str
    bar_ms: float | None
    ours: Ask
    raw: Ask | None
    narrow: Ask | None


def one_device(name: str, kind: Kind, device: str, metric: str, span: Span, bar_ms: float | None) -> Question:
    """One metric of one device over the span, in buckets of 15 minutes."""
    window = Window(*span)
    plan = buckets.plan("15m", window, span.until, WIB, WIB)
    starts = [bucket.start for bucket in plan.buckets]

    async def ours(conn: Conn) -> int:
        wanted = {metric: ["avg", "min", "max"]}
        return len(await read_metrics.aggregate(conn, kind, [device], wanted, plan.slices, starts))

    raw = sql.SQL(RAW_BUCKETS).format(
        metric=sql.Identifier(metric), readings=sql.Identifier(reading_table(kind)), device=sql.Literal(device),
        **_times(span),
    )  # fmt: skip
    narrow = sql.SQL(NARROW_BUCKETS).format(
        device=sql.Literal(entity(device)), key=sql.Literal(KEYS[metric]), **_times(span)
    )
    return Question(name, bar_ms, ours, _asked(raw), _asked(narrow))


def group_days(name: str, grouping: str, year: Span, month: Span | None, bar_ms: float | None) -> Question:
    """Power, its peak and the energy of all lamps by day; raw and narrow only of the days there are readings of."""
    plan = buckets.plan("1d", Window(*year), year.until, WIB, WIB)
    steps = Steps(plan.slices, plan.steps, plan.starts, "1d")
    asked = Asked(grouping, {}, None, {"power_w": ["avg", "max"], "energy_wh": ["delta"]})

    async def ours(conn: Conn) -> int:
        marked = (await read_groups.size(conn, LAMPS, asked, *year)).marked
        return len(await read_groups.aggregate(conn, LAMPS, asked, steps, marked))

    if month is None:
        return Question(name, bar_ms, ours, None, None)
    raw = sql.SQL(RAW_DAYS).format(**_times(month))
    keys = {"power": sql.Literal(KEYS["power_w"]), "energy": sql.Literal(KEYS["energy_wh"])}
    return Question(name, bar_ms, ours, _asked(raw), _asked(sql.SQL(NARROW_DAYS).format(**keys, **_times(month))))


def latest(span: Span, devices: int, bar_ms: float | None) -> Question:
    """The newest reading of every lamp, all values."""

    async def ours(conn: Conn) -> int:
        return len(await read_latest.list_latest(conn, LAMPS.name, None, None, "", devices))

    raw = sql.SQL(RAW_LATEST).format(readings=sql.Identifier(reading_table(LAMPS)), **_times(span))
    return Question(f"latest of {devices:,} lamps", bar_ms, ours, _asked(raw), _asked(sql.SQL(NARROW_LATEST).format()))


def _asked(query: sql.Composed) -> Ask:
    async def ask(conn: Conn) -> int:
        return len(await (await conn.execute(query)).fetchall())

    return ask


def _times(span: Span) -> dict[str, sql.Literal]:
    since_ms, until_ms = (round(at.timestamp() * 1000) for at in span)
    return {
        "since": sql.Literal(span.since), "until": sql.Literal(span.until),
        "since_ms": sql.Literal(since_ms), "until_ms": sql.Literal(until_ms),
    }  # fmt: skip
