"""`siaga restore FILE`: into an empty database; or into a new one beside, which then takes the other's place.

Promise: all of it or nothing, and its rows are counted before anybody sees it in place of what was there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

import psycopg
from psycopg.conninfo import make_conninfo

from siaga.backup import file, fit, programs
from siaga.backup.file import MB, BackupError, Manifest
from storage import backup as database
from storage.connect import connect
from storage.flavour import Flavour
from storage.migrate import newest_revision

# Where to be connected while databases are made and renamed.
NEUTRAL = "postgres"
# PostgreSQL cuts names off at 63 bytes.
NAME_LENGTH = 40

Say = Callable[[str], None]


class Source(NamedTuple):
    """A backup that is open."""

    manifest: Manifest
    dump: IO[bytes]
    size: int


def restore(url: str, backup: Path, force: bool, into: str | None, say: Say) -> None:
    """Restore; a line to `say` per step. Raises BackupError, OSError, psycopg.Error."""
    with file.read(backup) as opened:
        source = Source(*opened)
        manifest = source.manifest
        with connect(url, "restore") as conn:
            target, newest = database.about(conn), newest_revision()
            if why := fit.misfit(manifest, target, database.timescale_versions(conn), newest):
                raise BackupError(why)
            empty = not database.tables(conn)
            command = _command(conn, manifest, target)
        say(f"backup of {manifest.database}, {manifest.made_at:%Y-%m-%d %H:%M} UTC, {source.size / MB:,.1f} MB")
        if into:
            with _beside(url, into, target):
                _fill(make_conninfo(url, dbname=into), command, source, say)
            say(f'restored into {into}; nothing else was touched. To be rid of it: DROP DATABASE "{into}"')
        elif empty:
            _fill(make_conninfo(url, dbname=target.database), command, source, say)
            say(f"restored into {target.database}")
        elif force:
            _replace(url, target, command, source, say)
        else:
            raise BackupError(
                f"database {target.database} is not empty. Restore into a new one beside it (--into NAME), or put "
                "the backup in its place (--force; what is there is kept under another name)"
            )
    if manifest.revision < newest:
        say(f"its schema is {manifest.revision} and this version of Siaga has {newest}: now run `siaga migrate`")


def _command(conn: psycopg.Connection[Any], manifest: Manifest, target: database.About) -> tuple[str, ...]:
    program, _ = programs.find("pg_restore", target.major, manifest.pg_dump)
    # What belonged to our role belongs to it again, also where a superuser restores.
    returned = target.superuser and target.user != manifest.owner and database.has_role(conn, manifest.owner)
    return (
        str(program), "--format=custom", "--single-transaction", "--no-acl", "--no-tablespaces", "--no-password",
        *(() if returned else ("--no-owner",)),
    )  # fmt: skip


def _replace(url: str, target: database.About, command: Sequence[str], source: Source, say: Say) -> None:
    new = f"{target.database[:NAME_LENGTH]}_restoring"
    kept = f"{target.database[:NAME_LENGTH]}_before_{datetime.now(UTC):%Y%m%d_%H%M%S}"
    with _beside(url, new, target) as neutral:
        _fill(make_conninfo(url, dbname=new), command, source, say)
        database.take_place(neutral, new, target.database, kept)
    say(f'restored; what was in {target.database} is in {kept} now. To be rid of it: DROP DATABASE "{kept}"')


@contextmanager
def _beside(url: str, name: str, target: database.About) -> Iterator[psycopg.Connection[Any]]:
    """A new database on the same server, dropped where it could not be filled; yields a connection to neither."""
    with connect(make_conninfo(url, dbname=NEUTRAL), "restore") as conn:
        try:
            database.create_database(conn, name, target.database_owner)
        except psycopg.errors.DuplicateDatabase:
            raise BackupError(
                f"database {name} is there already, of another `siaga restore` or of one that was killed: "
                f'DROP DATABASE "{name}", or choose another name with --into'
            ) from None
        except psycopg.errors.InsufficientPrivilege:
            raise BackupError(
                f"{target.user} may not make a database: ALTER ROLE {target.user} CREATEDB, or restore into an empty "
                "database that somebody makes for it"
            ) from None
        try:
            yield conn
        except BaseException:
            database.drop_database(conn, name)
            raise


def _fill(url: str, command: Sequence[str], source: Source, say: Say) -> None:
    """Restore into an empty database, which the URL names, and count."""
    with connect(url, "restore") as conn:
        if source.manifest.timescale is None:
            _load(url, command, source, say)
        else:
            _load_timescale(conn, url, source.manifest.timescale, command, source, say)
    # Anew: the connection of before has its own idea of what TimescaleDB's tables are.
    with connect(url, "restore") as conn:
        say("counting the rows")
        if wrong := fit.differences(source.manifest.rows, database.count_rows(conn)):
            raise BackupError("\n".join(("the restored rows are not those of the backup; do not use them:", *wrong)))
        database.analyze(conn)
    say(f"{sum(source.manifest.rows.values()):,} rows of {len(source.manifest.rows)} tables, as many as in the backup")


def _load_timescale(
    conn: psycopg.Connection[Any], url: str, version: str, command: Sequence[str], source: Source, say: Say
) -> None:
    there, was = database.before_timescale(conn, version), source.manifest.flavour
    try:
        if (was, there) == (Flavour.TIMESCALE_COMMUNITY, Flavour.TIMESCALE_APACHE):
            raise BackupError(f"the backup is of {was.value}, and the server has {there.value}")
        _load(url, command, source, say)
    finally:
        database.after_timescale(conn)


def _load(url: str, command: Sequence[str], source: Source, say: Say) -> None:
    env = programs.environment(url, "restore")
    # Naming the database makes it restore instead of print; how to reach it is in the environment.
    with programs.running((*command, f"--dbname={env['PGDATABASE']}"), env, "stdin") as process:
        assert process.stdin is not None
        file.copy(source.dump, process.stdin, lambda done: say(f"… {done / source.size:.0%} read"))
        say("read; building indexes")
