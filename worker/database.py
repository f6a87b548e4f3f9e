"""One look-out for the database: whoever has lost it waits here, and one line in the log speaks for all."""

from __future__ import annotations

import psycopg

from runtime.log import get_logger
from runtime.stop import sleep_until
from worker.context import Context

log = get_logger(__name__)

PROBE = "SELECT FROM rollup_mark LIMIT 0"
PROBE_S = 2.0
PAUSE_FIRST_S = 0.5


async def reached(here: Context) -> bool:
    """Wait for a database with our schema, with growing pauses; False when asked to stop meanwhile."""
    async with here.looking_out:
        pause_s, told = PAUSE_FIRST_S, ""
        while not here.stop.is_set():
            try:
                async with here.pool.connection(PROBE_S) as conn:
                    await conn.execute(PROBE)
            except psycopg.Error as error:
                if (text := _words(error)) != told:
                    told = text
                    log.warning("database.unreachable", why=text)
                await sleep_until(here.stop, pause_s)
                pause_s = min(pause_s * 2, here.settings.database_retry_max_s)
                continue
            if told:
                log.info("database.reached")
            return True
    return False


def _words(error: psycopg.Error) -> str:
    if isinstance(error, psycopg.errors.UndefinedTable):
        return "the database has no schema of ours yet; `siaga migrate` makes it"
    return (str(error).splitlines() or [type(error).__name__])[0]
