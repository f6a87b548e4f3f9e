"""What comes down the river: how long water takes from the gauge upstream, by past rises, and what is under way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from alerts.forecast_rise import History, Places, Refused, rise
from devices.kind import Bools, Floats

STEP_S, LAG_MAX_S = 600.0, 12 * 3600.0
# A flood wave upstream: as fast as an advisory asks for. Two are two with so much time between them.
WAVE_M_H, APART_S, AROUND_S = 0.10, 6 * 3600.0, 3 * 3600.0
WAVES_MIN, ALIKE_MIN, GAIN_MIN, GAIN_MAX = 3, 0.7, 0.05, 5.0
# Lags at which rises look nearly as much alike as at the best are as good a guess.
NEARLY = 0.05
# Between readings further apart nobody knows.
HOLE_S = 3600.0
AHEAD_STEP_S = 300.0


class Lag(NamedTuple):
    """Of a rise upstream, gain (1: all) arrives lag_s later, or between earliest_s and latest_s. alike: correlation of
    the rises; of so many waves."""

    lag_s: float
    gain: float
    alike: float
    waves: int
    earliest_s: float | None = None
    latest_s: float | None = None


class Source(NamedTuple):
    """The gauge upstream."""

    device_id: str
    history: History
    lag: Lag


class Coming(NamedTuple):
    """Levels that upstream lets expect, m at epoch s. rose_m: how far it rose there within the lag."""

    t: Floats
    level_m: Floats
    rose_m: float


def learn_lag(up: History, down: History) -> Lag | None:
    """The lag, in steps of 10 min, at which past rises of two gauges look most alike.

    Cross-correlation of how much each rose in an hour (falling counts as nothing), around waves upstream only. None of
    fewer than 3 waves, or where the rises do not look alike.
    """
    x, y = _risen(up, down)
    wave = x >= WAVE_M_H
    waves = _separate(np.flatnonzero(wave))
    if waves < WAVES_MIN:
        return None
    around = _widened(wave, round(AROUND_S / STEP_S))
    lags = (_alike(x, y, around, steps, waves) for steps in range(round(LAG_MAX_S / STEP_S) + 1))
    known = list(filter(None, lags))
    best = max(known, key=lambda lag: lag.alike, default=None)
    if best is None or best.alike < ALIKE_MIN or not GAIN_MIN <= best.gain <= GAIN_MAX:
        return None
    return _with_spread(best, known)


def coming(source: Source, now: float, level_m: float, ahead_s: float) -> Coming | None:
    """The level here for ahead_s from `now` on: what upstream has done since lag_s ago, arriving; and then as it rises
    there now. None where its readings are no good, or it has not risen enough to speak of."""
    lag = source.lag
    here = rise(source.history, now)
    known = source.history.between(now - lag.lag_s - HOLE_S, now).usable
    if isinstance(here, Refused) or known.t[0] > now - lag.lag_s or np.diff(known.t).max() > HOLE_S:
        return None
    before = float(np.interp(now - lag.lag_s, known.t, known.level_m))
    rose_m = here.level_m - before
    if lag.gain * rose_m < WAVE_M_H:
        return None
    ahead = np.arange(AHEAD_STEP_S, ahead_s + 1, AHEAD_STEP_S)
    passed = now + ahead - lag.lag_s  # when the water that arrives then was upstream
    upstream = np.interp(passed, known.t, known.level_m) + here.slope_m_h / 3600 * np.maximum(passed - here.at, 0)
    return Coming(now + ahead, level_m + lag.gain * (upstream - before), rose_m)


def reached(levels: Coming, bound_m: float) -> float | None:
    """When (epoch s) the level comes to a bound."""
    over = np.flatnonzero(levels.level_m >= bound_m)
    return float(levels.t[over[0]]) if len(over) else None


def _with_spread(best: Lag, known: Sequence[Lag]) -> Lag:
    """With the lags around it that are nearly as good, as far as they go on without a worse one."""
    place = known.index(best)
    near = [lag.alike >= best.alike - NEARLY for lag in known]
    first = next((n + 1 for n in range(place, -1, -1) if not near[n]), 0)
    last = next((n - 1 for n in range(place, len(known)) if not near[n]), len(known) - 1)
    return best._replace(earliest_s=known[first].lag_s, latest_s=known[last].lag_s)


def _risen(up: History, down: History) -> tuple[Floats, Floats]:
    """How far both rose in the hour before, each 10 min of the time that both know; NaN where one does not."""
    up, down = up.usable, down.usable
    if not len(up.t) or not len(down.t):
        return np.empty(0), np.empty(0)
    t = np.arange(max(up.t[0], down.t[0]), min(up.t[-1], down.t[-1]) + 1, STEP_S)
    hour = round(3600 / STEP_S)
    x, y = (np.maximum(level[hour:] - level[:-hour], 0.0) for level in (_at(up, t), _at(down, t)))
    return x, y


def _at(history: History, t: Floats) -> Floats:
    after = np.clip(np.searchsorted(history.t, t), 1, max(len(history.t) - 1, 1))
    if len(history.t) < 2:
        return np.full(len(t), np.nan)
    hole = history.t[after] - history.t[after - 1] > HOLE_S
    return np.where(hole, np.nan, np.interp(t, history.t, history.level_m))


def _separate(places: Places) -> int:
    return int((np.diff(places) * STEP_S > APART_S).sum()) + 1 if len(places) else 0


def _widened(wave: Bools, steps: int) -> Bools:
    return np.convolve(wave, np.ones(2 * steps + 1), "same") > 0.5


def _alike(x: Floats, y: Floats, around: Bools, steps: int, waves: int) -> Lag | None:
    n = len(x) - steps
    keep = around[:n] & ~np.isnan(x[:n]) & ~np.isnan(y[steps:])
    a, b = x[:n][keep], y[steps:][keep]
    if len(a) < 2 or not a.std() or not b.std():
        return None
    return Lag(steps * STEP_S, float((a * b).sum() / (a * a).sum()), float(np.corrcoef(a, b)[0, 1]), waves)
