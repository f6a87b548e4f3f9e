"""Alerts that come too often: what a change of rule would have spared, what it would have cost, and which to take.

A change is judged by its course (alerts/advice_course.py) beside that of the rule in force. It may cost what is not
severe: a severe alert is never lost, and a siaga level that is severe never comes later. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from alerts.advice_changes import SEVERE, Change
from alerts.advice_course import Course
from alerts.rule import Rule
from devices.kind import Floats

HOUR = 3600.0
# Fewer changes of level than these are nothing to be spared.
LEAST_TRANSITIONS = 8
# Less than this share is not worth a rule of its own; of those within a tenth of the best the mildest is taken.
WORTH, NEARLY = 0.3, 0.1
# Gaps that are bridged may add so many times what the alerts had lasted, the longest left out; beyond that a change
# does not spare alerts, it hides their ends.
ADDS_TIMES = 2.0
NAMED_MOST = 20


class Lost(NamedTuple):
    """An alert that would not have come. Times in s since 1970."""

    begin: float
    end: float
    severity: int


class Effect(NamedTuple):
    """What a change would have done. removed: share of the changes of level, 0 … 1. delay_s: by how much the worst
    delayed level of those that remain comes later. lost: the first of lost_count. overstays: alerts would stand for too
    long after their end. harms: costs a severe one."""

    alerts: int
    transitions: int
    standing_s: float
    removed: float
    delay_s: float
    lost_count: int
    lost: tuple[Lost, ...]
    overstays: bool
    harms: bool


class Trial(NamedTuple):
    """A change, the whole rule with it, and what it would have done."""

    change: Change
    rule: Rule
    effect: Effect


def effect(rule: Rule, before: Course, after: Course, until: float) -> Effect:
    """What one course would have spared of another, and what it would have cost. until: the end of both, s."""
    begin, end = before.spans(0, until)
    delays = [_delays(before, after, severity, until) for severity in range(4)]
    missed = np.flatnonzero(np.isinf(delays[0]))
    worst = max((float(each[np.isfinite(each)].max(initial=0.0)) for each in delays), default=0.0)
    after_begin, after_end = after.spans(0, until)
    lasted, standing_s = end - begin, float(np.sum(after_end - after_begin))
    short_s = float(lasted.sum() - lasted.max(initial=0.0))
    return Effect(
        alerts=len(after_begin),
        transitions=len(after),
        standing_s=standing_s,
        removed=max(0.0, 1 - len(after) / len(before)) if len(before) else 0.0,
        delay_s=worst,
        lost_count=len(missed),
        lost=tuple(_lost(before, float(begin[i]), float(end[i])) for i in missed[:NAMED_MOST].tolist()),
        overstays=standing_s - float(lasted.sum()) > ADDS_TIMES * short_s,
        harms=_harms(rule, before, after, until, delays),
    )


def choose(trials: Sequence[Trial]) -> Trial | None:
    """The mildest of those that spare most: it loses the fewest, delays least, and lets alerts stand no longer."""
    good = [
        each for each in trials if not (each.effect.harms or each.effect.overstays) and each.effect.removed >= WORTH
    ]
    most = max((each.effect.removed for each in good), default=0.0)
    near = [each for each in good if each.effect.removed >= most - NEARLY]
    return min(near, key=lambda each: _cost(each.effect), default=None)


def _cost(found: Effect) -> tuple[int, float, float]:
    return found.lost_count, found.delay_s, found.standing_s


def _delays(before: Course, after: Course, severity: int, until: float) -> Floats:
    """By how much each span of at least this severity would have begun later, s; inf where it would not have come."""
    begin, end = before.spans(severity, until)
    if not len(after):
        return np.full(len(begin), np.inf)
    times, levels = after.times, after.levels
    now = np.searchsorted(times, begin, side="right") - 1
    stands = (now >= 0) & (levels[now] >= severity)
    reached = times[levels >= severity]
    following = np.append(reached, np.inf)[np.searchsorted(reached, begin, side="left")]
    return np.where(stands, 0.0, np.where(following <= end, following - begin, np.inf))


def _harms(rule: Rule, before: Course, after: Course, until: float, delays: Sequence[Floats]) -> bool:
    """Whether a severe alert would be lost, or a severe siaga level come later, or one pass for the one before it.

    Nobody is told again of a level that still stands, so one that comes an hour after the last has to begin anew.
    """
    ladder = any(level.siaga for level in rule.level)
    for severity in range(SEVERE, 4):
        late = delays[severity]
        if np.isinf(late).any() or (ladder and (late > 0).any()):
            return True
        begin, end = before.spans(severity, until)
        fresh = begin[1:][begin[1:] - end[:-1] >= HOUR]
        if len(fresh) and len(after):
            just_before = np.searchsorted(after.times, fresh, side="left") - 1
            if ((just_before >= 0) & (after.levels[just_before] >= severity)).any():
                return True
    return False


def _lost(before: Course, begin: float, end: float) -> Lost:
    times = before.times
    inside = (times >= begin) & (times < end)
    return Lost(begin, end, int(before.levels[inside].max(initial=0)))
