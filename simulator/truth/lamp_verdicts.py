"""What each reading of a lamp says under the rules that know what a lamp should do."""

from __future__ import annotations

import numpy as np

from devices.kind import Bools, Floats
from simulator.truth.course import Course, Verdicts, falling, told
from simulator.truth.rules import (
    DARK_SHARE,
    DARK_W,
    FACTOR_DIMMING_PCT,
    FACTOR_W,
    GUARD_S,
    MAINS_V,
    ExpectedRule,
)


def lamp_out(course: Course) -> Verdicts | None:
    """Less light than its dimming asks for."""
    power, voltage, dimmed = course.columns["power_w"], course.columns["voltage_v"], _dimmed(course)
    dark = (power < np.fmax(DARK_W, DARK_SHARE * _asked_w(course))) & (dimmed > 0)
    return _at_night(course, dark, ~np.isnan(power) & ~(voltage < MAINS_V))


def unpowered(rule: ExpectedRule, course: Course) -> Verdicts | None:
    voltage = course.columns["voltage_v"]
    return _at_night(course, voltage < course.bounds(rule)[0], ~np.isnan(voltage))


def day_burner(rule: ExpectedRule, course: Course) -> Verdicts | None:
    """Lit by day; by night all is well."""
    power, nominal_w = course.columns["power_w"], course.number("nominal_w")
    lit = power > course.bounds(rule)[0] * nominal_w
    if not lit.any():
        return None
    day, night = course.day_and_night(GUARD_S)
    # Without a nominal load nothing can be said by day.
    return told([lit & day], [lit & day], ~np.isnan(power) & ((day & (nominal_w > 0)) | night))


def low_power(rule: ExpectedRule, course: Course) -> Verdicts | None:
    """Between a lamp that is out and one that is well."""
    share = _share(course)
    share = np.where((share < DARK_SHARE) | (course.columns["voltage_v"] < MAINS_V), np.nan, share)
    (bound,) = course.bounds(rule)
    return _by_night(course, share < bound, share < bound + rule.hysteresis, ~np.isnan(share))


def high_power(rule: ExpectedRule, course: Course) -> Verdicts | None:
    share, (bound,) = _share(course), course.bounds(rule)
    return _by_night(course, share > bound, share > bound - rule.hysteresis, ~np.isnan(share))


def low_power_factor(rule: ExpectedRule, course: Course) -> Verdicts | None:
    """Lit at half or more; the sign of a power factor only says which way the current lags."""
    lit = (course.columns["power_w"] >= FACTOR_W) & (100 * _dimmed(course) >= FACTOR_DIMMING_PCT)
    return falling(rule, np.where(lit, np.abs(course.columns["power_factor"]), np.nan), course.bounds(rule))


def cycling(course: Course) -> Verdicts | None:
    restless = course.restless
    return told([restless], [restless], ~np.isnan(course.columns["switch_count"]))


def _dimmed(course: Course) -> Floats:
    """0 to 1; full light where a lamp does not say."""
    dimming = course.columns["dimming_pct"]
    return np.where(np.isnan(dimming), 100.0, dimming) / 100


def _asked_w(course: Course) -> Floats:
    d = _dimmed(course)
    return course.number("nominal_w") * (0.85 * d + 0.15 * d**2)


def _share(course: Course) -> Floats:
    """Power as a share of what the dimming asks for; NaN of a lamp that is to be dark."""
    asked_w = _asked_w(course)
    return np.asarray(course.columns["power_w"] / np.where(asked_w > 0, asked_w, np.nan))


def _by_night(course: Course, reached: Bools, held: Bools, known: Bools) -> Verdicts | None:
    """One rung, about which nothing is said but by night."""
    if not (reached & known).any():  # the sun costs more than all the rest
        return None
    _, night = course.day_and_night(GUARD_S)
    return told([reached], [held], known & night)


def _at_night(course: Course, bad: Bools, known: Bools) -> Verdicts | None:
    """One rung: bad while the sun is down; by day all is well; GUARD_S around each switch nothing is said."""
    if not (bad & known).any():
        return None
    day, night = course.day_and_night(GUARD_S)
    return told([bad & night], [bad & night], known & (day | night))
