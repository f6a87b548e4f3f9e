"""Which raw readings were written to files before they were dropped: the table `archived`. The files: archive_file.py.

A row is there once its file is whole. As long as what is in it is in the database too (dropped_at null), a newer file
may take its place; after that it is never touched again, and late readings of the same week get a file of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import class_row

SELECT = "SELECT table_name, since, until, file, rows, bytes AS size, sha256, archived_at, dropped_at FROM archived"
ALL = f"{SELECT} ORDER BY table_name, since, archived_at"
PENDING = f"{SELECT} WHERE table_name = %s AND since = %s AND dropped_at IS NULL"
NAMES = "SELECT file FROM archived WHERE table_name = %s AND since = %s AND dropped_at IS NOT NULL"
KEEP = """
INSERT INTO archived (table_name, since, until, file, rows, bytes, sha256, archived_at)
VALUES (%(table_name)s, %(since)s, %(until)s, %(file)s, %(rows)s, %(size)s, %(sha256)s, %(archived_at)s)
ON CONFLICT (table_name, since) WHERE dropped_at IS NULL DO UPDATE SET
    file = excluded.file, rows = excluded.rows, bytes = excluded.bytes, sha256 = excluded.sha256,
    archived_at = excluded.archived_at
"""
LET_GO = "UPDATE archived SET dropped_at = now() WHERE table_name = %s AND since = %s AND dropped_at IS NULL"


class Archived(NamedTuple):
    """A file with the readings of one part; its name is under the archive folder, its size in bytes."""

    table_name: str
    since: datetime
    until: datetime
    file: str
    rows: int
    size: int
    sha256: bytes
    archived_at: datetime
    dropped_at: datetime | None = None


async def everything(conn: psycopg.AsyncConnection[Any]) -> list[Archived]:
    """By table and time."""
    async with conn.cursor(row_factory=class_row(Archived)) as cursor:
        return await (await cursor.execute(ALL)).fetchall()


async def pending(conn: psycopg.AsyncConnection[Any], table: str, since: datetime) -> Archived | None:
    """The file of a part that is still there, if it has one."""
    async with conn.cursor(row_factory=class_row(Archived)) as cursor:
        return await (await cursor.execute(PENDING, (table, since))).fetchone()


async def taken(conn: psycopg.AsyncConnection[Any], table: str, since: datetime) -> frozenset[str]:
    """Names of files that hold what is nowhere else."""
    return frozenset([name async for (name,) in await conn.execute(NAMES, (table, since))])


async def keep(conn: psycopg.AsyncConnection[Any], done: Archived) -> None:
    """Record a file that is whole, in the place of the one before of the same part."""
    await conn.execute(KEEP, done._asdict())


async def let_go(conn: psycopg.AsyncConnection[Any], table: str, since: datetime) -> None:
    """From now on the file of this part stays as it is. Inside the transaction that drops the part."""
    await conn.execute(LET_GO, (table, since))


def names(table: str, since: datetime) -> Iterator[str]:
    """Names that a file of this part may have, in the order in which they are tried."""
    hour = f"{since:T%H%M}" if (since.hour, since.minute) != (0, 0) else ""  # of a chunk shorter than a day
    stem = f"{table}/{table}_{since:%Y%m%d}{hour}"
    yield f"{stem}.parquet"
    number = 2
    while True:
        yield f"{stem}-{number}.parquet"
        number += 1


def free_name(folder: Path, table: str, since: datetime, recorded: Container[str], sha256: bytes) -> str:
    """The first name that is neither recorded nor on the disk; or on the disk with just these bytes.

    Such a file was left by a run that was killed before it could record it. Any other may be what is left of another
    database, and stays.
    """
    for name in names(table, since):
        if name not in recorded and (not (file := folder / name).exists() or digest(file) == sha256):
            return name
    raise AssertionError("names never end")


def digest(file: Path) -> bytes:
    """SHA-256. Raises OSError."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()
