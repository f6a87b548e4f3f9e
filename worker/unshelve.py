"""Brings back what is shelved or suppressed no longer, and tells of what still stands; in one transaction, so once.

Also takes in what stood when a window began. Where there is nothing to do, which is nearly always, nothing is locked.
"""

from __future__ import annotations

from datetime import UTC, datetime

from runtime.log import get_logger
from storage import event_log, shelf, windows
from storage.announce import announce_back
from worker.context import Context

log = get_logger(__name__)


async def unshelve(here: Context) -> None:
    """End shelves whose time is over, and begin and end windows."""
    now = datetime.now(UTC)
    async with here.pool.connection() as conn:
        if not (await shelf.any_over(conn, now) or await windows.any_windows(conn, now)):
            return
        async with conn.transaction():
            await conn.execute(event_log.LOCK)
            back = await shelf.end_shelves(conn, now)
            back += await windows.apply_windows(conn, now)
            told = await announce_back(conn, back, here.settings.notice_severity)
    if back:
        log.info("alerts.back", count=len(back), told=told)
