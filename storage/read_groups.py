"""Aggregates of devices taken together, by group and bucket: from the days that are kept, else from device rollups.

One statement, so one moment: days that are marked (storage/groups.py) are added up from the rollups in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from devices.kind import Kind, Rollup
from storage import group_sql
from storage.kind_tables import STEPS, group_table, rollup_table
from storage.read_metrics import Slice, starts_array
from storage.wiring import PLACES

# What can be asked of a metric of a group. Which device's value would be the last one?
AGGREGATES: dict[Rollup, tuple[str, ...]] = {
    "gauge": ("avg", "min", "max", "total"),
    "counter": ("delta",),
    "sum": ("sum",),
    "state": (),
}
NEEDS = {"avg": ("avg", "w"), "total": ("avg", "w", "total")}
COUNTS = ("devices", "n", "n_good")
OWN_COUNTS = ("n", "n_good")

SIZE = """
SELECT count(DISTINCT d.id), count(DISTINCT {name}),
    (SELECT count(DISTINCT day) FROM group_mark WHERE kind = %(kind)s AND day >= %(since)s AND day < %(until)s)
FROM {places} AS d WHERE d.since < %(until)s AND d.until > %(since)s AND {conditions}
"""
# Where little of a partition is read, by one walk over the key of each device: OFFSET 0 keeps it so.
ROWS = """
SELECT d.id, {number} AS number, {name} AS name, {columns} FROM {places} AS d
CROSS JOIN LATERAL (
    SELECT * FROM {rollup} AS r
    WHERE r.device_id = d.id AND r.bucket >= {since} AND r.bucket < {until}
      AND r.bucket >= d.since AND r.bucket < d.until {only} {walk}
) AS r
WHERE {conditions}
"""
MARKED = sql.SQL("AND r.bucket = ANY (ARRAY(SELECT day FROM marked))")
BUT = sql.SQL("AND NOT (r.bucket >= {} AND r.bucket < {})")
BY_DEVICE = "SELECT number, name, {sums} FROM ({rows}) AS r GROUP BY id, number, name"
KEPT = """
UNION ALL
SELECT {number} AS number, {name} AS name, {columns} FROM {groups}
WHERE grouping = {grouping} AND bucket >= %(since)s AND bucket < %(until)s {only}
  AND NOT bucket = ANY (ARRAY(SELECT day FROM marked))
"""
OF_DAYS = """
SELECT width_bucket((%(steps)s::timestamptz[])[number], %(buckets)s::timestamptz[]) AS number, name, {}
FROM of_group GROUP BY 1, 2
"""
QUERY = """
WITH marked AS MATERIALIZED (
    SELECT DISTINCT day FROM group_mark WHERE kind = %(kind)s AND day >= %(since)s AND day < %(until)s
), of_device AS ({of_device}), of_group AS (
    SELECT number, name, {of_group} FROM of_device GROUP BY number, name {kept}
), of_bucket AS ({of_bucket})
SELECT name, number, json_build_object('devices', devices, 'n', n, 'good', n_good {objects})::text
FROM of_bucket ORDER BY name, number
"""
NUMBER = sql.SQL("width_bucket(bucket, %(steps)s::timestamptz[])")
DAY = timedelta(days=1)


class Asked(NamedTuple):
    """How devices are taken together, which of them (in these groups; of these ids), and what is wanted of them."""

    grouping: str
    where: Mapping[str, str]
    devices: Sequence[str] | None
    wanted: Mapping[str, Sequence[str]]

    def kept_as(self) -> tuple[str, str | None] | None:
        """Grouping and name under which whole days of this are kept; name None is all, None is nowhere."""
        if self.devices is not None or len(self.where) > 1:
            return None
        for grouping, name in self.where.items():
            return (grouping, name) if self.grouping in ("all", grouping) else None
        return self.grouping, None


class Steps(NamedTuple):
    """Rollup rows by step, steps by bucket. A step is a bucket, or a day of it where that is a month; starts rise.

    size is that of a step, where a rollup has it too.
    """

    slices: Sequence[Slice]
    steps: Sequence[datetime]
    buckets: Sequence[datetime]
    size: str

    @property
    def whole(self) -> bool:
        """Each row of the first slice is a step of its device already."""
        return self.slices[0].rollup == self.size

    def kept(self) -> Slice | None:
        """What can be read from the days that are kept."""
        first = self.slices[0]
        return first if self.whole and self.size == "1d" else None


class Size(NamedTuple):
    """How many devices and groups an answer is about, and how many of the days that are kept are marked."""

    devices: int
    groups: int
    marked: int


class Row(NamedTuple):
    """bucket is the 1-based number of the start; content a JSON object: devices, n, good and the metrics."""

    name: str
    bucket: int
    content: str


async def size(conn: psycopg.AsyncConnection[Any], kind: Kind, asked: Asked, since: datetime, until: datetime) -> Size:
    query = sql.SQL(SIZE).format(
        places=sql.SQL(PLACES),
        name=group_sql.name_of(asked.grouping),
        conditions=group_sql.is_in(asked.where, asked.devices),
    )
    values = {"kind": kind.name, "devices": asked.devices, "since": since, "until": until}
    row = await (await conn.execute(query, values)).fetchone()
    assert row is not None
    return Size(*row)


async def aggregate(
    conn: psycopg.AsyncConnection[Any], kind: Kind, asked: Asked, plan: Steps, marked: int | None
) -> list[Row]:
    """Aggregates by group and bucket, in order. marked: about how many days are; None to use nothing that is kept."""
    kept = plan.kept() if asked.kept_as() and marked is not None else None
    columns = {
        metric: list(dict.fromkeys(suffix for name in names for suffix in NEEDS.get(name, (name,))))
        for metric, names in asked.wanted.items()
    }
    query = sql.SQL(QUERY).format(
        of_device=sql.SQL(" UNION ALL ").join(_of_device(kind, asked, plan, columns, marked if kept else None)),
        of_group=group_sql.added(columns, group_sql.OF_GROUP, COUNTS),
        kept=_kept(kind, asked, kept, columns) if kept else sql.SQL(""),
        of_bucket=_of_bucket(plan, columns),
        objects=_objects(asked.wanted),
    )
    values = {
        "kind": kind.name, "devices": asked.devices,
        "steps": starts_array(plan.steps), "buckets": starts_array(plan.buckets),
        "since": kept and kept.since, "until": kept and kept.until,
    }  # fmt: skip
    # Unprepared, so that the planner sees which partitions matter.
    cursor = await conn.execute(query, values, prepare=False)
    return [Row(*row) for row in await cursor.fetchall()]


def _of_device(
    kind: Kind, asked: Asked, plan: Steps, columns: group_sql.Columns, marked: int | None
) -> Iterator[sql.Composed]:
    """A row for each device and step; of the first slice only marked days where others are kept."""
    own = {metric: [suffix for suffix in suffixes if suffix != "total"] for metric, suffixes in columns.items()}
    listed = group_sql.named(own, OWN_COUNTS)
    slices = list(plan.slices)
    if plan.whole:
        rows = _rows(kind, asked, slices.pop(0), listed, marked)
        yield sql.SQL("SELECT number, name, {} FROM ({}) AS r").format(listed, rows)
    if slices:
        rows = sql.SQL(" UNION ALL ").join(_rows(kind, asked, part, listed, None) for part in slices)
        yield sql.SQL(BY_DEVICE).format(sums=group_sql.added(own, group_sql.OF_DEVICE, OWN_COUNTS), rows=rows)


def _rows(kind: Kind, asked: Asked, part: Slice, listed: sql.Composed, marked: int | None) -> sql.Composed:
    partition = STEPS[part.rollup]
    read = part.until - part.since if marked is None else marked * DAY
    only: list[sql.Composable] = [] if marked is None else [MARKED]
    if part.but_since is not None:
        only.append(BUT.format(sql.Literal(part.but_since), sql.Literal(part.but_until)))
    return sql.SQL(ROWS).format(
        places=sql.SQL(PLACES),
        number=NUMBER,
        name=group_sql.name_of(asked.grouping),
        columns=listed,
        rollup=sql.Identifier(rollup_table(kind, part.rollup)),
        since=sql.Literal(part.since),
        until=sql.Literal(part.until),
        only=sql.SQL(" ").join(only),
        walk=sql.SQL("OFFSET 0" if read < partition / 10 else ""),
        conditions=group_sql.is_in(asked.where, asked.devices),
    )


def _kept(kind: Kind, asked: Asked, part: Slice, columns: group_sql.Columns) -> sql.Composed:
    kept_as = asked.kept_as()
    assert kept_as is not None
    grouping, name = kept_as
    return sql.SQL(KEPT).format(
        number=NUMBER,
        name=sql.SQL("''") if asked.grouping == "all" else sql.SQL("name"),
        columns=group_sql.named(columns, COUNTS),
        groups=sql.Identifier(group_table(kind)),
        grouping=sql.Literal(grouping),
        only=sql.SQL("" if name is None else "AND name = {}").format(sql.Literal(name)),
    )


def _of_bucket(plan: Steps, columns: group_sql.Columns) -> sql.Composed:
    if plan.steps == plan.buckets:
        return sql.SQL("SELECT * FROM of_group").format()
    return sql.SQL(OF_DAYS).format(group_sql.added(columns, group_sql.OF_DAYS, COUNTS))


def _objects(wanted: Mapping[str, Sequence[str]]) -> sql.Composed:
    objects = []
    for metric, names in wanted.items():
        pairs = [sql.SQL("{}, {}").format(sql.Literal(n), sql.Identifier(f"{metric}_{n}")) for n in names]
        objects.append(sql.SQL(", {}, json_build_object({})").format(sql.Literal(metric), sql.SQL(", ").join(pairs)))
    return sql.SQL("").join(objects)
