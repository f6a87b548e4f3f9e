"""A device's readings as rules look at them, and what verdicts are made of: the rung that each reading reaches and the
rung that it still holds.

Rungs count from 1, 0 is none of them, and -1 where a reading says nothing. Vectorised over one device's readings.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from devices.device import Device
from devices.kind import Bools, Floats
from devices.sun import SUNSET_DEG, elevation_deg
from simulator.truth.rules import ExpectedRule

NOTHING = -1
Rungs = npt.NDArray[np.int8]
Ints = npt.NDArray[np.int64]


class Verdicts(NamedTuple):
    """Of the same length as the readings. held >= reached wherever they say something."""

    reached: Rungs
    held: Rungs


class Course(NamedTuple):
    """Readings of a device, in order of arrival. columns have NaN where a reading is not trusted, or has no value.
    restless: the check of quality found that it switches too often."""

    device: Device
    ts_ms: Ints
    columns: dict[str, Floats]
    trusted: Bools
    restless: Bools

    def number(self, bound: float | str | None) -> float:
        """A number as it is, or that of an attribute; NaN, which nothing reaches, where the device has none."""
        value = self.device.attributes.get(bound) if isinstance(bound, str) else bound
        return float("nan") if value is None else float(value)

    def bounds(self, rule: ExpectedRule) -> list[float]:
        return [self.number(rung.bound) for rung in rule.rungs]

    def day_and_night(self, guard_s: int) -> tuple[Bools, Bools]:
        """Sun up and sun down, guard_s around each switch neither; nor where nobody knows the device's place."""
        lat, lon = self.device.lat, self.device.lon
        if lat is None or lon is None:
            return np.zeros(len(self.ts_ms), dtype=np.bool_), np.zeros(len(self.ts_ms), dtype=np.bool_)
        up = [elevation_deg(self.ts_ms / 1000 + s, lat, lon) > SUNSET_DEG for s in (-guard_s, 0, guard_s)]
        return np.asarray(up[0] & up[1] & up[2]), np.asarray(~(up[0] | up[1] | up[2]))


def rising(rule: ExpectedRule, value: Floats, bounds: list[float]) -> Verdicts | None:
    """From a bound up; NaN says nothing. None when no reading reaches any rung: so in all that follow."""
    reached = [value >= bound for bound in bounds]
    return told(reached, [value >= bound - rule.hysteresis for bound in bounds], ~np.isnan(value))


def falling(rule: ExpectedRule, value: Floats, bounds: list[float], counts: Bools | None = None) -> Verdicts | None:
    """Below a bound, where that counts; NaN says nothing."""
    reached = [value < bound if counts is None else (value < bound) & counts for bound in bounds]
    return told(reached, [value < bound + rule.hysteresis for bound in bounds], ~np.isnan(value))


def told(reached: list[Bools], held: list[Bools], known: Bools) -> Verdicts | None:
    """Masks of each rung to the highest rung of each reading."""
    if not any((mask & known).any() for mask in reached):
        return None
    return Verdicts(*(np.where(known, _highest(masks), NOTHING).astype(np.int8) for masks in (reached, held)))


def _highest(masks: list[Bools]) -> Rungs:
    rungs = np.zeros(len(masks[0]), dtype=np.int8)
    for rung, mask in enumerate(masks, 1):
        rungs[mask] = rung
    return rungs
