"""The parts: whether each is there and says that it is well, and how far behind it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from runtime.settings import Settings
from siaga.doctor.verdict import Verdict, ok, problem, warning
from siaga.durations import seconds_text
from storage.checkup import Part, Waiting
from storage.parts import NOTHING, Facts, is_of

NEEDED = ("ingest", "worker")
ROLLUP_WARN_S, ROLLUP_BAD_S = 60.0, 900.0
COMMIT_WARN_S = 30.0
# As the stale alert of the whole stream: this much beyond the pace of the quickest device.
GRACE_S = 120.0
UNSENT_WARN_S = 600.0


def facts_of(parts: Sequence[Part], name: str) -> Facts:
    """What a part said within the last seconds; nothing of one that is silent."""
    return next((part.facts for part in parts if part.name == name and part.fresh), NOTHING)


def judge_parts(parts: Sequence[Part], now: datetime) -> Iterator[Verdict]:
    """now: by the database's clock, as the beats are."""
    for part in parts:
        yield _part(part, now)
    for name in NEEDED:
        if not any(is_of(part.name, name) for part in parts):
            yield problem(f"part {name}", "is not running", f"Start `siaga {name}`; its log says why it ended.")


def judge_lag(parts: Sequence[Part], waiting: Waiting, settings: Settings, now: datetime) -> Iterator[Verdict]:
    worker = facts_of(parts, "worker")
    if (lag_s := worker.get("rollup_lag_s")) is not None:
        yield _rollups(lag_s, worker.get("rollup_pending_marks") or 0)
    for part in parts:
        if is_of(part.name, "ingest") and part.fresh and part.facts:
            yield _ingest(part.name, part.facts)
    yield _newest(waiting, settings, now)


def judge_waiting(waiting: Waiting, now: datetime) -> Iterator[Verdict]:
    """What waits for a person."""
    yield _notices(waiting, now)
    if waiting.quarantined:
        since = f", the oldest for {_ago(waiting.quarantined_since, now)}"
        yield warning(
            "quarantine",
            f"{waiting.quarantined:,} entries wait{since}",
            "`siaga quarantine list`: replay what can be read now, discard what is none (docs/quarantine.md).",
        )
    else:
        yield ok("quarantine", "nothing waits")


def _part(part: Part, now: datetime) -> Verdict:
    check = f"part {part.name}"
    if not part.fresh:
        return problem(
            check,
            f"was last heard {_ago(part.beat_at, now)} ago, when it was {part.state}",
            "Start it again; its log says why it ended. Its row goes away when it ends on purpose.",
        )
    said = f"{part.state}: {part.detail}" if part.detail else part.state
    if part.state == "up":
        return ok(check, said)
    cure = "See docs/operations.md, and its log; /readyz has the same words."
    return (problem if part.state == "down" else warning)(check, said, cure)


def _rollups(lag_s: float, marks: float) -> Verdict:
    what = f"{seconds_text(lag_s)} behind, {marks:,.0f} marks pending"
    if lag_s <= ROLLUP_WARN_S:
        return ok("rollups", what)
    say = problem if lag_s > ROLLUP_BAD_S else warning
    return say("rollups", what, "It catches up by itself, the live hours first; if not, see the worker's log.")


def _ingest(name: str, facts: Mapping[str, float | None]) -> Verdict:
    check = f"{name} lag"
    held, limit, lag_s = facts.get("held_packets") or 0, facts.get("held_packets_limit"), facts.get("lag_s") or 0.0
    what = f"{held:,.0f} packets held, {seconds_text(lag_s)} from arrival to commit"
    if limit and held >= limit:
        return problem(check, f"{what}: it has stopped reading", "See docs/operations.md, SiagaIngestStopsReading.")
    if lag_s > COMMIT_WARN_S:
        return warning(check, what, "Is the database slow, or its disk? docs/operations.md, SiagaBacklogGrows.")
    return ok(check, what)


def _newest(waiting: Waiting, settings: Settings, now: datetime) -> Verdict:
    if waiting.devices == 0:
        return ok("readings", "no device is registered yet")
    if waiting.newest is None:
        return warning(
            "readings",
            f"none has come of {waiting.devices:,} registered devices",
            "Watch one: `siaga device listen ID` judges what it publishes.",
        )
    heard = max(waiting.newest, waiting.committed_at or waiting.newest)
    most_s = settings.stream_silent_s or (waiting.pace_s or 0) + GRACE_S
    quiet_s = (now - heard).total_seconds()
    what = f"newest {seconds_text(max(quiet_s, 0))} ago, of {waiting.devices:,} devices"
    if quiet_s > most_s:
        return problem(
            "readings",
            what,
            "The field is silent, or cannot reach the broker: docs/operations.md, SiagaNothingCommitted.",
        )
    return ok("readings", what)


def _notices(waiting: Waiting, now: datetime) -> Verdict:
    if waiting.dead:
        return problem(
            "notices",
            f"{waiting.dead:,} messages to people were given up within a day",
            "`siaga notices dead` names channel and reason. Mend it and send them again; tell people yourself.",
        )
    if waiting.unsent_since and (now - waiting.unsent_since).total_seconds() > UNSENT_WARN_S:
        return warning(
            "notices",
            f"one waits since {_ago(waiting.unsent_since, now)} and was never tried",
            "Is `siaga worker` running? Its log has `job.failed` with job=dispatch.",
        )
    return ok("notices", "none given up within a day")


def _ago(at: datetime | None, now: datetime) -> str:
    return seconds_text(max((now - at).total_seconds(), 0)) if at else "?"
