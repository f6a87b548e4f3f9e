"""Clocks: `received_at` is this machine's, and a reading ahead of it goes to quarantine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from siaga.doctor.verdict import Verdict, ok, problem, warning
from siaga.durations import seconds_text

WARN_S, BAD_S = 2.0, 30.0
CURE = "Let chrony or systemd-timesyncd set the clocks of all machines (`timedatectl`)."


class Offset(NamedTuple):
    """How far another clock is ahead of ours. unsure_s: how far the truth may be off, half the way there and back."""

    ahead_s: float
    unsure_s: float


class Zone(NamedTuple):
    """Offsets from UTC just now: as Python knows the zone, and as the database does (None: not at all)."""

    name: str
    ours_s: float
    database_s: float | None


def offset(before: datetime, there: datetime, after: datetime, step_s: float = 0.0) -> Offset:
    """Of a clock that was read between two looks at ours, and shows steps of so many seconds."""
    middle = before + (after - before) / 2
    return Offset((there - middle).total_seconds() + step_s / 2, (after - before).total_seconds() / 2 + step_s / 2)


def judge(whose: str, found: Offset) -> Verdict:
    check = f"clock, {whose}"
    off_s = max(abs(found.ahead_s) - found.unsure_s, 0.0)
    if off_s <= WARN_S:
        return ok(check, f"as this machine's, within {max(abs(found.ahead_s), found.unsure_s):.1f} s")
    what = f"{seconds_text(abs(found.ahead_s))} {'ahead of' if found.ahead_s > 0 else 'behind'} this machine's"
    return (problem if off_s > BAD_S else warning)(check, what, CURE)


def judge_zone(zone: Zone) -> Iterator[Verdict]:
    check = "time zone"
    if zone.database_s is None:
        yield problem(
            check,
            f"the database does not know {zone.name}, so days cannot be rolled up",
            "Install the time zones of the database's machine (tzdata), and restart it.",
        )
    elif zone.database_s != zone.ours_s:
        yield problem(
            check,
            f"{zone.name} is UTC{_signed(zone.ours_s)} here and UTC{_signed(zone.database_s)} in the database",
            "Update tzdata on both machines: days would begin at different times.",
        )
    else:
        yield ok(check, f"{zone.name}, UTC{_signed(zone.ours_s)}, here and in the database")


def _signed(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
