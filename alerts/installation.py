"""Alerts about the installation itself: nothing arrives any more, the broker fills up. Pure.

The worker raises them, so that they come when ingest is dead. They live like all others, under an id that no device
can have.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from alerts.engine import Transition, What
from alerts.rule import Key

KIND = "installation"
SUBJECT = "$siaga"
# Points of the limit by which a broker must have emptied before it counts as no longer full.
HYSTERESIS_PCT = 5


class Watch(NamedTuple):
    """A rule without devices."""

    rule: str
    severity: int


STREAM_SILENT = Watch("stream_silent", 3)
BROKER_FULL = Watch("broker_full", 2)


def is_full(held_pct: float, full_pct: float, active: bool) -> bool:
    """Whether the broker is full enough to say so; active: it has been said."""
    return held_pct >= full_pct - (HYSTERESIS_PCT if active else 0)


def moved(watch: Watch, up: bool, at: datetime, value: float | None) -> Transition:
    """The transition that raises or clears an alert about the installation."""
    what: What = "raised" if up else "cleared"
    was, then = (None, watch.severity) if up else (watch.severity, None)
    return Transition(Key(watch.rule, SUBJECT), KIND, what, None, was, then, None, at, value, False, watch.severity)
