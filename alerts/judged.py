"""What conditions share: the readings as they look at them, and how they answer.

Rungs count from 1 (the rule's first level); 0 is normal, UNKNOWN where the reading does not say. hold >= up wherever
known: the difference is the hysteresis.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alerts.rule import Level, Rule
from devices.batch import Readings
from devices.fleet import Fleet
from devices.kind import Bools, Floats
from devices.sun import SUNSET_DEG, elevation_deg

UNKNOWN = -1
FASTEST_DEG_S = 15.1 / 3600  # no faster does the sun rise or sink: a turn of the Earth a day, and the season
Rungs = npt.NDArray[np.int8]


class Judged(NamedTuple):
    """For each reading, the rung it reaches and the rung it still holds."""

    up: Rungs
    hold: Rungs


class DayAndNight(NamedTuple):
    """Surely day and surely night; neither near sunrise and sunset, or where the device's place is unknown."""

    day: Bools
    night: Bools


class Seen:
    """Readings of one kind as all rules of a batch look at them: what several of them ask is worked out once."""

    def __init__(self, readings: Readings, fleet: Fleet) -> None:
        self.readings, self._fleet = readings, fleet
        self._sun: dict[float, DayAndNight] = {}

    def metric(self, name: str) -> Floats:
        return self.readings.numbers[name]

    def attribute(self, name: str) -> Floats:
        """That of each reading's device; NaN where it has none."""
        return self._fleet.attribute(name)[self.readings.device]

    def bound(self, level: Level) -> Floats:
        if level.bound_from is not None:
            return self.attribute(level.bound_from)
        return np.full(len(self.readings), level.bound, dtype=np.float64)

    def bounds(self, rule: Rule) -> list[Floats]:
        return [self.bound(level) for level in rule.level]

    def day_and_night(self, guard_s: float) -> DayAndNight:
        """guard_s away from sunrise and sunset. Five rules of a lamp ask, and the sun costs more than all of them."""
        found = self._sun.get(guard_s)
        if found is None:
            found = self._sun[guard_s] = _day_and_night(
                self.readings, self.attribute("lat"), self.attribute("lon"), guard_s
            )
        return found


def highest(value: Floats, reached: list[Bools]) -> Rungs:
    """The highest rung reached. A rung without a bound compares false and is passed over."""
    rungs = np.zeros(len(value), dtype=np.int8)
    for rung, mask in enumerate(reached, 1):
        rungs[mask] = rung
    return rungs


def where_known(known: Bools, up: Rungs, hold: Rungs) -> Judged:
    """The answer, UNKNOWN where the reading does not say."""
    return Judged(
        np.where(known, up, UNKNOWN).astype(np.int8),
        np.where(known, np.maximum(up, hold), UNKNOWN).astype(np.int8),
    )


def yes_or_no(known: Bools, bad: Bools) -> Judged:
    """The answer of a condition with one rung and no hysteresis."""
    rungs = np.where(known, bad, UNKNOWN).astype(np.int8)
    return Judged(rungs, rungs)


def _day_and_night(readings: Readings, lat: Floats, lon: Floats, guard_s: float) -> DayAndNight:
    at = readings.ts_us / 1e6
    now = elevation_deg(at, lat, lon)
    day, night = now > SUNSET_DEG, now <= SUNSET_DEG  # of an unknown place neither
    # Only so near the horizon can it cross it within the guard; asking for all would treble the time.
    near = np.flatnonzero(np.abs(now - SUNSET_DEG) <= FASTEST_DEG_S * guard_s)
    for shift in (-guard_s, guard_s):
        up = elevation_deg(at[near] + shift, lat[near], lon[near]) > SUNSET_DEG
        day[near] &= up
        night[near] &= ~up
    return DayAndNight(np.asarray(day), np.asarray(night))
