"""Lamps of panels over a night or a day: how many were lit, dimmed, dark or not heard, every ten minutes. Pure.

Between two reports a lamp is as it was last, for as long as nobody would call it silent. docs/streetlights.md.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alerts.conditions_lamp import expected_w
from devices.kind import Bools, Floats
from devices.sun import SUNSET_DEG, elevation_deg

Ints = npt.NDArray[np.int64]
States = npt.NDArray[np.uint8]
UNKNOWN, DARK, LIT, DIMMED = range(4)

# As in lamp_out: under 30 % of what its dimming asks for a lamp is dark, and under 2 W whatever it asks for.
LIT_SHARE, LEAST_W = 0.3, 2.0
DIMMED_BELOW_PCT = 95.0
# Reports come every 15 min at night, every 60 min by day (docs/kinds.md); three of them are silence.
HOLD_NIGHT_S, HOLD_DAY_S = 3 * 900, 3 * 3600
STEP_S, CELL_S = 300, 600
# As in outage: so many of the lamps that are heard, and at least five, or all of fewer.
OUT_SHARE, OUT_LEAST = 0.6, 5
GUARD_S = 1200


class Told(NamedTuple):
    """Five minutes of a lamp, as columns: which lamp, how many steps after the beginning, and what it last told."""

    lamp: Ints
    step: Ints
    power_w: Floats
    dimming_pct: Floats


class Cells(NamedTuple):
    """By group and cell. lit counts dimmed ones as well; shares of all lamps of the group."""

    lit: Floats
    dimmed: Floats
    no_data: Floats
    out: Bools


class Sun(NamedTuple):
    """By group and cell: whether lamps should be lit by the sun, and whether that is so for 20 min around; neither
    where the place is unknown."""

    down: Bools
    surely_down: Bools


def state_of(power_w: Floats, dimming_pct: Floats, nominal_w: Floats) -> States:
    """What a lamp does. One that does not tell its dimming is not dimmed; without a nominal power 2 W are lit."""
    dimming = np.where(np.isnan(dimming_pct), 100.0, dimming_pct)
    lit = power_w >= np.fmax(LEAST_W, LIT_SHARE * expected_w(nominal_w, dimming / 100))
    state = np.where(lit, np.where(dimming < DIMMED_BELOW_PCT, DIMMED, LIT), DARK)
    return np.where(np.isnan(power_w), UNKNOWN, state).astype(np.uint8)


def courses(told: Told, nominal_w: Floats, steps: int, hold_s: float) -> States:
    """The state of every lamp in every step; UNKNOWN once it has told nothing for hold_s."""
    states = np.zeros((len(nominal_w), steps), dtype=np.uint8)
    states[told.lamp, told.step] = state_of(told.power_w, told.dimming_pct, nominal_w[told.lamp])
    place = np.arange(steps, dtype=np.int32)
    last = np.maximum.accumulate(np.where(states != UNKNOWN, place, np.int32(-1)), axis=1)
    heard = (last >= 0) & ((place - last) * STEP_S < hold_s)
    held = np.take_along_axis(states, np.maximum(last, 0), axis=1)
    return np.where(heard, held, UNKNOWN).astype(np.uint8)


def cells(states: States, group: Ints, groups: int) -> Cells:
    """Lamps taken together: each cell is as its last step."""
    ends = states[:, CELL_S // STEP_S - 1 :: CELL_S // STEP_S]
    lamps = np.bincount(group, minlength=groups)[:, None]
    lit, dimmed, dark, unknown = (_counted(ends, group, groups, each) for each in (LIT, DIMMED, DARK, UNKNOWN))
    least = np.maximum(OUT_SHARE * (lamps - unknown), np.minimum(OUT_LEAST, lamps))
    return Cells((lit + dimmed) / lamps, dimmed / lamps, unknown / lamps, (dark > 0) & (dark >= least))


def sun(starts: Floats, lat: Floats, lon: Floats) -> Sun:
    """Of groups at these places and cells that begin then (epoch s), as it is in the middle of each."""
    middle = starts + CELL_S / 2
    down, earlier, later = (_down(middle + shift, lat, lon) for shift in (0, -GUARD_S, GUARD_S))
    return Sun(down, down & earlier & later)


def sunset_and_sunrise(since: float, until: float, lat: float, lon: float) -> tuple[float | None, float | None]:
    """When the sun sets and when it rises within a time (epoch s), to the second; None where it does not."""
    t = np.arange(since, until + 60, 60.0)
    height = elevation_deg(t, lat, lon) - SUNSET_DEG
    setting = np.flatnonzero((height[:-1] > 0) & (height[1:] <= 0))
    rising = np.flatnonzero((height[:-1] <= 0) & (height[1:] > 0))
    # Within a minute the sun moves along a line.
    at = [None if not len(found) else _crossing(t, height, int(found[0])) for found in (setting, rising)]
    return at[0], at[1]


def _down(at: Floats, lat: Floats, lon: Floats) -> Bools:
    return np.asarray(elevation_deg(at[None, :], lat[:, None], lon[:, None]) <= SUNSET_DEG)


def _crossing(t: Floats, height: Floats, before: int) -> float:
    return float(t[before] + 60 * height[before] / (height[before] - height[before + 1]))


def _counted(states: States, group: Ints, groups: int, state: int) -> Floats:
    counted = np.zeros((groups, states.shape[1]))
    np.add.at(counted, group, states == state)
    return counted
