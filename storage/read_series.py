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
# A column is sent as one value, in the order of the rows: 8,640 tuples of 30 days cost more than reading them.
ROWS = """
SELECT {time} AS at, {qc} AS qc, {columns} FROM {table}
WHERE device_id = %(device)s AND {time} >= %(since)s AND {time} < %(until)s {good} ORDER BY {time} LIMIT %(limit)s
"""
READ = """
SELECT count(*), string_agg(int8send((extract(epoch FROM at) * 1000)::int8), ''), string_agg(int2send(qc), ''),
    {packed} FROM ({rows}) AS r
"""
PACKED = "string_agg(float8send(coalesce({}::float8, 'NaN')), '')"
# Sent by the database in the order of the network.
INT8, INT2, FLOAT8 = np.dtype(">i8"), np.dtype(">i2"), np.dtype(">f8")


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
    rows = sql.SQL(ROWS).format(
        time=sql.Identifier("ts" if raw else "bucket"),
        qc=sql.SQL("qc::int2" if raw else "0::int2"),
        columns=sql.SQL(", ").join(map(sql.Identifier, names)),
        table=sql.Identifier(table_of(kind, source)),
        good=sql.SQL("AND qc <= {}").format(int(Quality.NOT_EVALUATED)) if raw and good else sql.SQL(""),
    )
    packed = sql.SQL(", ").join(
        sql.SQL("string_agg(float8send(coalesce({}::float8, 'NaN')), '')").format(sql.Identifier(name))
        for name in names
    )
    values = {"device": device_id, "since": since, "until": until, "limit": None if limit is None else limit + 1}
    async with conn.cursor(binary=True) as cursor:
        await cursor.execute(sql.SQL(READ).format(packed=packed, rows=rows), values)
        found = await cursor.fetchone()
    assert found is not None
    number, at_ms, flags, *columns = found
    if limit is not None and number > limit:
        return None
    numbers = iter([_unpack(column, FLOAT8, np.float64) for column in columns])
    curves = {}
    for metric in metrics:
        value, *bounds = [next(numbers) for _ in _columns(kind.metrics[metric], source)]
        low, high = bounds or (value, value)
        curves[metric] = Curve(value, low, high)
    return Rows(_unpack(at_ms, INT8, np.int64), _unpack(flags, INT2, np.int64) if raw else None, curves)


def _unpack(sent: bytes | None, dtype: np.dtype[Any], wanted: type[Any]) -> npt.NDArray[Any]:
    """A column that string_agg made one value of; null is one without rows."""
    return np.frombuffer(sent or b"", dtype).astype(wanted)


def _columns(metric: Metric, source: Level) -> list[str]:
    """The value, and its bounds where there are any."""
    if source == "raw":
        return [metric.name]
    suffixes = {"gauge": ("avg", "min", "max"), "counter": ("last",), "sum": ("sum",), "state": ("last",)}
    return [f"{metric.name}_{suffix}" for suffix in suffixes[metric.rollup]]
