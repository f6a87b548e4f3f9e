"""What `siaga backup` and `siaga restore` ask of the database: a view that holds still, and a place to restore into.

Promise: nothing that was there is destroyed; a database that is replaced is kept under another name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from storage import flavour
from storage.migrate import revision

ABOUT = """
SELECT d.datname AS database, pg_get_userbyid(d.datdba) AS database_owner,
       current_setting('server_version') AS postgres,
       (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = to_regclass('alembic_version')) AS owner,
       (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescale,
       current_user AS "user", (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser
  FROM pg_database d WHERE d.datname = current_database()
"""
# Chunks are counted by their hypertable, partitions by their table; what belongs to an extension comes with it.
TABLES = """
SELECT n.nspname, c.relname
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND n.nspname !~ '^(pg|_?timescaledb)_' AND n.nspname <> 'information_schema'
   AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
 ORDER BY 1, 2
"""
# Loaded, and not only installed: as in storage/flavour.py.
VERSIONS = """
SELECT version FROM pg_available_extension_versions
 WHERE name = 'timescaledb' AND current_setting('timescaledb.disable_load', true) IS NOT NULL
"""
ROLE_THERE = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)"
# Autovacuum makes way by itself, and only superusers may end it.
END_SESSIONS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
 WHERE datname = ANY (%s) AND backend_type <> 'autovacuum worker'
"""


@dataclass(frozen=True, slots=True)
class About:
    """A database and who is connected to it."""

    database: str
    database_owner: str
    postgres: str  # "18.4"
    owner: str | None  # of our tables; None where there are none
    timescale: str | None  # version of the extension in this database
    user: str
    superuser: bool
    revision: str | None
    flavour: flavour.Flavour

    @property
    def major(self) -> int:
        return major(self.postgres)


def major(version: str) -> int:
    """18 of 18.4, of 18beta1 and of 18.4 (Debian 18.4-1)."""
    return int("".join(c if c.isdigit() else " " for c in version).split()[0])


def about(conn: psycopg.Connection[Any]) -> About:
    row = conn.cursor(row_factory=dict_row).execute(ABOUT).fetchone()
    assert row is not None
    return About(**row, revision=revision(conn), flavour=flavour.current(conn))


@contextmanager
def snapshot(conn: psycopg.Connection[Any]) -> Iterator[str]:
    """Hold still what this connection sees; yields the name by which pg_dump sees the same."""
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        conn.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        row = conn.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        yield row[0]


def tables(conn: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """Schema and name of every table, without those of extensions."""
    return conn.execute(TABLES).fetchall()


def count_rows(conn: psycopg.Connection[Any]) -> dict[str, int]:
    """Rows of every table, by schema.name."""
    counts = {}
    for schema, table in tables(conn):
        row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))).fetchone()
        assert row is not None
        counts[f"{schema}.{table}"] = row[0]
    return counts


def timescale_versions(conn: psycopg.Connection[Any]) -> list[str]:
    """Versions of TimescaleDB that the server could give a new database; none where it is not loaded."""
    return [version for (version,) in conn.execute(VERSIONS)]


def has_role(conn: psycopg.Connection[Any], name: str) -> bool:
    row = conn.execute(ROLE_THERE, (name,)).fetchone()
    return bool(row and row[0])


def before_timescale(conn: psycopg.Connection[Any], version: str) -> flavour.Flavour:
    """Prepare an empty database to take the tables of TimescaleDB as they are in a dump; which flavour it has then."""
    conn.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS timescaledb VERSION {}").format(sql.Literal(version)))
    conn.execute("SELECT timescaledb_pre_restore()")
    return flavour.current(conn)


def after_timescale(conn: psycopg.Connection[Any]) -> None:
    conn.execute("SELECT timescaledb_post_restore()")


def analyze(conn: psycopg.Connection[Any]) -> None:
    """Statistics are not in a dump, and without them every query is planned blindly."""
    for schema, table in tables(conn):
        conn.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(schema, table)))


def create_database(conn: psycopg.Connection[Any], name: str, owner: str) -> None:
    """Raises psycopg.errors.DuplicateDatabase, InsufficientPrivilege."""
    statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0")
    conn.execute(statement.format(sql.Identifier(name), sql.Identifier(owner)))


def drop_database(conn: psycopg.Connection[Any], name: str) -> None:
    conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def take_place(conn: psycopg.Connection[Any], new: str, of: str, kept_as: str) -> None:
    """Put a database in another's place, which is kept under a name of its own; both or neither. Connected to a third.

    Who is connected is sent away, and finds the new one when it comes again.
    """
    here, there, kept = sql.Identifier(new), sql.Identifier(of), sql.Identifier(kept_as)
    # Nobody comes back between being sent away and the renaming.
    closed = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false")
    opened = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true")
    try:
        for database in (here, there):
            conn.execute(closed.format(database))
        conn.execute(END_SESSIONS, ([new, of],))
        with conn.transaction():
            conn.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(there, kept))
            conn.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(here, there))
    finally:
        for database in (here, there, kept):
            with suppress(psycopg.errors.InvalidCatalogName):  # under its other name
                conn.execute(opened.format(database))
