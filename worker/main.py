"""The worker process: rollups, housekeeping and notices, for as long as it takes the database to come back."""

from __future__ import annotations

import asyncio
import logging

import prometheus_client

from runtime.log import get_logger
from runtime.settings import SettingError, Settings, require
from runtime.stop import stop_event
from storage import retention
from storage.parts import keep_beating
from worker import backlog, context, metrics, notify, schedule
from worker.broker import sync as broker_sync
from worker.context import Context

log = get_logger(__name__)

PART, BROKER = "worker", "broker sync"
# A clean stop takes up to 5 s in all: jobs under way first, then the connections.
GRACE_S = 4.0
CLOSE_S = 0.5


def run(settings: Settings) -> int:
    """Work until SIGTERM or SIGINT; the exit code. Raises SettingError."""
    backlog.check_url(settings)
    retention.policies(settings)
    broker_sync.target(settings)
    # What they say at these levels we say ourselves, once; at the others it would be a traceback per try.
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    if settings.worker_metrics_port:
        try:
            prometheus_client.start_http_server(settings.worker_metrics_port, settings.api_host, metrics.REGISTRY)
        except OSError as error:
            raise SettingError(f"SIAGA_WORKER_METRICS_PORT {settings.worker_metrics_port}: {error}") from None
    return asyncio.run(_work(settings))


async def _work(settings: Settings) -> int:
    here = context.make(settings, stop_event())
    await here.pool.open()
    await here.outbox.open_async(here.pool)
    notify.register(here)
    url = require(settings.database_url, "SIAGA_DATABASE_URL")
    # As it is when Prometheus asks: it rises while nothing can be rolled up.
    metrics.ROLLUP_LAG.set_function(lambda: here.health.lag_s)
    log.info("worker.started")
    tasks = [
        asyncio.create_task(keep_beating(url, PART, lambda: here.health.how, here.stop)),
        asyncio.create_task(backlog.keep_asking(here), name="backlog"),
        asyncio.create_task(notify.send_notices(here), name="notices"),
        asyncio.create_task(broker_sync.keep(settings, here.stop, here.health.about(BROKER)), name=BROKER),
        *(asyncio.create_task(schedule.keep(job, here), name=job.run.__name__) for job in schedule.SCHEDULE),
    ]
    ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    code = 0 if here.stop.is_set() else 1
    await _finish(here, tasks)
    for task in ended:
        # A job that raised anything but a database error is a bug: better to end and be started anew than to go on.
        if not task.cancelled() and (error := task.exception()):
            log.error("worker.failed", task=task.get_name(), exc_info=error)
    log.info("worker.stopped")
    return code


async def _finish(here: Context, tasks: list[asyncio.Task[None]]) -> None:
    here.stop.set()
    _, late = await asyncio.wait(tasks, timeout=GRACE_S)
    for task in late:
        log.warning("task.cancelled", task=task.get_name())
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await here.pool.close(CLOSE_S)
