"""The `deliver` job: send one message to one person. Marked as done after sending: a crash repeats, never loses."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision

from runtime.log import get_logger
from runtime.stop import sleep_until
from storage import notices
from storage.notices import ToSend
from storage.outbox import DELIVER, NOTICES
from worker import channels, database, metrics
from worker.channels import Refused, Weight
from worker.context import Context
from worker.schedule import reason

log = get_logger(__name__)

# 5, 10, 20 … 600 s, in all about two hours; then a person has seen it on the screen or nobody will.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5, 600
TRIES_MAX = 19
AT_ONCE = 4
# Jobs under way when asked to stop.
GRACE_S = 3.0
# Having run for so long, it works; having ended before, it starts anew after a pause.
SETTLED_S = 10.0
RESTART_S = 2.0


class NotSentError(Exception):
    """A channel did not take a message and may take it later."""


class BackOff(BaseRetryStrategy):
    """Again with growing pauses, whatever went wrong, for a bounded number of times."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if is_last(job.attempts):
            return None
        return RetryDecision(retry_in={"seconds": pause_s(job.attempts)})


def is_last(tries_before: int) -> bool:
    return tries_before + 1 >= TRIES_MAX


def pause_s(tries_before: int) -> int:
    """How long to wait after one more try has failed."""
    return int(min(FIRST_PAUSE_S * 2 ** min(tries_before, 30), LONGEST_PAUSE_S))


def register(here: Context) -> None:
    """Make the job known to Procrastinate, and say at once what is wrong with the channels."""
    plan = here.notices.plan
    if not plan.routes:
        log.warning("notices.nowhere", why="no SIAGA_NOTIFY_URLS, no route: alerts are shown, nobody is told")
    channels.check(plan)

    @here.outbox.task(name=DELIVER, queue=NOTICES, retry=BackOff(), pass_context=True)
    async def deliver(context: procrastinate.JobContext, delivery_id: int) -> None:
        await send(here, delivery_id, context.job.attempts)


async def send(here: Context, delivery_id: int, tries_before: int) -> None:
    """Send a message that is not sent yet. Raises NotSentError if it may go better later."""
    async with here.pool.connection() as conn:
        message = await notices.to_send(conn, delivery_id)
    if message is None:
        return
    refused = await _try(here, message)
    async with here.pool.connection() as conn:
        if refused is None:
            await notices.sent(conn, delivery_id)
            metrics.NOTICES.labels("sent").inc()
            log.info("notice.sent", delivery=delivery_id, who=message.who, channel=message.channel)
            return
        again_s = None if refused.permanent or is_last(tries_before) else pause_s(tries_before)
        next_try_at = None if again_s is None else datetime.now(UTC) + timedelta(seconds=again_s)
        await notices.failed(conn, delivery_id, refused.error, next_try_at)
    metrics.NOTICES.labels("gave_up" if again_s is None else "failed").inc()
    say = log.warning if again_s is not None else log.error
    say(
        "notice.not_sent", delivery=delivery_id, who=message.who, channel=message.channel, error=refused.error,
        gave_up=again_s is None,
    )  # fmt: skip
    if again_s is not None:
        raise NotSentError(f"delivery {delivery_id}: {message.channel}")


async def _try(here: Context, message: ToSend) -> Refused | None:
    # The plan of now: a channel may have moved since the message was made.
    found = channels.address(here.notices.plan, message.channel)
    return (
        found
        if isinstance(found, Refused)
        else await channels.send(found, message.title, message.body, _weight(message))
    )


def _weight(message: ToSend) -> Weight:
    if message.what == "over":
        return "success"
    return "failure" if message.severity >= 2 else "warning"


async def send_notices(here: Context) -> None:
    """Work the queue until asked to stop; Procrastinate's worker ends when it loses the database, and starts anew."""
    while await database.reached(here):
        working = asyncio.create_task(
            here.outbox.run_worker_async(
                queues=[NOTICES],
                name="notices",
                concurrency=AT_ONCE,
                shutdown_graceful_timeout=GRACE_S,
                install_signal_handlers=False,
            )
        )
        stopping = asyncio.create_task(here.stop.wait())
        ended, _ = await asyncio.wait({working, stopping}, timeout=SETTLED_S, return_when=asyncio.FIRST_COMPLETED)
        if not ended:
            here.health.succeeded("notices")
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if here.stop.is_set():
            working.cancel()
        (why,) = await asyncio.gather(working, return_exceptions=True)
        if isinstance(why, psycopg.Error | ConnectorException):
            if here.health.failed("notices", reason(why)):
                log.warning("notices.interrupted", error=reason(why))
        elif isinstance(why, Exception):
            raise why
        await sleep_until(here.stop, RESTART_S)
