"""Conditions of streetlights. The formulas and their sources: docs/rules.md."""

from __future__ import annotations

import numpy as np

from alerts.judged import Judged, Seen, highest, where_known, yes_or_no
from alerts.rule import Rule
from devices.kind import Bools, Floats
from devices.quality import Reason


def lamp_out(rule: Rule, seen: Seen) -> Judged:
    """Dark while the sun is down, guard_s around each switch left out, mains above ignore_below volts.

    Dark is P < max(least_w, share * expected), expected = nominal_w * (a*d + (1-a)*d^2), a = 0.85, d the dimming
    (docs/rules.md). By day the lamp is known not to be out.
    """
    power, voltage = seen.metric("power_w"), seen.metric("voltage_v")
    dimming, expected = _expected_w(seen)
    least = np.fmax(rule.least_w, rule.share * expected)
    day, night = seen.day_and_night(rule.guard_s)
    dark = (power < least) & night & (dimming > 0)
    known = ~np.isnan(power) & ~(voltage < (rule.ignore_below or 0)) & (day | night)
    return yes_or_no(np.asarray(known), np.asarray(dark))


def unpowered(rule: Rule, seen: Seen) -> Judged:
    """No mains: less than the bound, in volts, while the sun is down, guard_s around each switch left out.

    By day it is known not to be: a panel switched by a contactor has no mains then, and nobody misses it.
    """
    voltage = seen.metric("voltage_v")
    day, night = seen.day_and_night(rule.guard_s)
    dead = (voltage < seen.bound(rule.level[0])) & night
    return yes_or_no(np.asarray(~np.isnan(voltage) & (day | night)), np.asarray(dead))


def day_burner(rule: Rule, seen: Seen) -> Judged:
    """Lit while the sun is up, guard_s around each switch left out: P > bound * nominal_w. By night never.

    uCIFI 3416, resource 10; 30 % of nominal for 30 min (docs/rules.md).
    """
    power, nominal = seen.metric("power_w"), seen.attribute("nominal_w")
    day, night = seen.day_and_night(rule.guard_s)
    up = highest(power, [(power > bound * nominal) & day for bound in seen.bounds(rule)])
    return where_known(~np.isnan(power) & ((day & ~np.isnan(nominal)) | night), up, up)


def low_power(rule: Rule, seen: Seen) -> Judged:
    """Lit at night with too little: P < bound * expected (as in lamp_out); held up to bound + hysteresis.

    Says nothing by day, without mains (ignore_below volts), and under share * expected: that is a lamp that is out.
    """
    share, lit = _lit(rule, seen)
    lit &= (share >= rule.share) & ~(seen.metric("voltage_v") < (rule.ignore_below or 0))
    bounds = seen.bounds(rule)
    up = highest(share, [share < b for b in bounds])
    return where_known(lit, up, highest(share, [share < b + rule.hysteresis for b in bounds]))


def high_power(rule: Rule, seen: Seen) -> Judged:
    """Lit at night with too much: P > bound * expected (as in lamp_out); held down to bound - hysteresis.

    Somebody else's load, another lamp or a broken ballast. Says nothing by day.
    """
    share, lit = _lit(rule, seen)
    bounds = seen.bounds(rule)
    up = highest(share, [share > b for b in bounds])
    return where_known(lit, up, highest(share, [share > b - rule.hysteresis for b in bounds]))


def low_power_factor(rule: Rule, seen: Seen) -> Judged:
    """|PF| < bound while the lamp draws at least least_w at a dimming of at least least_dimming_pct; held up to
    bound + hysteresis. Dimmed further every driver has a low one, so nothing is said then."""
    factor, power = np.abs(seen.metric("power_factor")), seen.metric("power_w")
    known = ~np.isnan(factor) & (power >= rule.least_w) & (_dimming(seen) * 100 >= rule.least_dimming_pct)
    bounds = seen.bounds(rule)
    up = highest(factor, [factor < b for b in bounds])
    return where_known(known, up, highest(factor, [factor < b + rule.hysteresis for b in bounds]))


def cycling(rule: Rule, seen: Seen) -> Judged:
    """Switched too often within the last hour, as the check of quality counted that knows the readings before.

    uCIFI 3416, resource 11; how often is declared with switch_count (devices/kinds/streetlight.py, docs/quality.md).
    """
    restless = np.asarray(seen.readings.reason & Reason.RESTLESS, dtype=np.bool_)
    return yes_or_no(~np.isnan(seen.metric("switch_count")), restless)


def expected_w(nominal_w: Floats, dimming: Floats) -> Floats:
    """The power that a dimming d (0 … 1) asks for, W: nominal_w * (0.85 d + 0.15 d^2) (docs/rules.md)."""
    return nominal_w * (0.85 * dimming + 0.15 * dimming**2)


def _dimming(seen: Seen) -> Floats:
    """0 … 1; a lamp that does not tell it is not dimmed."""
    told = seen.metric("dimming_pct")
    return np.where(np.isnan(told), 100, told) / 100


def _expected_w(seen: Seen) -> tuple[Floats, Floats]:
    """Dimming d, and the power it asks for."""
    dimming = _dimming(seen)
    return dimming, expected_w(seen.attribute("nominal_w"), dimming)


def _lit(rule: Rule, seen: Seen) -> tuple[Floats, Bools]:
    """Power as a share of what is expected, and where that says something: surely night, and the lamp is to be lit."""
    dimming, expected = _expected_w(seen)
    share = seen.metric("power_w") / np.where(expected > 0, expected, np.nan)
    night = seen.day_and_night(rule.guard_s).night
    return share, np.asarray(night & (dimming > 0) & ~np.isnan(share))
