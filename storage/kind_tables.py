"""Tables of a kind, from its declaration: created and extended (columns are added, never changed or dropped)."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from devices.kind import Kind, Metric
from storage import flavour as server
from storage.flavour import Flavour

BUCKETS = ("5m", "1h", "1d")

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


def create(conn: psycopg.Connection[Any], kind: Kind, flavour: Flavour) -> list[str]:
    """Bring the tables of a kind to their declaration; returns what was created or added, for the log."""
    done = []
    numbers = [(name, "double precision") for name in kind.numbers]
    made = _bring(
        conn, reading_table(kind), [*READING_COLUMNS, *numbers], "device_id, ts", server.partitioning(flavour)
    )
    if made and flavour.has_hypertables:
        server.make_hypertable(conn, reading_table(kind))
    done += made
    aggregates = [(c, "double precision") for m in kind.metrics.values() for c in rollup_columns(m)]
    for bucket in BUCKETS:
        done += _bring(
            conn, rollup_table(kind, bucket), [*ROLLUP_COLUMNS, *aggregates], "device_id, bucket", sql.SQL("")
        )
    return done


def _bring(
    conn: psycopg.Connection[Any], table: str, columns: list[tuple[str, str]], key: str, tail: sql.SQL
) -> list[str]:
    name = sql.Identifier(table)
    there = {
        row[0]
        for row in conn.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
            (table,),
        )
    }
    if not there:
        listed = sql.SQL(", ").join(_column(c) for c in columns)
        conn.execute(sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY ({})) {}").format(name, listed, sql.SQL(key), tail))
        return [f"table {table}"]
    added = [c for c in columns if c[0] not in there]
    for column in added:
        conn.execute(sql.SQL("ALTER TABLE {} ADD COLUMN {}").format(name, _column(column)))
    return [f"column {table}.{column[0]}" for column in added]


def _column(column: tuple[str, str]) -> sql.Composed:
    return sql.SQL("{} {}").format(sql.Identifier(column[0]), sql.SQL(column[1]))
