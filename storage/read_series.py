"""One device's metrics over time as columns, from readings or from a rollup."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql

from devices.kind import Floats, Kind, Metric
from devices.quality import Quality
from storage.kind_tables import Level, table_of

CLOSED = "SELECT level, until FROM closed WHERE kind = %s"
READ = """
SELECT (extract(epoch FROM {time}) * 1000)::int8, {qc}, {columns} FROM {table}
WHERE device_id = %(device)s AND {time} >= %(since)s AND {time} < %(until)s {good} ORDER BY {time} LIMIT %(limit)s
"""


class Curve(NamedTuple):
    """Of one metric: values, NaN where there are none, and between which they were; the same where that is unknown."""

    values: Floats
    low: Floats
    high: Floats


class Rows(NamedTuple):
    """at_ms rises (ms since 1970 UTC); qc only of readings."""

    at_ms: npt.NDArray[np.int64]
    qc: npt.NDArray[np.int64] | None
    curves: dict[str, Curve]


async def closed(conn: psycopg.AsyncConnection[Any], kind: Kind) -> dict[Level, datetime]:
    """Until when retention may have dropped what there was at a level."""
    return {level: until async for level, until in await conn.execute(CLOSED, (kind.name,))}


async def read(
    conn: psycopg.AsyncConnection[Any],
    kind: Kind,
    source: Level,
    device_id: str,
    metrics: Sequence[str],
    since: datetime,
    until: datetime,
    good: bool,
    limit: int | None,
) -> Rows | None:
    """Rows with since <= time < until; good: without suspect and failed readings. None if there are more than limit."""
    raw = source == "raw"
    names = [name for metric in metrics for name in _columns(kind.metrics[metric], source)]
    query = sql.SQL(READ).format(
        time=sql.Identifier("ts" if raw else "bucket"),
        qc=sql.SQL("qc::int8" if raw else "0::int8"),
        columns=sql.SQL(", ").join(map(sql.Identifier, names)),
        table=sql.Identifier(table_of(kind, source)),
        good=sql.SQL("AND qc <= {}").format(int(Quality.NOT_EVALUATED)) if raw and good else sql.SQL(""),
    )
    values = {"device": device_id, "since": since, "until": until, "limit": None if limit is None else limit + 1}
    async with conn.cursor(binary=True) as cursor:
        await cursor.execute(query, values)
        rows = await cursor.fetchall()
    if limit is not None and len(rows) > limit:
        return None
    columns = list(zip(*rows, strict=True)) if rows else [()] * (2 + len(names))
    numbers = iter([np.array(column, dtype=np.float64) for column in columns[2:]])
    curves = {}
    for metric in metrics:
        value, *bounds = [next(numbers) for _ in _columns(kind.metrics[metric], source)]
        low, high = bounds or (value, value)
        curves[metric] = Curve(value, low, high)
    qc = np.array(columns[1], dtype=np.int64) if raw else None
    return Rows(np.array(columns[0], dtype=np.int64), qc, curves)


def _columns(metric: Metric, source: Level) -> list[str]:
    """The value, and its bounds where there are any."""
    if source == "raw":
        return [metric.name]
    suffixes = {"gauge": ("avg", "min", "max"), "counter": ("last",), "sum": ("sum",), "state": ("last",)}
    return [f"{metric.name}_{suffix}" for suffix in suffixes[metric.rollup]]
