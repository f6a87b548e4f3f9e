"""The watchdog: alerts about what ingest cannot tell of, as it may be dead itself."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from alerts.installation import BROKER_FULL, STREAM_SILENT, Watch, is_full, moved
from alerts.silence import stream_silent_after_s
from runtime.log import get_logger
from storage import installation
from storage.ingest_session import Stream, streams
from worker.context import Context
from worker.health import Backlog

log = get_logger(__name__)


async def watch(here: Context) -> None:
    """Look once: raise what has begun, clear what is over. What cannot be told now stays as it was."""
    now, settings = datetime.now(UTC), here.settings
    async with here.pool.connection() as conn:
        stand = await installation.active(conn)
        # After an outage of ours, of the whole machine perhaps, devices have their time to speak first.
        since = None if STREAM_SILENT.rule in stand else here.health.started
        silent_s = longest_silence_s(await streams(conn), now, settings.stream_silent_s, since)
        told: list[tuple[Watch, bool, float | None]] = [(STREAM_SILENT, silent_s is not None, silent_s)]
        if (held_pct := share_pct(here.health.backlog)) is not None:
            full = is_full(held_pct, settings.broker_full_pct, BROKER_FULL.rule in stand)
            told.append((BROKER_FULL, full, held_pct))
        for which, up, value in told:
            if up != (which.rule in stand):
                step = moved(which, up, now, value)
                if await installation.write(conn, step, settings.notice_severity):
                    say = log.warning if up else log.info
                    say("installation.alert", rule=which.rule, what=step.what, value=value)


def longest_silence_s(
    found: Iterable[Stream], now: datetime, asked_s: float | None, since: datetime | None = None
) -> float | None:
    """Of streams that should have brought something by now, how long the most silent has been so; None: all flow.

    since: silence before that does not count.
    """
    silent = []
    for stream in found:
        after_s = stream_silent_after_s(stream.pace_s, asked_s)
        age_s = (now - max(stream.committed_at, since or stream.committed_at)).total_seconds()
        if after_s is not None and age_s > after_s:
            silent.append(age_s)
    return max(silent, default=None)


def share_pct(backlog: Backlog | None) -> float | None:
    """How full the broker is, in % of its limit; None where either is not known."""
    if backlog is None or not backlog.limit_bytes:
        return None
    return 100 * backlog.bytes / backlog.limit_bytes
