"""Faults that only a panel's meter or a whole night tells: lamps out or tapped, energy that goes elsewhere.

Pure; times are epoch seconds. Limits are SLightliMon's, as it ran on almost a hundred cabinets: power is compared with
the same minute of the last nights, 10 min around a switching left out, and a night with less than 70 % of the data with
nothing. A night is from sunset to sunrise at the panel's place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from statistics import median
from typing import NamedTuple

import numpy as np

from alerts.follow import Verdict
from alerts.rule import Rule
from devices.kind import Bools, Floats
from devices.sun import SUNSET_DEG, elevation_deg

DAY_S, BIN_S = 86_400.0, 300.0
# Nights that are compared with, how many of them must tell, and from which share of the data on one does.
NIGHTS, LEAST_NIGHTS, AVAILABLE = 7, 3, 0.7
# Lamps that are off report hourly: what one has used by night is told by a report so long after sunrise at the latest.
EDGE_S = 4_500.0
# Under so much energy in a night a share of it says nothing, in Wh.
LEAST_WH = 100.0


class Course(NamedTuple):
    """Power of a cabinet in order of time: W; contactor 1 closed, 0 open, NaN where nobody says."""

    t: Floats
    power_w: Floats
    contactor: Floats


class Night(NamedTuple):
    """One night, in whole rollup buckets; since and until leave lamps the time to report before and after it."""

    sunset: float
    sunrise: float

    @property
    def since(self) -> float:
        return self.sunset - EDGE_S

    @property
    def until(self) -> float:
        return self.sunrise + EDGE_S


class Used(NamedTuple):
    """Energy in Wh between the first and the last report of a device in a night (since … until); epoch s."""

    first: float
    last: float
    energy_wh: float


def last_nights(now: float, lat: float, lon: float, count: int = NIGHTS + 1) -> list[Night]:
    """The last night that is over, with the time that lamps have to report, and those before it; newest first.

    A night is numbered from noon to noon by the sun, so it is one however time zones go. Empty where there is none.
    """
    noon = DAY_S / 2 - lon * 240
    today = noon + (now - noon) // DAY_S * DAY_S
    nights = (_night(today - back * DAY_S, lat, lon) for back in range(count + 2))
    return list(islice((night for night in nights if night is not None and night.until <= now), count))


def power_shift(rule: Rule, tonight: Course, nights: Sequence[Course], since: float) -> Iterator[Verdict]:
    """Verdicts on tonight's readings after `since`: |P - reference| above the bound in W, and above rule.share of it.

    nights: the nights before in rollup buckets, 1, 2, … days back. The reference is the median of the same 5 min of
    those, at least three, in which the panel was switched as it is now. Where nothing can be said nothing moves, and
    what was deviating begins anew.
    """
    settled, on = ~_switching(rule, tonight), _on(rule, tonight)
    buckets = tonight.t // BIN_S * BIN_S
    usual = [_usual(rule, course, buckets - back * DAY_S, on) for back, course in enumerate(nights, 1)]
    bounds = _bounds(rule)
    for i in np.flatnonzero(tonight.t > since).tolist():
        at, power = float(tonight.t[i]), float(tonight.power_w[i])
        known = [night[i] for night in usual if not np.isnan(night[i])]
        if not settled[i] or len(known) < LEAST_NIGHTS:
            yield Verdict(at, 0, len(bounds), power)
            continue
        reference = float(median(known))  # of seven numbers 0.4 µs; NumPy's takes 32
        by, least = abs(power - reference), rule.share * reference
        up = _rung([by > max(bound, least) for bound in bounds])
        yield Verdict(at, up, max(up, _rung([by > max(bound, least) - rule.hysteresis for bound in bounds])), power)


def of_night(night: Night, used: Used | None) -> float | None:
    """Energy of a night in Wh; None unless the counter was read before sunset and after sunrise.

    In between the device may have been silent: the counter knows.
    """
    if used is None or used.first > night.sunset or used.last < night.sunrise:
        return None
    return used.energy_wh


def energy_shift(rule: Rule, night: Night, used: float | None, before: Iterable[float | None]) -> Verdict | None:
    """Whether the energy of a night (Wh) differs from the median of those before by more than a share of that.

    None where it cannot be said: fewer than three nights before it are known.
    """
    known = [energy for energy in before if energy is not None]
    if used is None or len(known) < LEAST_NIGHTS or (usual := median(known)) < LEAST_WH:
        return None
    by = abs(used - usual) / usual
    bounds = _bounds(rule)
    up = _rung([by > bound for bound in bounds])
    return Verdict(night.until, up, max(up, _rung([by > bound - rule.hysteresis for bound in bounds])), used)


def energy_balance(rule: Rule, night: Night, cabinet: float | None, lamps: Sequence[float | None]) -> Verdict | None:
    """Whether the lamps have used less than a share of what went through their panel: the rest went elsewhere.

    None where it cannot be said.
    """
    share = balance(cabinet, lamps)
    if share is None:
        return None
    bounds = _bounds(rule)
    up = _rung([share < bound for bound in bounds])
    hold = _rung([share < bound + rule.hysteresis for bound in bounds])
    return Verdict(night.until, up, max(up, hold), round(share, 3))


def balance(cabinet: float | None, lamps: Sequence[float | None]) -> float | None:
    """Energy of the lamps over that of their cabinet; a lamp that is not known counts as the average of the others.

    None with more than 30 % of the lamps unknown, or hardly any energy.
    """
    known = [energy for energy in lamps if energy is not None]
    if cabinet is None or cabinet < LEAST_WH or not known or len(known) < AVAILABLE * len(lamps):
        return None
    return sum(known) / len(known) * len(lamps) / cabinet


def _night(noon: float, lat: float, lon: float) -> Night | None:
    """The night after a noon."""
    t = noon + np.arange(0, DAY_S, BIN_S)
    dark = np.flatnonzero(elevation_deg(t, lat, lon) <= SUNSET_DEG)
    if not len(dark) or len(dark) == len(t):
        return None
    return Night(t[dark[0]] // BIN_S * BIN_S, -(-(t[dark[-1]] + BIN_S) // BIN_S) * BIN_S)


def _on(rule: Rule, course: Course) -> Bools:
    """Whether the panel is switched on: its contactor says, or else its power."""
    return np.where(np.isnan(course.contactor), course.power_w > rule.least_w, course.contactor > 0)


def _switching(rule: Rule, course: Course) -> Bools:
    """Readings within guard_s of a switching, which was somewhere between two of them."""
    near = np.zeros(len(course.t), dtype=np.bool_)
    for i in np.flatnonzero(np.diff(_on(rule, course))).tolist():
        near |= (course.t >= course.t[i] - rule.guard_s) & (course.t <= course.t[i + 1] + rule.guard_s)
    return near


def _usual(rule: Rule, night: Course, buckets: Floats, on: Bools) -> Floats:
    """Power of a night in these buckets; NaN where it was not told, switching, or switched otherwise than `on`."""
    place = np.searchsorted(night.t, buckets)
    there = place < len(night.t)
    there[there] = night.t[place[there]] == buckets[there]
    found = np.full(len(buckets), np.nan)
    if there.mean() < AVAILABLE:
        return found
    rows = place[there]
    fits = (_on(rule, night)[rows] == on[there]) & ~_switching(rule, night)[rows]
    found[there] = np.where(fits, night.power_w[rows], np.nan)
    return found


def _bounds(rule: Rule) -> list[float]:
    return [level.bound for level in rule.level if level.bound is not None]


def _rung(reached: Sequence[bool]) -> int:
    return max((rung for rung, is_reached in enumerate(reached, 1) if is_reached), default=0)
