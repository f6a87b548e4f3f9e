"""`siaga storage move`: readings and rollups of a plain database into hypertables of TimescaleDB, in the same database.

Promise: nothing is lost. Ingest must have been stopped; started again it waits, as the worker does, and whoever reads
goes on. The old tables go when every row has been counted in the new ones. Killed in the middle it leaves the tables as
they were, and is simply run again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from devices.kinds import KINDS
from storage import backup, flavour, ingest_session, rollup, scope
from storage.connect import connect
from storage.flavour import Flavour
from storage.kind_tables import STEPS
from storage.migrate import LOCK_POLL_S, TRY_LOCK, migrate, newest_revision, revision

# Also tables of kinds that are declared no longer: as long as one is partitioned, the database is a plain one.
TABLES = """
SELECT c.relname, a.attname
  FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0]
 WHERE c.relname ~ '^(reading|rollup)_' AND pg_table_is_visible(c.oid) ORDER BY 1
"""
LEFT = "SELECT relname FROM pg_class WHERE relname ~ %s AND relkind IN ('r', 'p') AND pg_table_is_visible(oid)"
# Reading goes on. Whoever writes waits at the table itself, so its partitions need no locks of their own.
KEEP_WRITERS_OUT = "LOCK TABLE ONLY {} IN SHARE MODE"
KEEP_EVERYBODY_OUT = "LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE"
COUNT = "SELECT count(*) FROM {table} WHERE {by} >= {since} AND {by} < {until}"
COPY = "INSERT INTO {new} SELECT * FROM {table} WHERE {by} >= {since} AND {by} < {until}"
# Names that a table has before it takes its place, and when it has left it.
NEW, OLD = "moving_", "moved_"
# Short, because everybody else waits behind us while we wait.
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"
LOCK_PATIENCE_S = 300.0

Log = Callable[[str], None]


class MoveError(Exception):
    """The database cannot be moved; nothing has changed. The message says why and what to do."""


class Table(NamedTuple):
    """A partitioned table, the column of its times, its parts with their rows, oldest first."""

    name: str
    by: str
    parts: Sequence[tuple[flavour.Part, int]]

    @property
    def rows(self) -> int:
        return sum(rows for _, rows in self.parts)

    @property
    def step(self) -> timedelta:
        return next((step for level, step in STEPS.items() if self.name.endswith(f"_{level}")), STEPS["raw"])

    @property
    def rows_a_day(self) -> float | None:
        """Of its fullest part; None of rollups, whose chunks are as long as their parts were."""
        if self.name.startswith("rollup_"):
            return None
        return max((rows for _, rows in self.parts), default=0) / (self.step / timedelta(days=1))


def move(database_url: str, log: Log, dry_run: bool = False) -> None:
    """Move; one line to `log` per part. Raises MoveError where it cannot be, psycopg.Error when the server refuses.

    Needs as much free disk as the readings and rollups take. With dry_run it only says what it would do.
    """
    with connect(database_url, "move") as conn:
        if not conn.execute(TABLES).fetchall():
            _drop_left(conn, OLD, log)
            log(f"nothing to move: this is {flavour.current(conn).value}")
            return
        _refuse(conn)
        if dry_run:
            for table in (tables := _tables(conn)):
                log(f"{table.name}: {table.rows:,} rows in {len(table.parts)} parts")
            log(f"would move {sum(table.rows for table in tables):,} rows to TimescaleDB; nothing was done")
            return
        conn.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    # New connections: TimescaleDB is loaded when a session begins.
    with connect(database_url, "move") as conn, connect(database_url, "move lock") as holder:
        _drop_left(conn, NEW, log)
        with _writers_kept_out(holder):
            tables = _tables(conn)
            _copy(conn, tables, log)
            _swap(holder, tables)
        log("the hypertables are in place")
        _drop_left(conn, OLD, log)
    # What hypertables have beside: columnstore and its policy, where the licence has them.
    migrate(database_url, log)


def _refuse(conn: psycopg.Connection[Any]) -> None:
    """Raise MoveError unless the move can begin."""
    if not backup.timescale_versions(conn):
        raise MoveError(
            "this server has no TimescaleDB: install it and set shared_preload_libraries = 'timescaledb'. To move to "
            "another server, `siaga backup` here, `siaga restore` there, and `siaga storage move` there"
        )
    if (here := revision(conn)) != newest_revision():
        raise MoveError(f"the database has schema {here}, this version of Siaga {newest_revision()}: run siaga migrate")


def _tables(conn: psycopg.Connection[Any]) -> list[Table]:
    return [Table(name, by, list(_parts(conn, name, by))) for name, by in conn.execute(TABLES).fetchall()]


def _parts(conn: psycopg.Connection[Any], name: str, by: str) -> Iterator[tuple[flavour.Part, int]]:
    for row in conn.execute(flavour.PARTITIONS.encode(), (name,)).fetchall():
        part = flavour.Part(*row)
        yield part, _count(conn, name, by, part)


def _count(conn: psycopg.Connection[Any], name: str, by: str, part: flavour.Part) -> int:
    row = conn.execute(_with_part(COUNT, part, by, table=name)).fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def _writers_kept_out(holder: psycopg.Connection[Any]) -> Iterator[None]:
    """No migration, and no row written, as long as this lasts: also not by a process that knows nothing of it."""
    if not _yes(holder, TRY_LOCK):
        raise MoveError("another `siaga migrate` or `siaga storage move` is at work")
    with holder.transaction():
        holder.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        _no_ingest(holder)
        _no_rollups(holder)
        _lock(holder, KEEP_WRITERS_OUT, [name for name, _ in holder.execute(TABLES).fetchall()])
        yield
    holder.execute("SELECT pg_advisory_unlock_all()")


def _no_ingest(holder: psycopg.Connection[Any]) -> None:
    """Let no ingest begin before this transaction ends; raise MoveError where one is at work.

    A COPY that waited for a table would go on into the root of its hypertable, where TimescaleDB 2.31 never looks.
    Other statements that wait are planned anew.
    """
    holder.execute(ingest_session.TURN)
    served = [name for name, _, is_served in holder.execute(ingest_session.KNOWN).fetchall() if is_served]
    if served:
        raise MoveError(
            f"ingest {', '.join(served)} is running: stop it. It may be started again as soon as the move runs, and "
            "waits then; the broker keeps what comes"
        )


def _no_rollups(holder: psycopg.Connection[Any]) -> None:
    """Have the worker pass over every kind: waiting for us it would hold what it has read, and we would wait for it."""
    deadline = time.monotonic() + LOCK_PATIENCE_S
    for kind in KINDS:
        while not _yes(holder, rollup.TRY_LOCK, kind):
            if time.monotonic() > deadline:
                raise MoveError(f"the worker has been rolling up {kind} for {LOCK_PATIENCE_S:.0f} s: stop it")
            time.sleep(LOCK_POLL_S)


def _yes(conn: psycopg.Connection[Any], query: str, *values: Any) -> bool:
    row = conn.execute(query.encode(), values).fetchone()
    return bool(row and row[0])


def _lock(holder: psycopg.Connection[Any], statement: str, tables: Sequence[str]) -> None:
    """Lock all of them, or none and try again: what holds one of them may wait for another."""
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            with holder.transaction():
                holder.execute(LOCK_TIMEOUT)
                for table in tables:
                    holder.execute(sql.SQL(statement).format(sql.Identifier(table)))
            return
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            if time.monotonic() > deadline:
                raise MoveError(f"{tables} are in use, and were for {LOCK_PATIENCE_S:.0f} s: {error}") from error


def _copy(conn: psycopg.Connection[Any], tables: Sequence[Table], log: Log) -> None:
    """Fill a hypertable beside each table, each part in a transaction of its own."""
    total = sum(table.rows for table in tables)
    done = 0
    for table in tables:
        new = NEW + table.name
        conn.execute(
            sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(sql.Identifier(new), sql.Identifier(table.name))
        )
        flavour.make_hypertable(conn, new, table.by, table.step)
        # No columnstore yet: it would compress what is still being filled.
        flavour.fit(conn, Flavour.TIMESCALE_APACHE, new, table.by, table.rows_a_day)
        for part, rows in table.parts:
            conn.execute(_with_part(COPY, part, table.by, table=table.name, new=new))
            if (there := _count(conn, new, table.by, part)) != rows:
                raise MoveError(f"{there} rows of {part.name} have arrived, of {rows}: run it again, and tell us")
            done += rows
            log(f"{table.name} {part.since:%Y-%m-%d}: {rows:,} rows, {100 * done // max(1, total)} % of all")


def _swap(holder: psycopg.Connection[Any], tables: Sequence[Table]) -> None:
    """Put the hypertables in the places of the tables, all at once; in the transaction that keeps writers out."""
    _lock(holder, KEEP_EVERYBODY_OUT, [table.name for table in tables])
    # The views hold on to the tables themselves, whatever those are called.
    scope.forget(holder)
    rename = sql.SQL("ALTER TABLE {} RENAME TO {}")
    rename_key = sql.SQL("ALTER TABLE {} RENAME CONSTRAINT {} TO {}")
    for table in tables:
        for was, now in ((table.name, OLD + table.name), (NEW + table.name, table.name)):
            holder.execute(rename.format(sql.Identifier(was), sql.Identifier(now)))
            holder.execute(rename_key.format(*map(sql.Identifier, (now, f"{was}_pkey", f"{now}_pkey"))))
    scope.make(holder)


def _drop_left(conn: psycopg.Connection[Any], prefix: str, log: Log) -> None:
    """Drop what has left its place, or what a killed run had filled. A part at a time, as a server's locks are few."""
    for (name,) in conn.execute(LEFT, (f"^{prefix}(reading|rollup)_",)).fetchall():
        for part in conn.execute(flavour.PARTITIONS.encode(), (name,)).fetchall():
            conn.execute(f"DROP TABLE {part[0]}".encode())
        for _, since, until in conn.execute(flavour.CHUNKS.encode(), (name,)).fetchall():
            conn.execute(flavour.DROP_CHUNK, (name, until, since))
        conn.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
        log(f"dropped {name}")


def _with_part(statement: str, part: flavour.Part, by: str, **names: str) -> sql.Composed:
    bounds: dict[str, datetime] = {"since": part.since, "until": part.until}
    return sql.SQL(statement).format(
        by=sql.Identifier(by),
        **{name: sql.Identifier(value) for name, value in names.items()},
        **{name: sql.Literal(value) for name, value in bounds.items()},
    )
