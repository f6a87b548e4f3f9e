"""What `siaga storage` shows: how much is kept where, how long, and what is in the archive. It changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import psycopg

from runtime.settings import SettingError, Settings, require
from storage import archive, archive_file, flavour, retention, retention_told, usage
from storage.archive import Archived
from storage.as_json import time_text
from storage.connect import connect_async
from storage.flavour import parts
from storage.retention import Hold, Policy
from storage.retention_told import Told
from storage.usage import Server, Use

Answer = TypeVar("Answer")

UNITS = ("B", "kB", "MB", "GB", "TB")


class Line(NamedTuple):
    """One table: what is in it, what is kept of it, how many parts have had their time, and who needs how many."""

    use: Use
    policy: Policy
    told: Told | None  # None: the worker has not run retention yet
    due: int
    held: dict[Hold, int]


class Status(NamedTuple):
    server: Server
    lines: list[Line]
    jobs: list[flavour.Policy]
    files: int
    files_size: int
    archive_dir: str | None


def status(settings: Settings) -> Status:
    """Look at the database. Raises SettingError, psycopg.Error."""
    return _ask(settings, lambda conn: _status(conn, settings, datetime.now(UTC)))


def archived(settings: Settings) -> list[Archived]:
    """Files of the archive, by table and time. Raises SettingError, psycopg.Error."""
    return _ask(settings, archive.everything)


def check(settings: Settings, files: list[Archived]) -> Iterator[tuple[Archived, str | None]]:
    """Each file with what is wrong with it. Raises SettingError, ArchiveError."""
    folder = _folder(settings)
    for each in files:
        yield each, archive_file.check(folder, each)


def _folder(settings: Settings) -> Path:
    if settings.archive_dir is None:
        raise SettingError("SIAGA_ARCHIVE_DIR is not set: where are the files?")
    return Path(settings.archive_dir)


async def _status(conn: psycopg.AsyncConnection[Any], settings: Settings, now: datetime) -> Status:
    server = await usage.server(conn)
    told = await retention_told.told(conn)
    lines = []
    for asked in retention.policies(settings):
        said = told.get((asked.kind.name, asked.level))
        policy = asked._replace(days=said.keep_days) if said else asked  # the worker's settings are those that count
        there = await parts(conn, server.flavour, policy.table)
        use = await usage.use(conn, server.flavour, policy.kind, policy.level, there)
        due, held = await usage.held(conn, policy, there, now)
        lines.append(Line(use, policy, said, due, dict(held)))
    files = await archive.everything(conn)
    folders = [said.archive_dir for said in told.values()] or [settings.archive_dir]
    jobs = await flavour.policies(conn, server.flavour)
    return Status(server, lines, jobs, len(files), sum(file.size for file in files), folders[0])


def as_json(found: Status) -> dict[str, Any]:
    """Sizes in bytes, times RFC 3339 in UTC; keep_days 0 is for ever."""
    return {
        "flavour": found.server.flavour.value,
        "postgres": found.server.postgres,
        "timescaledb": found.server.timescale,
        "bytes": found.server.size,
        "tables": [_line_json(line) for line in found.lines],
        "timescaledb_policies": [
            {
                "table": job.table,
                "what": job.what,
                "every_s": job.every.total_seconds(),
                "next_run": _time(job.next_run),
            }
            for job in found.jobs
        ],
        "archive": {"folder": found.archive_dir, "files": found.files, "bytes": found.files_size},
    }


def _line_json(line: Line) -> dict[str, Any]:
    use, told = line.use, line.told
    return {
        "kind": use.kind,
        "level": use.level,
        "table": use.table,
        "bytes": use.size,
        "rows_estimated": use.rows,
        "parts": use.parts,
        "oldest": _time(use.oldest),
        "newest": _time(use.newest),
        "keep_days": line.policy.days,
        "due_parts": line.due,
        "held_parts": {hold.value: number for hold, number in line.held.items()},
        "last_run": told and _time(told.ran_at),
        "last_run_dropped": told and told.dropped,
        "last_run_held": told and told.held,
        "last_run_held_by": told and told.why,
        "next_run": told and _time(told.next_at),
    }


def file_json(file: Archived, wrong: str | None = None) -> dict[str, Any]:
    return {
        "table": file.table_name,
        "since": _time(file.since),
        "until": _time(file.until),
        "file": file.file,
        "rows": file.rows,
        "bytes": file.size,
        "sha256": file.sha256.hex(),
        "archived_at": _time(file.archived_at),
        "dropped_at": _time(file.dropped_at),
        "wrong": wrong,
    }


HEAD = ("table", "size", "~rows", "parts", "oldest (UTC)", "newest (UTC)", "kept", "due")


def rows(found: Status) -> list[tuple[str, ...]]:
    """A row of HEAD for each table."""
    return [
        (
            line.use.table,
            size_text(line.use.size),
            f"{line.use.rows:,}",
            str(line.use.parts),
            minute(line.use.oldest),
            minute(line.use.newest),
            f"{line.policy.days} days" if line.policy.days else "for ever",
            str(line.due) if line.due else "-",
        )
        for line in found.lines
    ]


def about(found: Status) -> Iterator[str]:
    """What there is, in a line or two before the table."""
    server = found.server
    extension = f", extension {server.timescale}" if server.timescale else ""
    yield f"{server.flavour.value}{extension}, PostgreSQL {server.postgres}, {size_text(server.size)} in all"
    told = [line.told for line in found.lines if line.told]
    if told:
        dropped, held = sum(each.dropped for each in told), sum(each.held for each in told)
        ran, following = max(each.ran_at for each in told), max(each.next_at for each in told)
        yield f"retention ran {minute(ran)}, {dropped} parts dropped, {held} held back; next {minute(following)} (UTC)"
    else:
        yield "retention has not run yet: is `siaga worker` running? What is kept is shown as it is set here"
    where = found.archive_dir or "none, readings are just dropped"
    yield f"archive: {where}; {found.files} files, {size_text(found.files_size)}"


def notes(found: Status) -> Iterator[str]:
    """What holds parts back, and what TimescaleDB does by itself."""
    for line in found.lines:
        for hold, number in line.held.items():
            yield f"held back: {number} of {line.due} due parts of {line.use.table} by {hold.value}"
        if line.told and line.told.why and line.told.why not in line.held:
            yield f"held back at the last run: {line.told.held} parts of {line.use.table}: {line.told.why}"
    for job in found.jobs:
        yield f"TimescaleDB: {job.what} of {job.table}, every {job.every}, next {minute(job.next_run)} (UTC)"


def size_text(size: float) -> str:
    """Bytes as people write them: 1.2 GB."""
    number, unit = float(size), UNITS[0]
    for unit in UNITS:
        if number < 999.5 or unit == UNITS[-1]:
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "B" or number >= 99.5 else f"{number:.1f} {unit}"


def minute(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else "-"


def _time(at: datetime | None) -> str | None:
    return time_text(at) if at else None


def _ask(settings: Settings, question: Callable[[psycopg.AsyncConnection[Any]], Awaitable[Answer]]) -> Answer:
    url = require(settings.database_url, "SIAGA_DATABASE_URL")

    async def asked() -> Answer:
        async with await connect_async(url, "storage") as conn:
            return await question(conn)

    return asyncio.run(asked())
