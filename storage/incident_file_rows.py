"""What goes into an incident file, read a page at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from alerts.incident_file import FORECAST_COLUMNS, TRANSITION_COLUMNS, Row, Span
from devices.device import Device
from devices.kind import Kind
from devices.kinds import KINDS
from storage.as_json import time_sql
from storage.kind_tables import Level, rollup_columns, rollup_table

PAGE = 2_000
TIMES = frozenset({
    "event_at", "detected_at", "until", "as_of", "made_at", "expected_at", "earliest", "latest", "reached_at",
})  # fmt: skip
# Who was ever under it: a member that was released is one still.
MEMBERS = f"""
SELECT a.id, a.rule, a.kind, a.device_id, coalesce(d.name, a.device_id) AS device_name, a.detected_at AS detected,
    {time_sql("a.raised_at")} AS raised_at, {time_sql("a.cleared_at")} AS cleared_at, a.severity, a.peak_severity
FROM alert AS a LEFT JOIN device AS d ON d.id = a.device_id
WHERE a.id > %(after)s AND a.id IN (SELECT alert_id FROM transition WHERE what = 'suppressed' AND parent_id = %(id)s)
ORDER BY a.id LIMIT %(limit)s
"""
DEVICES = "SELECT id, kind, name, region, district, lat, lon, attributes FROM device WHERE id = ANY (%s) ORDER BY id"
TOGETHER = """
SELECT id, kind, name, region, district, lat, lon, attributes FROM device
WHERE kind = %s AND attributes ->> %s::text = %s AND id <> ALL (%s) ORDER BY id LIMIT %s
"""
FIRST_AFTER = """
SELECT (SELECT min(detected_at) FROM transition WHERE alert_id = %s AND detected_at > c.at)
FROM unnest(%s::timestamptz[]) AS c (at)
"""
WORST = "SELECT min(siaga) FROM transition WHERE alert_id = %s"


async def worst_siaga(conn: psycopg.AsyncConnection[Any], alert_id: int) -> int | None:
    """The worst official level it came to; None where its rule has none."""
    row = await (await conn.execute(WORST, (alert_id,))).fetchone()
    return None if row is None else row[0]


async def first_after(conn: psycopg.AsyncConnection[Any], alert_id: int, moments: Sequence[datetime]) -> list[datetime]:
    """When the next event of an alert was noticed after each of these, where there was one."""
    rows = await (await conn.execute(FIRST_AFTER, (alert_id, list(moments)))).fetchall()
    return [at for (at,) in rows if at is not None]


async def members(conn: psycopg.AsyncConnection[Any], alert_id: int, most: int) -> list[Row]:
    """Alerts that an incident stood for, at most so many, in order."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(MEMBERS.encode(), {"id": alert_id, "after": 0, "limit": most})
        return list(await cursor.fetchall())


async def devices(conn: psycopg.AsyncConnection[Any], ids: Sequence[str]) -> list[Device]:
    """Those of these that are registered, in the order asked for."""
    rows = await (await conn.execute(DEVICES, (list(ids),))).fetchall()
    found = {row[0]: Device(*row) for row in rows}
    return [found[each] for each in dict.fromkeys(ids) if each in found]


async def together(
    conn: psycopg.AsyncConnection[Any], device: Device, by: str, but: Sequence[str], most: int
) -> list[Device]:
    """Devices of a kind that share an attribute with this one."""
    values = (device.kind, by, device.attributes[by], list(but), most)
    return [Device(*row) for row in await (await conn.execute(TOGETHER, values)).fetchall()]


async def transitions(conn: psycopg.AsyncConnection[Any], ids: Sequence[int]) -> AsyncIterator[list[dict[str, Any]]]:
    """Every event of these alerts, alert by alert in the order given, in pages."""
    query = (
        f"SELECT {_columns(TRANSITION_COLUMNS, 't')} FROM transition AS t JOIN alert AS a ON a.id = t.alert_id"
        " WHERE t.alert_id = %s AND t.id > %s ORDER BY t.id LIMIT %s"
    )
    async with conn.cursor(row_factory=dict_row) as cursor:
        for number in ids:
            after = 0
            while rows := await (await cursor.execute(query.encode(), (number, after, PAGE))).fetchall():
                yield rows
                after = rows[-1]["id"]
                if len(rows) < PAGE:
                    break


async def forecasts(conn: psycopg.AsyncConnection[Any], device_id: str, span: Span, most: int) -> list[dict[str, Any]]:
    """Forecasts of a gauge that were made from readings of this time, with what became of them, oldest first."""
    query = (
        f"SELECT {_columns(FORECAST_COLUMNS, 'f')} FROM forecast AS f"
        " WHERE f.device_id = %s AND f.as_of >= %s AND f.as_of < %s ORDER BY f.as_of, f.siaga DESC LIMIT %s"
    )
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query.encode(), (device_id, *span, most))
        return await cursor.fetchall()


def rollup_names(kind: Kind) -> list[str]:
    """What is told of a neighbour: everything a rollup keeps but the weights."""
    names = (name for metric in kind.metrics.values() for name in rollup_columns(metric))
    return [name for name in names if not name.endswith("_w")]


async def rollups(
    conn: psycopg.AsyncConnection[Any], device: Device, level: Level, span: Span
) -> list[tuple[Any, ...]]:
    """Rollups of a neighbour: bucket, n, n_good, then `rollup_names`."""
    kind = KINDS[device.kind]
    query = sql.SQL(
        "SELECT {bucket}, n, n_good, {names} FROM {table}"
        " WHERE device_id = {device} AND bucket >= {since} AND bucket < {until} ORDER BY bucket"
    ).format(
        bucket=sql.SQL(time_sql("bucket")),
        names=sql.SQL(", ").join(map(sql.Identifier, rollup_names(kind))),
        table=sql.Identifier(rollup_table(kind, level)),
        device=sql.Literal(device.id),
        since=sql.Literal(span.since),
        until=sql.Literal(span.until),
    )
    # Literals, so that the planner sees which partitions matter.
    return await (await conn.execute(query)).fetchall()


def _columns(names: Sequence[str], table: str) -> str:
    own = {"rule": "a.rule", "device_id": "a.device_id"} if table == "t" else {}
    return ", ".join(
        f"{time_sql(f'{table}.{name}')} AS {name}" if name in TIMES else own.get(name, f"{table}.{name}")
        for name in names
    )
