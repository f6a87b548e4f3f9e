"""Which longer delays and larger deadbands are worth a try on a device, and the rules that they make. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from alerts.advice_course import Course
from alerts.rule import Level, Rule, check
from alerts.silence import silent_after_s
from devices.kind import Floats

What = Literal["delay_on_s", "samples", "delay_off_s", "hysteresis", "after_s"]

# From this severity on alerts are not lost, and rungs keep their pace.
SEVERE = 2
# Of what is to be bridged or waited for: half, most and nearly all of it.
QUANTILES = (0.5, 0.8, 0.95)
STEPS_S = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
OFF_STEPS_S = (*STEPS_S, 7200)
SAMPLES = (2, 3, 5)
# Readings that come more often are told apart by seconds, not by their number.
COUNTED_FROM_S = 60.0
DEADBAND = frozenset({"above", "below", "congestion", "stopped", "low_power", "high_power", "low_power_factor"})
FALLING = frozenset({"below", "congestion", "stopped", "low_power", "low_power_factor"})
IN_OWN_UNIT = frozenset({"above", "below", "stopped", "low_power_factor"})
TIMES_SILENT = (1.5, 2.0, 3.0)


class Signal(NamedTuple):
    """The readings of one device: times in s since 1970, values as they are compared with the bounds (NaN: not known),
    good: neither suspect nor failed."""

    times: Floats
    values: Floats
    good: npt.NDArray[np.bool_]

    @property
    def suspect_share(self) -> float:
        return float(np.mean(~self.good)) if len(self.good) else 0.0

    @property
    def interval_s(self) -> float:
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 0.0


class Change(NamedTuple):
    """One field of a rule, and what it is to be; in s, readings, or the unit of the bound."""

    what: What
    value: float


def changes(rule: Rule, attributes: Mapping[str, Any], before: Course, signal: Signal, until: float) -> list[Change]:
    """What is worth a try, sized by how long alerts and the gaps between them last and how far the signal swings."""
    begin, end = before.spans(0, until)
    if rule.condition == "stale":
        return _longer_silence(rule)
    found: list[Change] = []
    mild = [level for level in rule.level if level.severity < SEVERE]
    if mild and len(begin):
        lasted = end - begin - rule.delay_off_s + max(level.delay_on_s for level in mild)
        longest = max(level.delay_on_s for level in mild)
        found += [Change("delay_on_s", step) for step in _steps(lasted, STEPS_S) if step > longest]
        if signal.interval_s >= COUNTED_FROM_S:
            most = max(level.samples for level in mild)
            found += [Change("samples", number) for number in SAMPLES if number > most]
    if len(begin) > 1:
        apart = begin[1:] - end[:-1] + rule.delay_off_s
        found += [Change("delay_off_s", step) for step in _steps(apart, OFF_STEPS_S) if step > rule.delay_off_s]
    if rule.condition in DEADBAND:
        found += [Change("hysteresis", width) for width in _widths(rule, attributes, signal) if width > rule.hysteresis]
    return found


def changed(rule: Rule, change: Change) -> Rule | None:
    """The rule with this change; None where the limits of rules rule it out. Severe rungs come as quickly as before."""
    if change.what in ("delay_on_s", "samples"):
        update: dict[str, Any] = {change.what: int(change.value) if change.what == "samples" else change.value}
        rungs = [_at_least(rung, update) if rung.severity < SEVERE else rung for rung in rule.level]
        given = rule.model_dump() | {"level": [rung.model_dump() for rung in rungs]}
    else:
        given = rule.model_dump() | {change.what: change.value}
    found = check(given)
    return found if isinstance(found, Rule) else None


def bound_of(level: Level, attributes: Mapping[str, Any]) -> float | None:
    """The bound of a rung on a device with these attributes, in the metric's unit."""
    found = level.bound if level.bound_from is None else attributes.get(level.bound_from)
    return None if found is None else float(found)


def in_own_unit(rule: Rule) -> bool:
    """Whether bounds are in the unit of the rule's metric, and not a share of something else."""
    return rule.condition in IN_OWN_UNIT


def as_bounded(rule: Rule, values: Floats, attributes: Mapping[str, Any]) -> Floats:
    """Values of the rule's metric as its condition compares them with the bound; NaN where that takes more metrics."""
    if rule.condition == "low_power_factor":
        return np.abs(values)
    if rule.condition == "congestion":
        return values / float(attributes.get("free_flow_kmh") or np.nan)
    return values if in_own_unit(rule) else np.full(len(values), np.nan)


def _at_least(rung: Level, update: Mapping[str, Any]) -> Level:
    return rung.model_copy(update={name: max(value, getattr(rung, name)) for name, value in update.items()})


def _steps(lasted: Floats, steps: Sequence[int]) -> list[int]:
    """Steps that reach half, most and nearly all of these; none where that takes longer than the last step."""
    wanted = np.quantile(lasted, QUANTILES)
    return sorted({step for each in wanted if (step := next((s for s in steps if s >= each), 0))})


def _longer_silence(rule: Rule) -> list[Change]:
    return [Change("after_s", silent_after_s(rule, rule.kind) * times) for times in TIMES_SILENT]


def _widths(rule: Rule, attributes: Mapping[str, Any], signal: Signal) -> list[float]:
    """Deadbands that bridge half, most and nearly all of the swings to the good side between two alarms."""
    swings = [
        swing
        for level in rule.level
        if (bound := bound_of(level, attributes)) is not None
        for swing in _swings(signal.values[signal.good] - bound, rule.condition in FALLING)
    ]
    if swings:
        return sorted({_round_up(float(each)) for each in np.quantile(swings, QUANTILES)})
    return [rule.hysteresis * 2, rule.hysteresis * 4] if np.isnan(signal.values).all() else []


def _swings(beyond: Floats, falling: bool) -> list[float]:
    """How far the value was on the good side of the bound, each time between two on the other."""
    depth = beyond if falling else -beyond
    depth = depth[~np.isnan(depth)]
    good = depth >= 0 if falling else depth > 0
    edges = np.flatnonzero(good[1:] != good[:-1]) + 1
    pieces = np.split(depth, edges)
    inner = pieces[1:-1]
    return [float(piece.max()) for piece in inner if piece[0] >= 0 and piece.max() > 0]


def _round_up(width: float) -> float:
    """To 1, 2 or 5 of a power of ten."""
    power = 10.0 ** np.floor(np.log10(width))
    return float(next(round(step * power, 9) for step in (1, 2, 5, 10) if step * power >= width * (1 - 1e-9)))
