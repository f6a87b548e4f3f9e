"""What the database server offers, and the few statements that differ because of it.

TimescaleDB keeps readings in hypertables; plain PostgreSQL in weekly range partitions. Nothing else knows.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import psycopg
from psycopg import sql

WEEK = timedelta(days=7)
# A Monday, as PostgreSQL's date_trunc('week') and people have it.
_ORIGIN = datetime(2000, 1, 3, tzinfo=UTC)

# Readings kept in native partitions stay there, even where the server has learnt TimescaleDB since.
PARTITIONED = """
EXISTS (SELECT FROM pg_class WHERE relkind = 'p' AND relname LIKE 'reading\\_%' AND pg_table_is_visible(oid))
"""
# Loaded, and not only installed: its loader defines this setting. shared_preload_libraries itself only superusers see.
TIMESCALE_OFFERED = f"""
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
   AND current_setting('timescaledb.disable_load', true) IS NOT NULL AND NOT {PARTITIONED}
"""
TIMESCALE_THERE = f"SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') AND NOT {PARTITIONED}"
LICENSE = "SELECT current_setting('timescaledb.license', true)"
# The week of a partition is locked by its name: of two writers that need it, the second finds it made.
LOCK_NAME = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
EXISTS = "SELECT to_regclass(%s) IS NOT NULL"


class Flavour(StrEnum):
    """Chosen once, at the first `siaga migrate`."""

    PLAIN = "plain PostgreSQL"
    TIMESCALE_APACHE = "TimescaleDB (Apache licence)"
    TIMESCALE_COMMUNITY = "TimescaleDB (community licence)"

    @property
    def has_hypertables(self) -> bool:
        return self is not Flavour.PLAIN


def choose(conn: psycopg.Connection[Any]) -> Flavour:
    """Create the extension where the server offers it, and say what there is then."""
    if _yes(conn, TIMESCALE_OFFERED):
        conn.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    return current(conn)


def current(conn: psycopg.Connection[Any]) -> Flavour:
    if not _yes(conn, TIMESCALE_THERE):
        return Flavour.PLAIN
    row = conn.execute(LICENSE).fetchone()
    return Flavour.TIMESCALE_COMMUNITY if row and row[0] == "timescale" else Flavour.TIMESCALE_APACHE


def partitioning(flavour: Flavour) -> sql.SQL:
    """What follows the column list of a readings table."""
    return sql.SQL("") if flavour.has_hypertables else sql.SQL("PARTITION BY RANGE (ts)")


def make_hypertable(conn: psycopg.Connection[Any], table: str) -> None:
    conn.execute(
        "SELECT create_hypertable(%s::regclass, by_range('ts', INTERVAL '7 days'),"
        " create_default_indexes => false, if_not_exists => true)",
        (table,),
    )


def week_of(ts: datetime) -> datetime:
    """Start of the partition that holds this time."""
    return _ORIGIN + (ts - _ORIGIN) // WEEK * WEEK


async def make_partition(conn: psycopg.AsyncConnection[Any], table: str, week: datetime) -> None:
    """Make the partition of a week unless it is there. ATTACH locks the parent less than PARTITION OF does."""
    name = f"{table}_p{week:%Y%m%d}"
    async with conn.transaction():
        await conn.execute(LOCK_NAME, (name,))
        row = await (await conn.execute(EXISTS, (name,))).fetchone()
        if row and row[0]:
            return
        parent, part = sql.Identifier(table), sql.Identifier(name)
        await conn.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(part, parent))
        await conn.execute(
            sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                parent, part, sql.Literal(week.isoformat()), sql.Literal((week + WEEK).isoformat())
            )
        )


def _yes(conn: psycopg.Connection[Any], query: str) -> bool:
    row = conn.execute(query.encode()).fetchone()
    return bool(row and row[0])
