"""The periodic jobs: one function and one line here each.

Plain loops, not Procrastinate's cron: a roll-up every two seconds would be four rows and a NOTIFY each time, and what
was missed while the worker was away needs no catching up. Each job may run in two workers at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import psycopg
from procrastinate.exceptions import ConnectorException

from runtime.log import get_logger
from runtime.stop import sleep_until
from worker import database, metrics
from worker.commands import expire_commands, forget_commands
from worker.context import Context
from worker.count_ledger import count_ledger
from worker.dispatch import count_dead, dispatch
from worker.energy import judge_nights, watch_power
from worker.forecast import forecast, forget_forecasts, learn_lags
from worker.group import group
from worker.life import take_over_life
from worker.retain import retain
from worker.review import review_past
from worker.roll_up import roll_up
from worker.roll_up_groups import roll_up_groups
from worker.unshelve import unshelve
from worker.upkeep import drop_payloads, forget_sessions, make_ahead, prune_jobs, retry_stalled
from worker.watch import watch

log = get_logger(__name__)

HOUR = 3600.0


class Job(NamedTuple):
    """Runs every so many seconds; a job that returns a number says itself when to come again."""

    every_s: float
    run: Callable[[Context], Awaitable[float | None]]


SCHEDULE = (
    Job(2, roll_up),
    Job(5, watch),
    Job(2, unshelve),
    Job(2, group),
    Job(1, dispatch),
    Job(1, expire_commands),
    Job(5, take_over_life),
    Job(HOUR, forget_commands),
    Job(30, count_dead),
    Job(5, review_past),
    Job(10, retry_stalled),
    Job(HOUR, forget_sessions),
    Job(HOUR, prune_jobs),
    Job(HOUR, drop_payloads),
    Job(HOUR, make_ahead),
    Job(60, count_ledger),
    Job(30, roll_up_groups),
    Job(HOUR, retain),
    Job(60, forecast),
    Job(HOUR, learn_lags),
    Job(120, watch_power),
    Job(HOUR, judge_nights),
    Job(HOUR, forget_forecasts),
)


async def keep(job: Job, here: Context) -> None:
    """Run a job until asked to stop. What the database refuses is reported, and tried again with growing pauses."""
    name = job.run.__name__
    failures = 0
    metrics.JOB_FAILURES.labels(name)
    while await database.reached(here):
        try:
            rest_s = await job.run(here)
        except (psycopg.Error, ConnectorException) as error:
            failures += 1
            metrics.JOB_FAILURES.labels(name).inc()
            if here.health.failed(name, text := reason(error)):
                log.warning("job.failed", job=name, error=text)
            rest_s = min(0.5 * 2**failures, here.settings.database_retry_max_s)
        else:
            failures = 0
            here.health.succeeded(name)
        await sleep_until(here.stop, job.every_s if rest_s is None else rest_s)


def reason(error: BaseException) -> str:
    """The first line of what the database said; Procrastinate wraps it."""
    return (str(error.__cause__ or error).splitlines() or [type(error).__name__])[0]
