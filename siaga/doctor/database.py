"""The database: version, schema, whether a commit is safe there, and whether it has room for our connections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from runtime.settings import Settings
from siaga.doctor.verdict import Verdict, ok, problem, warning
from siaga.durations import seconds_text
from storage.checkup import Server
from worker.context import CONNECTIONS_MAX

OLDEST = 150_000
# What asks beside the pools: ingest and its beat, the worker's retention, beat and listener, the API's follower of
# the event log, `siaga up` and one command of an operator.
BESIDE_POOLS = 8
# A rollup of a backlog, an archive or a backup runs for minutes in one statement.
TIMEOUT_MIN_S = 600
CONFIG = "in postgresql.conf, and reload the server"


class Schema(NamedTuple):
    """What the database has, None for nothing; what this version knows, oldest first; what the server is."""

    has: str | None
    known: tuple[str, ...]
    flavour: str


def judge(found: Server, schema: Schema, settings: Settings) -> Iterator[Verdict]:
    yield _version(found, schema)
    yield _schema(schema)
    if found.replica or found.read_only:
        yield problem(
            "writable",
            "the server is a replica, or its transactions only read",
            "Name the primary in SIAGA_DATABASE_URL, or promote this one (pg_promote()).",
        )
    yield _durable(found)
    if found.standbys or found.waits_for_standby:
        yield _standby(found)
    yield _room(found, settings)
    yield _timeouts(found)


def wanted_connections(settings: Settings) -> int:
    """What all parts on one database open at most, without callers who are limited to regions."""
    return settings.read_connections + settings.write_connections + CONNECTIONS_MAX + BESIDE_POOLS


def _standby(found: Server) -> Verdict:
    """Of an installation that has one: the only way to see that it is gone before it is needed."""
    if found.waits_for_standby and not found.standbys:
        return problem(
            "standby",
            "none follows, and every commit waits for one",
            "Bring it back, or go on alone: synchronous.sh without a name (docs/operations.md, More than one machine).",
        )
    follow = f"{found.standbys} follow{'s' if found.standbys == 1 else ''}"
    if not found.waits_for_standby:
        return warning(
            "standby",
            f"{follow}, and no commit waits: what is acknowledged may die with this server",
            "Name it with deploy/cluster/postgresql/synchronous.sh.",
        )
    return ok("standby", f"{follow}, and a commit waits for one")


def _version(found: Server, schema: Schema) -> Verdict:
    major, minor = divmod(found.version, 10_000)
    what = f"PostgreSQL {major}.{minor}, {schema.flavour}"
    if found.version < OLDEST:
        return problem("database", f"{what} is too old", "Upgrade the server to PostgreSQL 15 or newer.")
    return ok("database", what)


def _schema(schema: Schema) -> Verdict:
    newest = schema.known[-1]
    if schema.has is None:
        return problem("schema", "the database has no tables of Siaga's", "Run `siaga migrate`.")
    if schema.has not in schema.known:
        return problem(
            "schema",
            f"{schema.has} is unknown here, this version knows {newest}",
            "The database was migrated by a newer Siaga: install that version on this machine.",
        )
    if schema.has != newest:
        return problem(
            "schema",
            f"{schema.has} is old, this version needs {newest}",
            "Run `siaga migrate`, then restart the parts.",
        )
    return ok("schema", f"{schema.has} is up to date")


def _durable(found: Server) -> Verdict:
    """What is committed is acknowledged to devices, which then forget it."""
    off = [name for name, on in (("fsync", found.fsync), ("full_page_writes", found.full_page_writes)) if not on]
    if off:
        return problem(
            "durability",
            f"{' and '.join(off)} off: a power cut may cost the whole database",
            f"Set {' and '.join(f'{name} = on' for name in off)} {CONFIG}.",
        )
    if found.synchronous_commit == "off":
        return problem(
            "durability",
            "synchronous_commit is off: a crash loses what devices were told is safe",
            f"Set synchronous_commit = on {CONFIG}.",
        )
    return ok("durability", f"fsync on, synchronous_commit {found.synchronous_commit}")


def _room(found: Server, settings: Settings) -> Verdict:
    wanted, there = wanted_connections(settings), found.connections - found.others
    what = f"{wanted} wanted at most, {there} for us" + (f", {found.others} taken by others" if found.others else "")
    if wanted > there:
        return warning(
            "connections",
            what,
            "Raise max_connections and restart it, or lower SIAGA_READ_CONNECTIONS and SIAGA_WRITE_CONNECTIONS.",
        )
    return ok("connections", what)


def _timeouts(found: Server) -> Verdict:
    set_to = (
        ("statement_timeout", found.statement_timeout_s),
        ("idle_in_transaction_session_timeout", found.idle_timeout_s),
    )
    short = [f"{name} = {seconds_text(s)}" for name, s in set_to if 0 < s < TIMEOUT_MIN_S]
    if short:
        return warning(
            "timeouts",
            f"{', '.join(short)} for our user: backups, the archive and rollups of a backlog are cut off",
            "ALTER ROLE … RESET of these. The API bounds its own queries by SIAGA_STATEMENT_TIMEOUT_S.",
        )
    return ok("timeouts", "no statement of ours is cut off by the server")
