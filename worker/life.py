"""Devices whose date has come: in service, or retired. Where there is none, as nearly always, nothing is locked."""

from __future__ import annotations

from datetime import UTC, datetime

from runtime.log import get_logger
from storage import life
from worker.context import Context

log = get_logger(__name__)


async def take_over_life(here: Context) -> None:
    """Let devices be what their dates say."""
    now = datetime.now(UTC)
    async with here.pool.connection() as conn:
        if not await life.is_due(conn, now):
            return
        async with conn.transaction():
            changed = await life.apply(conn, now)
    log.info("devices.life_changed", count=changed)
