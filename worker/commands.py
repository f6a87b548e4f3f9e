"""Commands that nobody has answered in time, and those that ended long ago. Also while ingest is away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from runtime.log import get_logger
from storage import commands
from worker.context import Context

log = get_logger(__name__)


async def expire_commands(here: Context) -> None:
    """End commands whose time is over."""
    async with here.pool.connection() as conn:
        ended = await commands.expire(conn, datetime.now(UTC))
    if ended:
        log.info("commands.expired", count=ended)


async def forget_commands(here: Context) -> None:
    """Delete those that ended before SIAGA_COMMAND_KEEP_DAYS."""
    async with here.pool.connection() as conn:
        await commands.forget(conn, datetime.now(UTC), timedelta(days=here.settings.command_keep_days))
