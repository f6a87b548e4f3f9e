"""Conditions: for each reading, the rung it reaches (up) and the rung it still holds (hold).

Vectorised over a batch and pure. Here are those of any kind; those of lamps and of roads have files of their own.
A new condition is one function, and its name below.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alerts import conditions_lamp as lamp
from alerts import conditions_road as road
from alerts.judged import UNKNOWN, Judged, Seen, highest, where_known, yes_or_no
from alerts.rule import Condition, Rule
from devices.kind import Bools, Floats


def above(rule: Rule, seen: Seen) -> Judged:
    """At or above an inclusive bound; held down to bound - hysteresis."""
    value, bounds = seen.metric(rule.metric or ""), seen.bounds(rule)
    up = highest(value, [value >= b for b in bounds])
    hold = highest(value, [value >= b - rule.hysteresis for b in bounds])
    return where_known(~np.isnan(value) & _any_bound(bounds), up, hold)


def below(rule: Rule, seen: Seen) -> Judged:
    """Strictly below a bound; held up to bound + hysteresis. Values under ignore_below say nothing."""
    value, bounds = seen.metric(rule.metric or ""), seen.bounds(rule)
    up = highest(value, [value < b for b in bounds])
    hold = highest(value, [value < b + rule.hysteresis for b in bounds])
    known = ~np.isnan(value) & _any_bound(bounds)
    if rule.ignore_below is not None:
        known &= value >= rule.ignore_below
    return where_known(known, up, hold)


def missing(rule: Rule, seen: Seen) -> Judged:
    """The device reports, but not what it is there for."""
    absent = np.isnan(seen.metric(rule.metric or ""))
    return yes_or_no(np.ones(len(absent), dtype=np.bool_), absent)


def untrusted(rule: Rule, seen: Seen) -> Judged:
    """Stored as suspect, failed or without any value: what is said here is about the sensor."""
    trusted = seen.readings.trusted
    return yes_or_no(np.ones(len(trusted), dtype=np.bool_), ~trusted)


def stale(rule: Rule, seen: Seen) -> Judged:
    """A live reading is the end of silence; silence itself is found by the clock (alerts/silence.py)."""
    late = seen.readings.late
    return yes_or_no(~late, np.zeros(len(late), dtype=np.bool_))


CONDITIONS: dict[str, Callable[[Rule, Seen], Judged]] = {
    "above": above,
    "below": below,
    "missing": missing,
    "untrusted": untrusted,
    "stale": stale,
    "lamp_out": lamp.lamp_out,
    "unpowered": lamp.unpowered,
    "day_burner": lamp.day_burner,
    "low_power": lamp.low_power,
    "high_power": lamp.high_power,
    "low_power_factor": lamp.low_power_factor,
    "cycling": lamp.cycling,
    "congestion": road.congestion,
    "stopped": road.stopped,
    "no_flow": road.no_flow,
}
# All others are asked of trusted readings only. A sensor that sends nonsense is not silent, and that is a fault.
OF_ANY_READING: frozenset[Condition] = frozenset(("stale", "untrusted"))

__all__ = ["CONDITIONS", "OF_ANY_READING", "UNKNOWN", "Judged", "Seen"]


def _any_bound(bounds: list[Floats]) -> Bools:
    return np.asarray(~np.isnan(bounds).all(axis=0), dtype=np.bool_)
