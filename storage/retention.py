"""Retention: parts that have had their time are dropped whole, oldest first, and none that is still needed.

Promise: a part goes in one transaction with the note that its time is closed; killed anywhere and run again, the end
is the same. Rollups and the ledger have counted all that was in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from devices.kind import Kind
from devices.kinds import KINDS
from runtime.settings import SettingError, Settings
from storage import archive, flavour, groups, rollup
from storage.closed import close
from storage.flavour import Flavour, Part
from storage.kind_tables import STEPS, Level, table_of

# Of two workers one drops. Held by the session: an archive takes minutes, and is many transactions.
TRY_ALONE = "SELECT pg_try_advisory_lock(hashtextextended('siaga retention', 0))"
# Longer than deadlock_timeout (1 s): only after that an autovacuum of the part makes way.
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"
WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = %s::regclass AND NOT granted)"
# A mark just after a part needs what is in it: the calendar day that begins in it, the counter's value before.
AFTER = timedelta(hours=25)
MARKED = "SELECT EXISTS (SELECT FROM rollup_mark WHERE kind = %s AND bucket < %s)"
DAYS_MARKED = "SELECT EXISTS (SELECT FROM group_mark WHERE kind = %s AND day < %s)"
UNCOUNTED = """
SELECT EXISTS (SELECT FROM ledger_mark AS m JOIN device AS d ON d.id = m.device_id WHERE d.kind = %s AND m.hour < %s)
"""
COUNT = "SELECT count(*) FROM {table} WHERE {at} >= %s AND {at} < %s"


class Hold(StrEnum):
    """Why a part that has had its time stays for now."""

    MARKS = "rollup marks"
    LEDGER = "the ledger"
    LOCK = "a lock"
    ARCHIVE = "the archive"


class Policy(NamedTuple):
    """What is kept of a kind. days 0: for ever."""

    kind: Kind
    level: Level
    days: int

    @property
    def table(self) -> str:
        return table_of(self.kind, self.level)


def policies(settings: Settings) -> list[Policy]:
    """One for each kind and level, the finest first. Raises SettingError where SIAGA_RETENTION names unknown kinds."""
    if unknown := sorted(settings.kinds_kept_otherwise - KINDS.keys()):
        raise SettingError(f"SIAGA_RETENTION: {unknown[0]!r} is no kind; there are {', '.join(KINDS)}")
    return [Policy(kind, level, settings.keep_days(name, level)) for name, kind in KINDS.items() for level in STEPS]


def due(parts: Iterable[Part], days: int, now: datetime) -> list[Part]:
    """Parts that have had their time, oldest first. Pure.

    They go in this order and none before an older one: what is closed is everything before a time.
    """
    if not days:
        return []
    return sorted((part for part in parts if part.until <= now - timedelta(days=days)), key=lambda part: part.since)


async def alone(conn: psycopg.AsyncConnection[Any]) -> bool:
    """Whether this session may drop: none other does, from now on until it ends."""
    return await _yes(conn, TRY_ALONE)


async def wanted(conn: psycopg.AsyncConnection[Any], policy: Policy, part: Part) -> Hold | None:
    """Who still needs what is in a part, as far as this statement sees."""
    before = (policy.kind.name, part.until + AFTER)
    if await _yes(conn, MARKED, *before) or (policy.level == "1d" and await _yes(conn, DAYS_MARKED, *before)):
        return Hold.MARKS
    if policy.level == "raw" and await _yes(conn, UNCOUNTED, *before):
        return Hold.LEDGER
    return None


async def drop(
    conn: psycopg.AsyncConnection[Any], on: Flavour, policy: Policy, part: Part, rows: int | None
) -> Hold | None:
    """Drop a part and close its time; None where that is done, else what was in the way and nothing happened.

    rows: how many its archive holds, which must be all; None where there is none. Raises psycopg.Error.
    """
    try:
        async with conn.transaction():
            return await _drop(conn, on, policy, part, rows)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        return Hold.LOCK


async def _drop(
    conn: psycopg.AsyncConnection[Any], on: Flavour, policy: Policy, part: Part, rows: int | None
) -> Hold | None:
    await conn.execute(LOCK_TIMEOUT)
    await conn.execute(rollup.LOCK.encode(), (policy.kind.name,))
    # Not yet exclusive: that needs the parent as well, and who reads or writes takes the parent first and the part
    # after. From here on nobody writes into the part, and each statement sees all that was written before.
    await conn.execute(f"LOCK TABLE ONLY {part.name} IN SHARE MODE".encode())
    if hold := await wanted(conn, policy, part):
        return hold
    if rows is not None and rows != await _count(conn, policy, part):
        return Hold.ARCHIVE
    # A writer that waits for us holds the parent that we need next. It must not be the one that a deadlock ends.
    if await _yes(conn, WAITING, part.name):
        return Hold.LOCK
    await close(conn, policy.kind.name, policy.level, part.until)
    if policy.level == "raw":
        await archive.let_go(conn, policy.table, part.since)
    await flavour.drop_part(conn, on, policy.table, part)
    if policy.level == "1d":
        await groups.mark_between(conn, policy.kind, part.since, part.until)
    return None


async def _count(conn: psycopg.AsyncConnection[Any], policy: Policy, part: Part) -> int:
    at = sql.Identifier("ts" if policy.level == "raw" else "bucket")
    query = sql.SQL(COUNT).format(table=sql.Identifier(policy.table), at=at)
    row = await (await conn.execute(query, (part.since, part.until))).fetchone()
    assert row is not None
    return int(row[0])


async def _yes(conn: psycopg.AsyncConnection[Any], query: str, *values: Any) -> bool:
    row = await (await conn.execute(query.encode(), values)).fetchone()
    return bool(row and row[0])
