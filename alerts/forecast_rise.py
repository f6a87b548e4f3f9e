"""How fast a gauge rises, by its own readings; or why they do not tell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from devices.kind import Bools, Floats

# A robust line over the last 60 min, of 4 readings at least. A gauge that reports every half hour has 3 in an hour:
# they do where they fill it.
WINDOW_S, POINTS, SPAN_S = 3600.0, 4, 1800.0
SPARSE_POINTS, SPARSE_S, SPARSE_SPAN_S = 3, 5400.0, 3000.0
GAP_S = 2700.0
# A rise is steady when it has gone on for 90 min (give or take a clock) and the newest step is up.
STEADY_S, STEADY_SPAN_S = 6000.0, 3600.0
# Of more readings every second counts, or third: the pairs of 60 are 1,770.
POINTS_MAX = 60

Places = npt.NDArray[np.intp]
Reason = Literal["suspect", "few", "gap", "silent"]


@dataclass(frozen=True, slots=True)
class History:
    """Readings of one gauge in order of time: epoch s, m above its datum (NaN: none), neither suspect nor failed."""

    t: Floats
    level_m: Floats
    good: Bools

    def between(self, since: float, until: float) -> History:
        """Those with since < t <= until."""
        first, last = np.searchsorted(self.t, (since, until), side="right")
        part = slice(first, last)
        return History(self.t[part], self.level_m[part], self.good[part])

    @property
    def usable(self) -> History:
        """Those that a forecast may be made from."""
        keep = self.good & ~np.isnan(self.level_m)
        return History(self.t[keep], self.level_m[keep], self.good[keep])


@dataclass(frozen=True, slots=True)
class Refused:
    """No forecast. suspect: the newest reading is, or most of the last hours; few or gap: in the hour; silent: now."""

    reason: Reason


class Rise(NamedTuple):
    """at: of the newest reading (epoch s). slope_m_h: over the hour, of so many points. steady_m_h: over 90 min; None
    of a rise that has not gone on for so long or has come to a stop."""

    at: float
    level_m: float
    slope_m_h: float
    points: int
    steady_m_h: float | None


def rise(history: History, now: float) -> Rise | Refused:
    """How fast the level changes at `now` (epoch s), by the readings up to then."""
    known = history.between(now - STEADY_S, now)
    usable = known.usable
    if not len(known.t) or now - known.t[-1] > GAP_S:
        return Refused("silent")
    if not len(usable.t) or usable.t[-1] < known.t[-1] or 2 * len(usable.t) <= len(known.t):
        return Refused("suspect")
    t, level_m = usable.t, usable.level_m
    first = _hour(t)
    points, span_s = len(t) - first, t[-1] - t[first]
    if points < SPARSE_POINTS or span_s < (SPAN_S if points >= POINTS else SPARSE_SPAN_S):
        return Refused("few")
    if np.diff(t[first:]).max() > GAP_S:
        return Refused("gap")
    slope = theil_sen(t[first:], level_m[first:])
    return Rise(float(t[-1]), float(level_m[-1]), slope, points, _steady(t, level_m))


def theil_sen(t: Floats, level_m: Floats) -> float:
    """The median slope of all pairs, m/h, of 2 readings at least; 29 % of them may be wild (Theil 1950, Sen 1968)."""
    every = -(-len(t) // POINTS_MAX)
    t, level_m = t[::-every], level_m[::-every]
    i, j = _pairs(len(t))
    return float(np.median((level_m[j] - level_m[i]) / (t[j] - t[i]))) * 3600


def _hour(t: Floats) -> int:
    """Where the hour begins; further back where it would hold fewer than 3 readings."""
    first = int(np.searchsorted(t, t[-1] - WINDOW_S))
    if len(t) - first < SPARSE_POINTS:
        first = max(len(t) - SPARSE_POINTS, int(np.searchsorted(t, t[-1] - SPARSE_S)))
    return first


def _steady(t: Floats, level_m: Floats) -> float | None:
    if len(t) < POINTS or t[-1] - t[0] < STEADY_SPAN_S or np.diff(t).max() > GAP_S or level_m[-1] <= level_m[-2]:
        return None
    return theil_sen(t, level_m)


@lru_cache(maxsize=128)
def _pairs(n: int) -> tuple[Places, Places]:
    return np.triu_indices(n, 1)
