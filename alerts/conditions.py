"""Conditions: for each reading, the rung it reaches (up) and the rung it still holds (hold).

Vectorised over a batch and pure. Rungs count from 1 (the rule's first level); 0 is normal, UNKNOWN where the reading
does not say. hold >= up wherever known: the difference is the hysteresis. A new condition is one function here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alerts.rule import Level, Rule
from devices.batch import Readings
from devices.fleet import Fleet
from devices.kind import Bools, Floats
from devices.sun import SUNSET_DEG, elevation_deg

UNKNOWN = -1
Rungs = npt.NDArray[np.int8]


class Judged(NamedTuple):
    up: Rungs
    hold: Rungs


def above(rule: Rule, readings: Readings, fleet: Fleet) -> Judged:
    """At or above an inclusive bound; held down to bound - hysteresis."""
    value = readings.numbers[rule.metric or ""]
    bounds = [_bound(level, readings, fleet) for level in rule.level]
    up = _highest(value, [value >= b for b in bounds])
    hold = _highest(value, [value >= b - rule.hysteresis for b in bounds])
    return _known(~np.isnan(value) & _any_bound(bounds), up, hold)


def below(rule: Rule, readings: Readings, fleet: Fleet) -> Judged:
    """Strictly below a bound; held up to bound + hysteresis. Values under ignore_below say nothing."""
    value = readings.numbers[rule.metric or ""]
    bounds = [_bound(level, readings, fleet) for level in rule.level]
    up = _highest(value, [value < b for b in bounds])
    hold = _highest(value, [value < b + rule.hysteresis for b in bounds])
    known = ~np.isnan(value) & _any_bound(bounds)
    if rule.ignore_below is not None:
        known &= value >= rule.ignore_below
    return _known(known, up, hold)


def lamp_out(rule: Rule, readings: Readings, fleet: Fleet) -> Judged:
    """Dark while the sun is down, guard_s around each switch left out, mains above ignore_below volts.

    Dark is P < max(least_w, share * expected), expected = nominal_w * (a*d + (1-a)*d^2), a = 0.85, d the dimming
    (docs/rules.md). By day the lamp is known not to be out.
    """
    power, voltage = readings.numbers["power_w"], readings.numbers["voltage_v"]
    dimming, expected = _expected_w(readings, fleet)
    least = np.fmax(rule.least_w, rule.share * expected)
    day, night = _day_and_night(rule, readings, fleet)
    dark = (power < least) & night & (dimming > 0)
    known = ~np.isnan(power) & ~(voltage < (rule.ignore_below or 0)) & (day | night)
    return _known(known, dark.astype(np.int8), dark.astype(np.int8))


def unpowered(rule: Rule, readings: Readings, fleet: Fleet) -> Judged:
    """No mains: less than the bound, in volts, while the sun is down, guard_s around each switch left out.

    By day it is known not to be: a panel switched by a contactor has no mains then, and nobody misses it.
    """
    voltage = readings.numbers["voltage_v"]
    day, night = _day_and_night(rule, readings, fleet)
    dead = ((voltage < _bound(rule.level[0], readings, fleet)) & night).astype(np.int8)
    return _known(~np.isnan(voltage) & (day | night), dead, dead)


def day_burner(rule: Rule, readings: Readings, fleet: Fleet) -> Judged:
    """Lit while the sun is up, guard_s around each switch left out: P > bound * nominal_w. By night never.

    uCIFI 3416, resource 10; 30 % of nominal for 30 min (docs/rules.md).
    """
    power, nominal = readings.numbers["power_w"], fleet.attribute("nominal_w")[readings.device]
    day, night = _day_and_night(rule, readings, fleet)
    up = _highest(power, [(power > _bound(level, readings, fleet) * nominal) & day for level in rule.level])
    return _known(~np.isnan(power) & ((day & ~np.isnan(nominal)) | night), up, up)


def low_power(rule: Rule, readings: Readings, fleet: Fleet) -> Judged:
    """Lit at night with too little: P < bound * expected (as in lamp_out); held up to bound + hysteresis.

    Says nothing by day, without mains (ignore_below volts), and under share * expected: that is a lamp that is out.
    """
    share, lit = _lit(rule, readings, fleet)
    lit &= (share >= rule.share) & ~(readings.numbers["voltage_v"] < (rule.ignore_below or 0))
    bounds = [_bound(level, readings, fleet) for level in rule.level]
    up = _highest(share, [share < b for b in bounds])
    return _known(lit, up, _highest(share, [share < b + rule.hysteresis for b in bounds]))


def high_power(rule: Rule, readings: Readings, fleet: Fleet) -> Judged:
    """Lit at night with too much: P > bound * expected (as in lamp_out); held down to bound - hysteresis.

    Somebody else's load, another lamp or a broken ballast. Says nothing by day.
    """
    share, lit = _lit(rule, readings, fleet)
    bounds = [_bound(level, readings, fleet) for level in rule.level]
    up = _highest(share, [share > b for b in bounds])
    return _known(lit, up, _highest(share, [share > b - rule.hysteresis for b in bounds]))


def low_power_factor(rule: Rule, readings: Readings, fleet: Fleet) -> Judged:
    """|PF| < bound while the lamp draws at least least_w at a dimming of at least least_dimming_pct; held up to
    bound + hysteresis. Dimmed further every driver has a low one, so nothing is said then."""
    factor, power = np.abs(readings.numbers["power_factor"]), readings.numbers["power_w"]
    known = ~np.isnan(factor) & (power >= rule.least_w) & (_dimming(readings) * 100 >= rule.least_dimming_pct)
    bounds = [_bound(level, readings, fleet) for level in rule.level]
    up = _highest(factor, [factor < b for b in bounds])
    return _known(known, up, _highest(factor, [factor < b + rule.hysteresis for b in bounds]))


def congestion(rule: Rule, readings: Readings, fleet: Fleet) -> Judged:
    """Speed over free flow below a bound while occupancy exceeds occupancy_pct; over bound + hysteresis it is past."""
    index = readings.numbers["speed_kmh"] / fleet.attribute("free_flow_kmh")[readings.device]
    occupancy = readings.numbers["occupancy_pct"]
    crowded = occupancy > rule.occupancy_pct
    bounds = [_bound(level, readings, fleet) for level in rule.level]
    up = _highest(index, [(index < b) & crowded for b in bounds])
    hold = _highest(index, [index < b + rule.hysteresis for b in bounds])
    # An empty road has no speed; nothing on it (occupancy 0) is still not congested.
    empty = np.isnan(readings.numbers["speed_kmh"]) & (occupancy == 0)
    up[empty], hold[empty] = 0, 0
    return _known((~np.isnan(index) & ~np.isnan(occupancy)) | empty, up, np.maximum(up, hold))


def stale(rule: Rule, readings: Readings, fleet: Fleet) -> Judged:
    """A live reading is the end of silence; silence itself is found by the clock (alerts/silence.py)."""
    nothing = np.zeros(len(readings), dtype=np.int8)
    return Judged(
        np.where(readings.late, UNKNOWN, nothing).astype(np.int8),
        np.where(readings.late, UNKNOWN, nothing).astype(np.int8),
    )


CONDITIONS: dict[str, Callable[[Rule, Readings, Fleet], Judged]] = {
    "above": above,
    "below": below,
    "lamp_out": lamp_out,
    "unpowered": unpowered,
    "congestion": congestion,
    "stale": stale,
    "day_burner": day_burner,
    "low_power": low_power,
    "high_power": high_power,
    "low_power_factor": low_power_factor,
}


def _bound(level: Level, readings: Readings, fleet: Fleet) -> Floats:
    if level.bound_from is not None:
        return fleet.attribute(level.bound_from)[readings.device]
    return np.full(len(readings), level.bound, dtype=np.float64)


def _dimming(readings: Readings) -> Floats:
    """0 … 1; a lamp that does not tell it is not dimmed."""
    told = readings.numbers["dimming_pct"]
    return np.where(np.isnan(told), 100, told) / 100


def _expected_w(readings: Readings, fleet: Fleet) -> tuple[Floats, Floats]:
    """Dimming d, and the power it asks for, W: nominal_w * (0.85 d + 0.15 d^2) (docs/rules.md)."""
    dimming = _dimming(readings)
    return dimming, fleet.attribute("nominal_w")[readings.device] * (0.85 * dimming + 0.15 * dimming**2)


def _lit(rule: Rule, readings: Readings, fleet: Fleet) -> tuple[Floats, Bools]:
    """Power as a share of what is expected, and where that says something: surely night, and the lamp is to be lit."""
    dimming, expected = _expected_w(readings, fleet)
    share = readings.numbers["power_w"] / np.where(expected > 0, expected, np.nan)
    _, night = _day_and_night(rule, readings, fleet)
    return share, np.asarray(night & (dimming > 0) & ~np.isnan(share))


def _any_bound(bounds: list[Floats]) -> Bools:
    return np.asarray(~np.isnan(bounds).all(axis=0), dtype=np.bool_)


def _highest(value: Floats, reached: list[Bools]) -> Rungs:
    """The highest rung reached. A rung without a bound compares false and is passed over."""
    rungs = np.zeros(len(value), dtype=np.int8)
    for rung, mask in enumerate(reached, 1):
        rungs[mask] = rung
    return rungs


def _known(known: Bools, up: Rungs, hold: Rungs) -> Judged:
    return Judged(
        np.where(known, up, UNKNOWN).astype(np.int8),
        np.where(known, np.maximum(up, hold), UNKNOWN).astype(np.int8),
    )


def _day_and_night(rule: Rule, readings: Readings, fleet: Fleet) -> tuple[Bools, Bools]:
    """Surely day and surely night, guard_s away from sunrise and sunset; neither where the lamp's place is unknown."""
    lat, lon = fleet.attribute("lat")[readings.device], fleet.attribute("lon")[readings.device]
    at = readings.ts_us / 1e6
    around = [elevation_deg(at + shift, lat, lon) > SUNSET_DEG for shift in (-rule.guard_s, 0, rule.guard_s)]
    placed = ~np.isnan(lat)
    return np.asarray(np.all(around, axis=0) & placed), np.asarray(~np.any(around, axis=0) & placed)
