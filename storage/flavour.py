"""What the database server offers, and the statements that differ because of it. Nothing else knows.

Readings and rollups lie in parts, by time: chunks of a hypertable with TimescaleDB, else native range partitions. Only
the community licence has a columnstore. Rollups are our own everywhere: docs/decisions/0030-rollups-everywhere.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

WEEK = timedelta(days=7)
# A Monday, as PostgreSQL's date_trunc('week') and people have it.
_ORIGIN = datetime(2000, 1, 3, tzinfo=UTC)
# The indexes of the newest chunk should stay in memory: about 40 bytes a row, 1 GB at most.
CHUNK_ROWS = 25_000_000
CHUNK_STEPS = (WEEK, timedelta(days=1), timedelta(hours=6))
# Late data still come in for some days, and what is compressed must be taken apart to change it.
COLUMNSTORE_AFTER = WEEK
COLUMNSTORE_SINCE = (2, 18)

# Readings kept in native partitions stay there, even where the server has learnt TimescaleDB since.
PARTITIONED = """
EXISTS (SELECT FROM pg_class WHERE relkind = 'p' AND relname LIKE 'reading\\_%' AND pg_table_is_visible(oid))
"""
# Loaded, and not only installed: its loader defines this setting. shared_preload_libraries itself only superusers see.
TIMESCALE_OFFERED = f"""
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
   AND current_setting('timescaledb.disable_load', true) IS NOT NULL AND NOT {PARTITIONED}
"""
CURRENT = f"""
SELECT CASE WHEN {PARTITIONED} OR NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN ''
            ELSE coalesce(current_setting('timescaledb.license', true), 'apache') END
"""
VERSION = "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
MAKE_HYPERTABLE = """
SELECT create_hypertable(%s::regclass, by_range(%s, %s), create_default_indexes => false, migrate_data => true)
"""
CHUNK_STEP = "SELECT time_interval FROM timescaledb_information.dimensions WHERE hypertable_name = %s"
SET_CHUNK_STEP = "SELECT set_chunk_time_interval(%s::regclass, %s)"
HAS_COLUMNSTORE = """
SELECT EXISTS (SELECT FROM timescaledb_information.jobs WHERE hypertable_name = %s AND proc_name = 'policy_compression')
"""
ENABLE_COLUMNSTORE = """
ALTER TABLE {table}
SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'device_id', timescaledb.orderby = {by})
"""
ADD_COLUMNSTORE = "CALL add_columnstore_policy({table}, after => {after}, if_not_exists => true)"

# A partition is locked by its name: of two writers that need it, the second finds it made.
LOCK_NAME = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
MISSING = "SELECT relkind = 'p' AND to_regclass(%s) IS NULL FROM pg_class WHERE oid = to_regclass(%s)"

PARTITIONS = """
SELECT c.oid::regclass::text, b[1]::timestamptz, b[2]::timestamptz
  FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid,
       regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM \\('(.+)'\\) TO \\('(.+)'\\)$$) AS b
 WHERE inhparent = to_regclass(%s) ORDER BY 2
"""
CHUNKS = """
SELECT format('%%I.%%I', chunk_schema, chunk_name), range_start, range_end FROM timescaledb_information.chunks
 WHERE hypertable_name = %s AND hypertable_schema = current_schema ORDER BY range_start
"""
DROP_CHUNK = "SELECT drop_chunks(%s::regclass, older_than => %s, newer_than => %s)"
SIZE_OF_PARTITIONS = "SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::int8 FROM pg_partition_tree(%s::regclass)"
SIZE_OF_HYPERTABLE = "SELECT coalesce(hypertable_size(%s::regclass), 0)"
POLICIES = """
SELECT hypertable_name, application_name, schedule_interval, next_start FROM timescaledb_information.jobs
 WHERE hypertable_schema = current_schema ORDER BY 1, 2
"""
FAILING = """
SELECT j.hypertable_name, j.application_name, s.last_run_started_at FROM timescaledb_information.job_stats AS s
JOIN timescaledb_information.jobs AS j USING (job_id)
 WHERE j.hypertable_schema = current_schema AND s.last_run_status = 'Failed' ORDER BY 1, 2
"""
# What an operator is told of them.
MEND_JOB = "See timescaledb_information.job_errors, mend it, and run it again: CALL run_job(…)."


class Flavour(StrEnum):
    """Chosen once, at the first `siaga migrate`."""

    PLAIN = "plain PostgreSQL"
    TIMESCALE_APACHE = "TimescaleDB (Apache licence)"
    TIMESCALE_COMMUNITY = "TimescaleDB (community licence)"

    @property
    def has_hypertables(self) -> bool:
        return self is not Flavour.PLAIN


class Part(NamedTuple):
    """A partition or chunk: what it is called where a table is, and since <= time < until of its rows."""

    name: str
    since: datetime
    until: datetime


class Policy(NamedTuple):
    """A job that TimescaleDB runs by itself; next_run is None while it has none planned."""

    table: str
    what: str
    every: timedelta
    next_run: datetime | None


class Failing(NamedTuple):
    """A job that TimescaleDB runs by itself and that failed when it last ran."""

    table: str
    what: str
    ran_at: datetime


def choose(conn: psycopg.Connection[Any]) -> Flavour:
    """Create the extension where the server offers it, and say what there is then."""
    row = conn.execute(TIMESCALE_OFFERED.encode()).fetchone()
    if row and row[0]:
        conn.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    return current(conn)


def current(conn: psycopg.Connection[Any]) -> Flavour:
    return _of_licence(conn.execute(CURRENT.encode()).fetchone())


async def current_async(conn: psycopg.AsyncConnection[Any]) -> Flavour:
    return _of_licence(await (await conn.execute(CURRENT.encode())).fetchone())


def _of_licence(row: tuple[Any, ...] | None) -> Flavour:
    licence = row[0] if row else ""
    if not licence:
        return Flavour.PLAIN
    return Flavour.TIMESCALE_COMMUNITY if licence == "timescale" else Flavour.TIMESCALE_APACHE


def start_of(ts: datetime, step: timedelta) -> datetime:
    """Start of the partition that holds this time, where they are `step` long."""
    return _ORIGIN + (ts - _ORIGIN) // step * step


def partitioning(flavour: Flavour, column: str) -> sql.Composed:
    """What follows the column list of a table that lies in parts."""
    tail = sql.SQL("" if flavour.has_hypertables else "PARTITION BY RANGE ({})")
    return tail.format(sql.Identifier(column))


def in_parts(conn: psycopg.Connection[Any], flavour: Flavour, table: str) -> bool:
    """Whether a table lies in parts; rollups of a schema before 0006 do not."""
    query = (
        "SELECT EXISTS (SELECT FROM timescaledb_information.hypertables WHERE hypertable_name = %s)"
        if flavour.has_hypertables
        else "SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass(%s)"
    )
    row = conn.execute(query.encode(), (table,)).fetchone()
    return bool(row and row[0])


def make_hypertable(conn: psycopg.Connection[Any], table: str, column: str, step: timedelta) -> None:
    conn.execute(MAKE_HYPERTABLE, (table, column, step))


def into_parts(conn: psycopg.Connection[Any], flavour: Flavour, table: str, column: str, step: timedelta) -> None:
    """Move the rows of a table that is one piece into parts; inside the caller's transaction, which locks it."""
    if flavour.has_hypertables:
        make_hypertable(conn, table, column, step)
        return
    whole, before, key = sql.Identifier(table), sql.Identifier(f"{table}_before"), sql.Identifier(column)
    conn.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(whole, before))
    conn.execute(sql.SQL("CREATE TABLE {} (LIKE {}) PARTITION BY RANGE ({})").format(whole, before, key))
    days = conn.execute(sql.SQL("SELECT DISTINCT date_trunc('day', {}, 'UTC') FROM {}").format(key, before)).fetchall()
    for start in sorted({start_of(day, step) for (day,) in days}):
        name, bounds = sql.Identifier(f"{table}_p{start:%Y%m%d}"), (start.isoformat(), (start + step).isoformat())
        conn.execute(
            sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                name, whole, *map(sql.Literal, bounds)
            )
        )
    conn.execute(sql.SQL("INSERT INTO {} SELECT * FROM {}").format(whole, before))
    conn.execute(sql.SQL("DROP TABLE {}").format(before))
    conn.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY (device_id, {})").format(whole, key))


def fit(
    conn: psycopg.Connection[Any], flavour: Flavour, table: str, column: str, rows_a_day: float | None
) -> list[str]:
    """Let TimescaleDB's next chunks hold what memory can, and the old ones be compressed; says what has changed.

    rows_a_day is what is expected, None where chunks have a fixed length. Without hypertables there is nothing to do.
    """
    done = []
    if flavour.has_hypertables and rows_a_day is not None:
        row = conn.execute(CHUNK_STEP, (table,)).fetchone()
        step = chunk_step(rows_a_day)
        if row is None or row[0] != step:
            conn.execute(SET_CHUNK_STEP, (table, step))
            done.append(f"chunks of {step} in {table}")
    if flavour is Flavour.TIMESCALE_COMMUNITY and _has_columnstore(conn) and not _yes(conn, HAS_COLUMNSTORE, table):
        name = sql.Identifier(table)
        conn.execute(sql.SQL(ENABLE_COLUMNSTORE).format(table=name, by=sql.Literal(column)))
        conn.execute(sql.SQL(ADD_COLUMNSTORE).format(table=sql.Literal(table), after=sql.Literal(COLUMNSTORE_AFTER)))
        done.append(f"columnstore of {table}, {COLUMNSTORE_AFTER.days} days behind")
    return done


def chunk_step(rows_a_day: float) -> timedelta:
    """The longest chunk that CHUNK_ROWS allow; retention counts in weeks, so no longer than one."""
    fitting = (step for step in CHUNK_STEPS if rows_a_day * (step / timedelta(days=1)) <= CHUNK_ROWS)
    return next(fitting, CHUNK_STEPS[-1])


def _has_columnstore(conn: psycopg.Connection[Any]) -> bool:
    row = conn.execute(VERSION).fetchone()
    return row is not None and tuple(int(part) for part in row[0].split(".")[:2]) >= COLUMNSTORE_SINCE


async def make_partitions(
    conn: psycopg.AsyncConnection[Any], table: str, starts: Iterable[datetime], step: timedelta
) -> None:
    """Make the partitions that begin then unless they are there; a hypertable makes its chunks itself.

    ATTACH locks the parent less than PARTITION OF does.
    """
    for start in sorted(starts):
        name = f"{table}_p{start:%Y%m%d}"
        if not await _missing(conn, name, table):
            continue
        async with conn.transaction():
            await conn.execute(LOCK_NAME, (name,))
            if not await _missing(conn, name, table):
                continue
            parent, part = sql.Identifier(table), sql.Identifier(name)
            await conn.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(part, parent))
            await conn.execute(
                sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                    parent, part, sql.Literal(start.isoformat()), sql.Literal((start + step).isoformat())
                )
            )


async def parts(conn: psycopg.AsyncConnection[Any], flavour: Flavour, table: str) -> list[Part]:
    """The parts of a table, oldest first."""
    query = CHUNKS if flavour.has_hypertables else PARTITIONS
    return [Part(*row) async for row in await conn.execute(query.encode(), (table,))]


async def drop_part(conn: psycopg.AsyncConnection[Any], flavour: Flavour, table: str, part: Part) -> None:
    """Drop a part with all its rows."""
    if flavour.has_hypertables:
        await conn.execute(DROP_CHUNK, (table, part.until, part.since))
    else:
        # The name is as regclass prints it: quoted where it must be.
        await conn.execute(f"DROP TABLE {part.name}".encode())


async def size_of(conn: psycopg.AsyncConnection[Any], flavour: Flavour, table: str) -> int:
    """Bytes of a table on disk, with its indexes and all its parts, compressed or not."""
    query = SIZE_OF_HYPERTABLE if flavour.has_hypertables else SIZE_OF_PARTITIONS
    row = await (await conn.execute(query.encode(), (table,))).fetchone()
    return int(row[0]) if row else 0


async def policies(conn: psycopg.AsyncConnection[Any], flavour: Flavour) -> list[Policy]:
    """What TimescaleDB does by itself in this database."""
    if not flavour.has_hypertables:
        return []
    return [Policy(*row) async for row in await conn.execute(POLICIES)]


def failing(conn: psycopg.Connection[Any], flavour: Flavour) -> list[Failing]:
    """Its jobs whose last run did not succeed."""
    return [Failing(*row) for row in conn.execute(FAILING)] if flavour.has_hypertables else []


def _yes(conn: psycopg.Connection[Any], query: str, *values: Any) -> bool:
    row = conn.execute(query.encode(), values).fetchone()
    return bool(row and row[0])


async def _missing(conn: psycopg.AsyncConnection[Any], name: str, table: str) -> bool:
    row = await (await conn.execute(MISSING, (name, table))).fetchone()
    return bool(row and row[0])
