"""The `notify` job: tell every channel of a transition. Marked as done after sending: a crash repeats, never loses."""

from __future__ import annotations

import asyncio

import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision

from devices.kinds import KINDS
from runtime.log import get_logger
from runtime.stop import sleep_until
from storage import notices
from storage.notices import Facts
from storage.outbox import NOTICES, NOTIFY
from worker import channels, database, metrics
from worker.channels import Channel, Weight
from worker.context import Context
from worker.notice_text import Text, compose
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
    """Some channel did not take a notice and may take it later."""


class BackOff(BaseRetryStrategy):
    """Again with growing pauses, whatever went wrong, for a bounded number of times."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if job.attempts + 1 >= TRIES_MAX:
            return None
        return RetryDecision(retry_in={"seconds": pause_s(job.attempts)})


def pause_s(tries_before: int) -> int:
    """How long to wait after one more try has failed."""
    return int(min(FIRST_PAUSE_S * 2 ** min(tries_before, 30), LONGEST_PAUSE_S))


def register(here: Context) -> list[Channel]:
    """Make the job known to Procrastinate; the channels it will send on."""
    targets = channels.parse(here.settings.notify_urls.get_secret_value() if here.settings.notify_urls else None)
    if not targets:
        log.warning("notices.nowhere", why="SIAGA_NOTIFY_URLS names no channel: alerts are shown, nobody is told")

    @here.outbox.task(name=NOTIFY, queue=NOTICES, retry=BackOff(), pass_context=True)
    async def notify(context: procrastinate.JobContext, transition_id: int) -> None:
        await tell(here, targets, transition_id, last=context.job.attempts + 1 >= TRIES_MAX)

    return targets


async def tell(here: Context, targets: list[Channel], transition_id: int, last: bool) -> None:
    """Send what has not been sent yet. Raises NotSentError if something may go better later."""
    async with here.pool.connection() as conn:
        facts = await notices.facts(conn, transition_id)
        settled = await notices.settled(conn, transition_id)
        waiting = [channel for channel in targets if channel.name not in settled]
        if facts is None or not waiting:
            return
        # Of a river people ask at once how fast it rises.
        kind = KINDS.get(facts.kind) if facts.siaga is not None else None
        per_hour = await notices.change_per_hour(conn, kind, facts) if kind else None
    text = compose(facts, per_hour, here.settings.zone, here.settings.regency, here.settings.api_url)
    sends = (_send(here, channel, transition_id, facts, text, last) for channel in waiting)
    # All end before the job does: what goes wrong with one must not have another sent a second time meanwhile.
    outcomes = await asyncio.gather(*sends, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    if failed := [channel.name for channel, again in zip(waiting, outcomes, strict=True) if again]:
        raise NotSentError(f"transition {transition_id}: {', '.join(failed)}")


async def _send(here: Context, channel: Channel, transition_id: int, facts: Facts, text: Text, last: bool) -> bool:
    """True if this channel should be tried again."""
    refused = await channels.send(channel, text.title, text.body, _weight(facts))
    async with here.pool.connection() as conn:
        if refused is None:
            await notices.sent(conn, transition_id, channel.name)
            metrics.NOTICES.labels("sent").inc()
            log.info("notice.sent", transition=transition_id, channel=channel.name)
            return False
        gave_up = refused.permanent or last
        await notices.failed(conn, transition_id, channel.name, refused.error, gave_up)
    outcome = "gave_up" if gave_up else "failed"
    metrics.NOTICES.labels(outcome).inc()
    log.warning("notice.not_sent", transition=transition_id, channel=channel.name, error=refused.error, gave_up=gave_up)
    return not gave_up


def _weight(facts: Facts) -> Weight:
    if facts.what == "cleared":
        return "success"
    return "failure" if (facts.to_severity or 0) >= 2 else "warning"


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
