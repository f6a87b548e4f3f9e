"""Rollups aggregated again into larger buckets; averages by their weights, so that every reading counts alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import psycopg
from psycopg import sql

from devices.kind import Kind, Rollup
from storage.copy_binary import array, times
from storage.kind_tables import Level, rollup_table

# What can be asked of a metric that rolls up in this way.
AGGREGATES: dict[Rollup, tuple[str, ...]] = {
    "gauge": ("avg", "min", "max", "last"),
    "counter": ("last", "delta"),
    "sum": ("sum",),
    "state": ("last",),
}
EXPRESSIONS = {
    "avg": "sum({m_avg} * {m_w}) / nullif(sum({m_w}), 0)",
    "min": "min({m_min})",
    "max": "max({m_max})",
    "last": "(array_agg({m_last} ORDER BY bucket DESC) FILTER (WHERE {m_last} IS NOT NULL))[1]",
    "sum": "sum({m_sum})",
    "delta": "sum({m_delta})",
}


class Slice(NamedTuple):
    """Rollup rows with since <= bucket < until, but not those within [but_since, but_until)."""

    rollup: Level
    since: datetime
    until: datetime
    but_since: datetime | None = None
    but_until: datetime | None = None


class Row(NamedTuple):
    """bucket is the 1-based number of the start; content a JSON object: n, good and the metrics."""

    device_id: str
    bucket: int
    content: str


async def aggregate(
    conn: psycopg.AsyncConnection[Any],
    kind: Kind,
    devices: Sequence[str],
    wanted: Mapping[str, Sequence[str]],
    slices: Sequence[Slice],
    starts: Sequence[datetime],
) -> list[Row]:
    """Aggregates (metric → names) of the slices by device and bucket, in order. starts: where buckets begin, rising."""
    parts = sql.SQL(" UNION ALL ").join(_slice(kind, wanted, s) for s in slices)
    objects = [
        sql.SQL(", {}, json_build_object({})").format(
            sql.Literal(metric),
            sql.SQL(", ").join(sql.SQL("{}, {}").format(sql.Literal(name), _aggregate(metric, name)) for name in names),
        )
        for metric, names in wanted.items()
    ]
    query = sql.SQL(
        "SELECT device_id, width_bucket(bucket, %(starts)s::timestamptz[]) AS number,"
        " json_build_object('n', sum(n), 'good', sum(n_good) {objects})::text"
        " FROM ({parts}) AS rolled GROUP BY 1, 2 ORDER BY 1, 2"
    ).format(objects=sql.SQL("").join(objects), parts=parts)
    cursor = await conn.execute(query, {"starts": starts_array(starts), "devices": list(devices)})
    return [Row(*row) for row in await cursor.fetchall()]


def starts_array(starts: Sequence[datetime]) -> Any:
    """A parameter of thousands of times: as a list of datetimes it would take longer than the query."""
    return array(times(np.array([at.timestamp() for at in starts]).astype(np.int64) * 1_000_000), "timestamptz")


def _aggregate(metric: str, name: str) -> sql.Composed:
    fields = {f"m_{suffix}": sql.Identifier(f"{metric}_{suffix}") for suffix in (*EXPRESSIONS, "w")}
    return sql.SQL(EXPRESSIONS[name]).format(**fields)


def _slice(kind: Kind, wanted: Mapping[str, Sequence[str]], part: Slice) -> sql.Composed:
    names = ["device_id", "bucket", "n", "n_good"]
    for metric, aggregates in wanted.items():
        names += [f"{metric}_{name}" for name in aggregates]
        if "avg" in aggregates:
            names.append(f"{metric}_w")
    without: sql.Composable = sql.SQL("")
    if part.but_since is not None and part.but_until is not None:
        without = sql.SQL(" AND NOT (bucket >= {} AND bucket < {})").format(
            sql.Literal(part.but_since), sql.Literal(part.but_until)
        )
    return sql.SQL(
        "SELECT {names} FROM {table} WHERE device_id = ANY (%(devices)s) AND bucket >= {since} AND bucket < {until}"
        "{without}"
    ).format(
        names=sql.SQL(", ").join(map(sql.Identifier, names)),
        table=sql.Identifier(rollup_table(kind, part.rollup)),
        since=sql.Literal(part.since),
        until=sql.Literal(part.until),
        without=without,
    )
