"""What the worker says of retention: what it keeps, and what its last run came to. `siaga storage status` reads it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import class_row

from storage.retention import Policy

TELL = """
INSERT INTO retention (kind, level, keep_days, ran_at, next_at, dropped, held, why, archive_dir)
VALUES (%(kind)s, %(level)s, %(keep_days)s, %(ran_at)s, %(next_at)s, %(dropped)s, %(held)s, %(why)s, %(archive_dir)s)
ON CONFLICT (kind, level) DO UPDATE SET
    keep_days = excluded.keep_days, ran_at = excluded.ran_at, next_at = excluded.next_at,
    dropped = excluded.dropped, held = excluded.held, why = excluded.why, archive_dir = excluded.archive_dir
"""
TOLD = "SELECT kind, level, keep_days, ran_at, next_at, dropped, held, why, archive_dir FROM retention"


class Run(NamedTuple):
    """What a run came to for one kind and level: parts dropped, parts that had their time and stayed, why the first."""

    policy: Policy
    dropped: int
    held: int
    why: str | None = None


class Told(NamedTuple):
    """The same as it was told. keep_days 0: for ever; archive_dir None: nothing is archived."""

    kind: str
    level: str
    keep_days: int
    ran_at: datetime
    next_at: datetime
    dropped: int
    held: int
    why: str | None
    archive_dir: str | None


async def tell(
    conn: psycopg.AsyncConnection[Any],
    runs: Iterable[Run],
    ran_at: datetime,
    next_at: datetime,
    archive_dir: str | None,
) -> None:
    rows = [
        Told(p.kind.name, p.level, p.days, ran_at, next_at, dropped, held, why and str(why), archive_dir)._asdict()
        for p, dropped, held, why in runs
    ]
    async with conn.cursor() as cursor:
        await cursor.executemany(TELL, rows)


async def told(conn: psycopg.AsyncConnection[Any]) -> dict[tuple[str, str], Told]:
    """By kind and level; nothing before the first run."""
    async with conn.cursor(row_factory=class_row(Told)) as cursor:
        await cursor.execute(TOLD)
        return {(each.kind, each.level): each async for each in cursor}
