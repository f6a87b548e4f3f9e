"""Tables of a kind, from its declaration: created and extended (columns are added, never changed or dropped)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import psycopg
from psycopg import sql

from devices.kind import Kind, Metric
from storage import flavour as server
from storage.flavour import WEEK, Flavour

Level = Literal["raw", "5m", "1h", "1d"]
BUCKETS: tuple[Level, ...] = ("5m", "1h", "1d")
# How long the parts of a table are: what is kept 90 days, two years, ten years and for ever leaves in so large pieces.
STEPS: dict[Level, timedelta] = {"raw": WEEK, "5m": 4 * WEEK, "1h": 52 * WEEK, "1d": 52 * WEEK}
DAY = timedelta(days=1)

READING_COLUMNS: tuple[tuple[str, str], ...] = (
    ("device_id", 'text COLLATE "C" NOT NULL'),
    ("ts", "timestamptz NOT NULL"),
    ("received_at", "timestamptz NOT NULL"),
    ("seq", "bigint"),
    ("boot", "text"),
    ("fw", "text"),
    ("qc", "smallint NOT NULL"),
    ("qc_reason", "integer NOT NULL"),
)
ROLLUP_COLUMNS: tuple[tuple[str, str], ...] = (
    ("device_id", 'text COLLATE "C" NOT NULL'),
    ("bucket", "timestamptz NOT NULL"),
    ("n", "integer NOT NULL"),
    ("n_good", "integer NOT NULL"),
)
# Whole days of the devices taken together: grouping is one of the kind's, name '' where it has none.
GROUP_COLUMNS: tuple[tuple[str, str], ...] = (
    ("grouping", "text NOT NULL"),
    ("bucket", "timestamptz NOT NULL"),
    ("name", 'text COLLATE "C" NOT NULL'),
    ("devices", "integer NOT NULL"),
    ("n", "bigint NOT NULL"),
    ("n_good", "bigint NOT NULL"),
)
MAKE_GROUPS = "CREATE TABLE {} ({}, PRIMARY KEY (grouping, bucket, name))"
FORGET_GROUPS = "DELETE FROM {table} WHERE NOT grouping = ANY (%(groupings)s)"
# Each day has a line in every grouping, if only of those without a name: one that has none at all is new.
MARK_NEW_GROUPS = """
INSERT INTO group_mark (kind, day) SELECT %(kind)s, day FROM (SELECT DISTINCT bucket AS day FROM {days}) AS d
WHERE EXISTS (SELECT FROM unnest(%(groupings)s::text[]) AS g WHERE NOT EXISTS (SELECT FROM {table} WHERE grouping = g))
"""

COLUMNS_THERE = """
SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""


def reading_table(kind: Kind) -> str:
    return f"reading_{kind.name}"


def rollup_table(kind: Kind, bucket: str) -> str:
    return f"rollup_{kind.name}_{bucket}"


def rollup_columns(metric: Metric) -> list[str]:
    """Columns a rollup keeps of a metric; _w is the sum of weights, needed to average again."""
    suffixes = {
        "gauge": ["avg", "min", "max", "last", "w"],
        "counter": ["delta", "last"],
        "sum": ["sum"],
        "state": ["last"],
    }[metric.rollup]
    return [f"{metric.name}_{suffix}" for suffix in suffixes]


def group_table(kind: Kind) -> str:
    return f"group_{kind.name}_1d"


def group_columns(metric: Metric) -> list[str]:
    """Columns that a day of a group keeps of a metric; _total is the sum over devices of what each had on average."""
    suffixes = {"gauge": ["avg", "min", "max", "total", "w"], "counter": ["delta"], "sum": ["sum"], "state": []}
    return [f"{metric.name}_{suffix}" for suffix in suffixes[metric.rollup]]


def table_of(kind: Kind, level: Level) -> str:
    """Where a kind keeps its readings, or a rollup of them."""
    return reading_table(kind) if level == "raw" else rollup_table(kind, level)


def create(conn: psycopg.Connection[Any], kind: Kind, flavour: Flavour) -> list[str]:
    """Bring the tables of a kind to their declaration; returns what was created or added, for the log."""
    numbers = [(name, "double precision") for name in kind.numbers]
    done = _bring(conn, flavour, reading_table(kind), [*READING_COLUMNS, *numbers], "ts", STEPS["raw"])
    done += server.fit(conn, flavour, reading_table(kind), "ts", _readings_a_day(conn, kind))
    aggregates = [(c, "double precision") for m in kind.metrics.values() for c in rollup_columns(m)]
    columns = [*ROLLUP_COLUMNS, *aggregates]
    for bucket in BUCKETS:
        table = rollup_table(kind, bucket)
        done += _bring(conn, flavour, table, columns, "bucket", STEPS[bucket])
        done += server.fit(conn, flavour, table, "bucket", None)
    return done + _groups(conn, kind)


def _groups(conn: psycopg.Connection[Any], kind: Kind) -> list[str]:
    """The days of groups; where devices are grouped in a new way, every day is marked to be made."""
    table = group_table(kind)
    columns = [*GROUP_COLUMNS, *((c, "double precision") for m in kind.metrics.values() for c in group_columns(m))]
    there = {row[0] for row in conn.execute(COLUMNS_THERE, (table,))}
    if not there:
        conn.execute(sql.SQL(MAKE_GROUPS).format(sql.Identifier(table), _listed(columns)))
    done = _add(conn, table, columns, there) if there else [f"table {table}"]
    names = {"table": sql.Identifier(table), "days": sql.Identifier(rollup_table(kind, "1d"))}
    values = {"kind": kind.name, "groupings": list(kind.groupings)}
    conn.execute(sql.SQL(FORGET_GROUPS).format(**names), values)
    conn.execute(sql.SQL(MARK_NEW_GROUPS).format(**names), values)
    return done


def _readings_a_day(conn: psycopg.Connection[Any], kind: Kind) -> float:
    row = conn.execute("SELECT count(*) FROM device WHERE kind = %s", (kind.name,)).fetchone()
    return (row[0] if row else 0) * DAY.total_seconds() / kind.interval_s


def _bring(
    conn: psycopg.Connection[Any],
    flavour: Flavour,
    table: str,
    columns: list[tuple[str, str]],
    time: str,
    step: timedelta,
) -> list[str]:
    there = {row[0] for row in conn.execute(COLUMNS_THERE, (table,))}
    if not there:
        _make(conn, flavour, table, columns, time, step)
        return [f"table {table}"]
    done = []
    if not server.in_parts(conn, flavour, table):
        server.into_parts(conn, flavour, table, time, step)
        done.append(f"parts of {table}")
    return done + _add(conn, table, columns, there)


def _add(conn: psycopg.Connection[Any], table: str, columns: list[tuple[str, str]], there: set[str]) -> list[str]:
    added = [c for c in columns if c[0] not in there]
    for column in added:
        conn.execute(sql.SQL("ALTER TABLE {} ADD COLUMN {}").format(sql.Identifier(table), _column(column)))
    return [f"column {table}.{column[0]}" for column in added]


def _make(
    conn: psycopg.Connection[Any],
    flavour: Flavour,
    table: str,
    columns: list[tuple[str, str]],
    time: str,
    step: timedelta,
) -> None:
    conn.execute(
        sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY (device_id, {})) {}").format(
            sql.Identifier(table), _listed(columns), sql.Identifier(time), server.partitioning(flavour, time)
        )
    )
    if flavour.has_hypertables:
        server.make_hypertable(conn, table, time, step)


def _listed(columns: list[tuple[str, str]]) -> sql.Composed:
    return sql.SQL(", ").join(_column(c) for c in columns)


def _column(column: tuple[str, str]) -> sql.Composed:
    return sql.SQL("{} {}").format(sql.Identifier(column[0]), sql.SQL(column[1]))
