"""What cabinets and their lamps have drawn: power of tonight and of the nights before, energy of nights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import psycopg
from psycopg import sql

from alerts.energy import Course, Night, Used
from alerts.life import OF_THE_RULE
from alerts.rule import Key
from devices.device import Device
from devices.kind import Kind
from devices.quality import Quality
from storage.kind_tables import reading_table, rollup_table

Conn = psycopg.AsyncConnection[Any]

# Who looks at cabinets now; another worker leaves it to them.
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('siaga energy', 0))"
CABINETS = """
SELECT d.id, d.name, d.district, d.lat, d.lon, d.attributes FROM device AS d JOIN latest AS l ON l.device_id = d.id
WHERE d.kind = %s AND d.status = 'in_service' AND l.ts > %s ORDER BY d.id
"""
# A lamp that was never heard is not there yet.
LAMPS = """
SELECT d.attributes ->> 'panel', array_agg(d.id ORDER BY d.id) FROM device AS d
WHERE d.kind = %(kind)s AND d.status = 'in_service' AND d.attributes ->> 'panel' = ANY (%(panels)s)
  AND EXISTS (SELECT FROM latest AS l WHERE l.device_id = d.id)
GROUP BY 1
"""
# first and last: parts of the table outside them are not looked at, as the planner knows these numbers.
TONIGHT = """
SELECT device_id, extract(epoch FROM ts)::float8, power_w, contactor_on FROM {table}
WHERE device_id = ANY (%(ids)s) AND ts > %(since)s AND ts <= %(until)s AND qc <= {trusted} AND power_w IS NOT NULL
  AND received_at <= ts + make_interval(secs => %(live_s)s)
ORDER BY device_id, ts
"""
USUAL = """
SELECT g.n, d.id, extract(epoch FROM r.bucket)::float8, r.power_w_avg, r.contactor_on_last
FROM unnest(%(since)s::timestamptz[], %(until)s::timestamptz[]) WITH ORDINALITY AS g (since, until, n)
CROSS JOIN unnest(%(ids)s::text[]) AS d (id)
CROSS JOIN LATERAL (
    SELECT bucket, power_w_avg, contactor_on_last FROM {table}
    WHERE device_id = d.id AND bucket >= g.since AND bucket < g.until AND bucket >= %(first)s AND bucket < %(last)s
      AND power_w_avg IS NOT NULL ORDER BY bucket) AS r
"""
# From the first to the last report of a span: what had been used before the first is no part of it.
USED = """
SELECT g.n, extract(epoch FROM min(r.bucket))::float8, extract(epoch FROM max(r.bucket))::float8,
    sum(r.delta) - (array_agg(r.delta ORDER BY r.bucket))[1]
FROM unnest(%(ids)s::text[], %(since)s::timestamptz[], %(until)s::timestamptz[]) WITH ORDINALITY
    AS g (id, since, until, n)
CROSS JOIN LATERAL (
    SELECT bucket, coalesce(energy_wh_delta, 0) AS delta FROM {table}
    WHERE device_id = g.id AND bucket >= g.since AND bucket < g.until AND bucket >= %(first)s AND bucket < %(last)s
      AND energy_wh_last IS NOT NULL) AS r
GROUP BY g.n
"""
MOVED = """
SELECT a.rule, a.device_id, extract(epoch FROM max(t.event_at))::float8
FROM alert AS a JOIN transition AS t ON t.alert_id = a.id
WHERE a.device_id = ANY (%s) AND a.rule = ANY (%s) AND t.what = ANY (%s) GROUP BY a.rule, a.device_id
"""


class Span(NamedTuple):
    """since <= t < until, epoch s."""

    since: float
    until: float


async def try_lock(conn: Conn) -> bool:
    """Whether it is ours to look, until the end of the transaction."""
    row = await (await conn.execute(TRY_LOCK)).fetchone()
    return bool(row and row[0])


async def cabinets(conn: Conn, kind: Kind, heard_since: datetime) -> list[Device]:
    """Cabinets that were heard since then."""
    rows = await (await conn.execute(CABINETS, (kind.name, heard_since))).fetchall()
    return [Device(id_, kind.name, name, None, district, lat, lon, attributes)
            for id_, name, district, lat, lon, attributes in rows]  # fmt: skip


async def lamps(conn: Conn, kind: Kind, panels: Collection[str]) -> dict[str, list[str]]:
    """Ids of the lamps of panels that were ever heard."""
    return dict(await (await conn.execute(LAMPS, {"kind": kind.name, "panels": list(panels)})).fetchall())


async def tonight(conn: Conn, kind: Kind, ids: Sequence[str], span: Span, live_s: float) -> dict[str, Course]:
    """Trusted readings of a span that came live, by device; of those that have any."""
    query = sql.SQL(TONIGHT).format(
        table=sql.Identifier(reading_table(kind)), trusted=sql.Literal(int(Quality.NOT_EVALUATED))
    )
    values = {"ids": list(ids), "since": _time(span.since), "until": _time(span.until), "live_s": live_s}
    found: defaultdict[str, list[tuple[float, ...]]] = defaultdict(list)
    async for device_id, *reading in await conn.execute(query, values):
        found[device_id].append(tuple(reading))
    return {device_id: _course(rows) for device_id, rows in found.items()}


async def usual(conn: Conn, kind: Kind, ids: Sequence[str], spans: Sequence[Span]) -> dict[str, list[Course]]:
    """Means of 5 min in each of the spans, by device; of those that have any."""
    query = sql.SQL(USUAL).format(table=sql.Identifier(rollup_table(kind, "5m")))
    values = {"ids": list(ids)} | _columns(spans)
    found: defaultdict[str, list[list[tuple[float, ...]]]] = defaultdict(lambda: [[] for _ in spans])
    async for n, device_id, *mean in await conn.execute(query, values):
        found[device_id][n - 1].append(tuple(mean))
    return {device_id: [_course(rows) for rows in each] for device_id, each in found.items()}


async def used(conn: Conn, kind: Kind, asked: Sequence[tuple[str, Night]]) -> list[Used | None]:
    """Energy of devices in nights, in the order asked; None where nothing was told."""
    found: list[Used | None] = [None] * len(asked)
    if asked:
        query = sql.SQL(USED).format(table=sql.Identifier(rollup_table(kind, "5m")))
        spans = [Span(night.since, night.until) for _, night in asked]
        values = {"ids": [device_id for device_id, _ in asked]} | _columns(spans)
        async for n, *told in await conn.execute(query, values):
            found[n - 1] = Used(*told)
    return found


async def moved(conn: Conn, ids: Sequence[str], rules: Iterable[str]) -> dict[Key, float]:
    """When rules last moved their alerts on these devices, by event time; epoch s."""
    rows = await (await conn.execute(MOVED, (list(ids), list(rules), list(OF_THE_RULE)))).fetchall()
    return {Key(rule, device_id): at for rule, device_id, at in rows}


def _columns(spans: Sequence[Span]) -> dict[str, Any]:
    since, until = [_time(span.since) for span in spans], [_time(span.until) for span in spans]
    return {"since": since, "until": until, "first": min(since), "last": max(until)}


def _time(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)


def _course(rows: Sequence[tuple[float, ...]]) -> Course:
    t, power_w, contactor = zip(*rows, strict=True) if rows else ((), (), ())
    return Course(np.array(t, np.float64), np.array(power_w, np.float64), np.array(contactor, np.float64))
