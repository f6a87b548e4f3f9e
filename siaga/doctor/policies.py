"""Retention: whether it runs, and whether anything has had its time and is still there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from siaga.doctor.verdict import Verdict, ok, problem, warning
from siaga.durations import seconds_text
from siaga.storage_status import Line, minute
from storage.flavour import MEND_JOB, Failing

# A run that drops much, or waits for an archive, comes late.
LATE = timedelta(hours=2)


def judge(lines: Sequence[Line], failing: Sequence[Failing], now: datetime) -> Iterator[Verdict]:
    yield _runs(lines, now)
    yield _due(lines)
    for job in failing:
        yield problem(
            "TimescaleDB",
            f"{job.what} of {job.table} failed at {minute(job.ran_at)} UTC",
            MEND_JOB,
        )


def _runs(lines: Sequence[Line], now: datetime) -> Verdict:
    told = [line.told for line in lines if line.told]
    if not told:
        return warning("retention", "has not run yet", "Start `siaga worker`; it runs retention within a minute.")
    ran, following = max(each.ran_at for each in told), max(each.next_at for each in told)
    if now > following + LATE:
        return problem(
            "retention",
            f"ran {minute(ran)} UTC, was to run again {seconds_text((now - following).total_seconds())} ago",
            "Is `siaga worker` running? Its log has `job.failed` with job=retain.",
        )
    return ok("retention", f"ran {minute(ran)} UTC, next {minute(following)}")


def _due(lines: Sequence[Line]) -> Verdict:
    due = [line for line in lines if line.due]
    if not due:
        return ok("parts", "none that have had their time are left")
    held = sorted(
        {hold.value for line in due for hold in line.held}
        | {line.told.why for line in due if line.told and line.told.why}
    )
    what = ", ".join(f"{line.due} of {line.use.table}" for line in due)
    if held:
        return warning(
            "parts",
            f"kept beyond their time: {what}; held back by {', '.join(held)}",
            "They go when the worker has caught up; if not, `siaga storage status` says what each waits for.",
        )
    return warning(
        "parts", f"have had their time: {what}", "They go at the next run of retention; if not, see its log."
    )
