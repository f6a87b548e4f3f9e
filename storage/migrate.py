"""`siaga migrate`: bring a database to this version's schema. Idempotent, and safe to start twice at once.

Fixed tables are Alembic revisions written as SQL files; tables of kinds come from their declarations.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from devices.kinds import KINDS
from storage import flavour, kind_tables, scope
from storage.connect import connect

# Polled, not awaited: a blocking waiter would hang a CREATE INDEX CONCURRENTLY of the run that holds it.
TRY_LOCK = "SELECT pg_try_advisory_lock(x'7369616761206d69'::bigint)"
LOCK_POLL_S = 0.2
VERSIONS = Path(__file__).parent / "migrations"


def migrate(database_url: str, log: Callable[[str], None] = print) -> None:
    """Migrate; one line to `log` per thing done. Raises psycopg.Error when the server refuses."""
    with connect(database_url, "migrate") as conn:
        waited = False
        while not _locked(conn):
            if not waited:
                log("another `siaga migrate` is at work; waiting for it")
                waited = True
            time.sleep(LOCK_POLL_S)
        _migrate(conn, log)


def revision(conn: psycopg.Connection[Any]) -> str | None:
    """The schema that a database has; None where it has none of ours."""
    there = conn.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
    if not there or not there[0]:
        return None
    row = conn.execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row else None


def newest_revision() -> str:
    """The schema that this version brings a database to."""
    newest = ScriptDirectory(str(VERSIONS)).get_current_head()
    assert newest is not None
    return newest


def known_revisions() -> tuple[str, ...]:
    """Every schema that this version knows, oldest first."""
    return tuple(reversed([each.revision for each in ScriptDirectory(str(VERSIONS)).walk_revisions()]))


def run_sql(conn: psycopg.Connection[Any], file: Path) -> None:
    """Execute a file of SQL on the raw connection: through SQLAlchemy its % and : would be read as parameters."""
    conn.execute(file.read_bytes())


def _locked(conn: psycopg.Connection[Any]) -> bool:
    row = conn.execute(TRY_LOCK).fetchone()
    return bool(row and row[0])


def _migrate(conn: psycopg.Connection[Any], log: Callable[[str], None]) -> None:
    version = conn.info.server_version
    if version < 150_000:
        raise RuntimeError(f"PostgreSQL {version // 10_000} is too old: Siaga needs 15 or newer")
    chosen = flavour.choose(conn)
    log(f"PostgreSQL {version // 10_000}.{version % 10_000}, {chosen.value}")
    # The views hold on to tables and columns.
    scope.forget(conn)
    _fixed_tables(conn, log)
    for kind in KINDS.values():
        with conn.transaction():
            for line in kind_tables.create(conn, kind, chosen):
                log(f"created {line}")
    scope.make(conn)
    log("schema is up to date")


def _fixed_tables(conn: psycopg.Connection[Any], log: Callable[[str], None], to: str = "head") -> None:
    before = revision(conn)
    # Alembic gets our own connection: the advisory lock lives in it.
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: conn, poolclass=sqlalchemy.pool.StaticPool
    )
    config = Config()
    config.set_main_option("script_location", str(VERSIONS))
    conn.autocommit = False
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, to)
            connection.commit()
    finally:
        conn.rollback()
        conn.autocommit = True
    if (after := revision(conn)) != before:
        log(f"migrated fixed tables from {before or 'nothing'} to {after}")
