"""Retention at work: what has had its time is dropped, and written to the archive before where that is asked for.

On connections of its own, and what blocks is in a thread: a run may take minutes, and nothing else waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from runtime.log import get_logger
from runtime.settings import require
from storage import archive, archive_file, retention, retention_told
from storage.archive_file import ArchiveError, Source
from storage.connect import connect, connect_async
from storage.flavour import Flavour, Part, current_async, parts
from storage.retention import Hold, Policy
from storage.retention_told import Run
from worker import metrics
from worker.context import Context

log = get_logger(__name__)

Found = TypeVar("Found")

NAME = "retention"
# Marks are worked off in the meantime. What waits for a lock comes at the next run: each try may hold up ingest for
# two seconds, and a backup takes an hour.
AGAIN_S = 60.0
# Late readings may come in while the file is written; not again and again.
TRIES = 3
STOPPED = "the worker was asked to stop"


async def retain(here: Context) -> float:
    """One run; how long until the next."""
    every_s = here.settings.retention_every_h * 3600
    async with await connect_async(_url(here), NAME) as conn:
        if not await retention.alone(conn):  # a killed one is alone until the server notices
            return min(AGAIN_S, every_s)
        ran_at = datetime.now(UTC)
        try:
            runs, faults = await _all(here, conn, ran_at)
        except (ArchiveError, OSError) as error:
            runs, faults = [], [str(error)]
        _report(here, faults)
        soon = faults or any(run.why in (Hold.MARKS, Hold.LEDGER, Hold.ARCHIVE) for run in runs)
        rest_s = min(AGAIN_S, every_s) if soon else every_s
        next_at = datetime.now(UTC) + timedelta(seconds=rest_s)
        await retention_told.tell(conn, runs, ran_at, next_at, here.settings.archive_dir)
    return rest_s


async def _all(here: Context, conn: psycopg.AsyncConnection[Any], now: datetime) -> tuple[list[Run], list[str]]:
    """Every kind and level, and what went wrong with some. Raises ArchiveError, OSError: then nothing is dropped."""
    if here.settings.archive_dir is not None:
        await asyncio.to_thread(archive_file.ready, Path(here.settings.archive_dir))
    on = await current_async(conn)
    runs, faults = [], []
    for policy in retention.policies(here.settings):
        if here.stop.is_set():
            break
        run, fault = await _one(here, conn, on, policy, now)
        runs.append(run)
        metrics.RETENTION_HELD.labels(policy.kind.name, policy.level).set(run.held)
        if fault:
            faults.append(f"{policy.table}: {fault}")
    return runs, faults


async def _one(
    here: Context, conn: psycopg.AsyncConnection[Any], on: Flavour, policy: Policy, now: datetime
) -> tuple[Run, str | None]:
    """Drop what is due of one table, up to the first part that must stay; and what went wrong."""
    due = retention.due(await parts(conn, on, policy.table), policy.days, now)
    for dropped, part in enumerate(due):
        if here.stop.is_set():
            return Run(policy, dropped, len(due) - dropped, STOPPED), None
        fault = None
        try:
            why = await _let_go(here, conn, on, policy, part)
        except (ArchiveError, OSError, psycopg.Error) as error:
            if here.stop.is_set():
                return Run(policy, dropped, len(due) - dropped, STOPPED), None
            if conn.closed:
                raise
            why = fault = str(error)
        if why:
            return Run(policy, dropped, len(due) - dropped, why), fault
        metrics.PARTS_DROPPED.labels(policy.kind.name, policy.level).inc()
        log.info("part.dropped", table=policy.table, since=part.since.isoformat(), until=part.until.isoformat())
    return Run(policy, len(due), 0), None


async def _let_go(
    here: Context, conn: psycopg.AsyncConnection[Any], on: Flavour, policy: Policy, part: Part
) -> str | None:
    """Archive a part where that is asked for, and drop it; None where it is gone."""
    if hold := await retention.wanted(conn, policy, part):
        return hold
    if policy.level != "raw" or here.settings.archive_dir is None:
        return await retention.drop(conn, on, policy, part, None)
    source = Source(policy.kind, part, Path(here.settings.archive_dir))
    hold = None
    for attempt in range(TRIES):
        rows = await _archive(here, conn, source, anew=attempt > 0)
        hold = await retention.drop(conn, on, policy, part, rows)
        if hold is not Hold.ARCHIVE:
            break
    return hold


async def _archive(here: Context, conn: psycopg.AsyncConnection[Any], source: Source, anew: bool) -> int:
    """Have a part in the archive; how many rows of it are there. A file that a run before this has left is taken."""
    there = await archive.pending(conn, source.table, source.part.since)
    whole = there is not None and await asyncio.to_thread(archive_file.check, source.folder, there) is None
    if there is not None and whole and not anew:
        return there.rows
    recorded = await archive.taken(conn, source.table, source.part.since)
    name = there.file if there is not None and whole else None
    done = await _in_thread(
        here, lambda own: archive_file.write(own, source, recorded, name, lambda: not here.stop.is_set())
    )
    if done is None:
        return 0
    await archive.keep(conn, done)
    metrics.ROWS_ARCHIVED.labels(source.kind.name).inc(done.rows)
    log.info("part.archived", file=done.file, rows=done.rows, bytes=done.size)
    return done.rows


async def _in_thread(here: Context, work: Callable[[psycopg.Connection[Any]], Found]) -> Found:
    """Work that blocks, with a connection of its own. When the worker is to stop the server is told, too."""
    opened: list[psycopg.Connection[Any]] = []

    def run() -> Found:
        with connect(_url(here), "archive") as conn:
            opened.append(conn)
            return work(conn)

    working = asyncio.create_task(asyncio.to_thread(run))
    stopping = asyncio.create_task(here.stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done() and opened:
        await asyncio.to_thread(opened[0].cancel_safe)
    return await working


def _report(here: Context, faults: list[str]) -> None:
    if faults:
        metrics.JOB_FAILURES.labels("retain").inc()
    if not faults:
        here.health.succeeded(NAME)
    elif here.health.failed(NAME, text := "; ".join(faults)):
        log.warning("retention.failed", error=text)


def _url(here: Context) -> str:
    return require(here.settings.database_url, "SIAGA_DATABASE_URL")
