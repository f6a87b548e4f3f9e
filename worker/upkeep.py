"""Housekeeping: nothing here is urgent, and doing it twice does no harm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from devices.kinds import KINDS
from runtime.log import get_logger
from storage import keys, outbox, quarantine_keep
from storage.flavour import make_partitions, start_of
from storage.kind_tables import STEPS, table_of
from worker import metrics
from worker.context import Context

log = get_logger(__name__)

# Procrastinate's heartbeat comes every 10 s; no notice takes longer than a minute.
SILENT_S = 30.0
STUCK_S = 300.0
KEEP_JOBS_H = 7 * 24
# A payload may have 256 KiB; TOAST deletes them one by one.
PAYLOADS_AT_ONCE = 1_000


async def retry_stalled(here: Context) -> None:
    """Do again what a killed worker left half done."""
    async with here.pool.connection() as conn:
        retried = await outbox.retry_stalled(conn, SILENT_S, STUCK_S)
    if retried:
        metrics.JOBS_RETRIED.inc(retried)
        log.warning("jobs.retried", count=retried)


async def forget_sessions(here: Context) -> None:
    """Delete sessions that are over."""
    async with here.pool.connection() as conn:
        await keys.forget_expired(conn)


async def prune_jobs(here: Context) -> None:
    """Delete jobs that ended a week ago. What became of a notice stays in its row."""
    await here.outbox.job_manager.delete_old_jobs(
        KEEP_JOBS_H, include_failed=True, include_cancelled=True, include_aborted=True
    )


async def make_ahead(here: Context) -> None:
    """Make the parts that hold the present, and those after them: the first batch of a week need not."""
    now = datetime.now(UTC)
    async with here.pool.connection() as conn:
        for kind in KINDS.values():
            for level, step in STEPS.items():
                starts = (start_of(at, step) for at in (now, now + step))
                await make_partitions(conn, table_of(kind, level), starts, step)


async def drop_payloads(here: Context) -> None:
    """Drop payloads of quarantine that are replayed or discarded and old; rows, counts and events stay."""
    if not here.settings.quarantine_keep_days:
        return
    before = datetime.now(UTC) - timedelta(days=here.settings.quarantine_keep_days)
    total = 0
    async with here.pool.connection() as conn:
        while (
            dropped := await quarantine_keep.drop_payloads(conn, before, PAYLOADS_AT_ONCE)
        ) and not here.stop.is_set():
            total += dropped
    if total:
        log.info("payloads.dropped", count=total)
