"""A curve of no more points than a screen has, on which no peak is lost and no gap is drawn over. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from tsdownsample import LTTBDownsampler, MinMaxDownsampler

from storage.read_series import Curve

Method = Literal["lttb", "minmax"]
Ints = npt.NDArray[np.int64]
METHODS = {"lttb": LTTBDownsampler(), "minmax": MinMaxDownsampler()}
# A gap costs three points: one on both sides, and the null between them.
POINTS_A_GAP = 5


class Drawn(NamedTuple):
    """Points in order of time; all but t are None in a gap. low and high bound everything from a point to the next."""

    t: list[int]
    v: list[float | None]
    low: list[float | None]
    high: list[float | None]
    qc: list[int | None] | None
    left_out: bool


def draw(at_ms: Ints, qc: Ints | None, curve: Curve, points: int, gap_ms: float, method: Method) -> Drawn:
    """At most so many points; where nothing came for more than gap_ms there is a null, of many gaps in the longest."""
    known = ~np.isnan(curve.values)
    at_ms, values, low, high = at_ms[known], curve.values[known], curve.low[known], curve.high[known]
    if not len(at_ms):
        return Drawn([], [], [], [], None if qc is None else [], False)
    gaps = _gaps(at_ms, gap_ms, points // POINTS_A_GAP)
    chosen = _chosen(at_ms, values, gaps, points - len(gaps), method)
    low, high = np.minimum.reduceat(low, chosen), np.maximum.reduceat(high, chosen)
    holes = np.searchsorted(chosen, gaps) + 1
    middles = (at_ms[gaps] + at_ms[gaps + 1]) // 2
    return Drawn(
        np.insert(at_ms[chosen], holes, middles).tolist(),
        _with_holes(values[chosen], holes),
        _with_holes(low, holes),
        _with_holes(high, holes),
        None if qc is None else [None if x < 0 else x for x in np.insert(qc[known][chosen], holes, -1).tolist()],
        len(chosen) < len(at_ms),
    )


def _gaps(at_ms: Ints, gap_ms: float, most: int) -> Ints:
    """The points before gaps."""
    apart = np.diff(at_ms)
    found = np.flatnonzero(apart > gap_ms)
    return np.sort(found[np.argsort(-apart[found], kind="stable")[:most]])


def _chosen(at_ms: Ints, values: npt.NDArray[np.float64], gaps: Ints, points: int, method: Method) -> Ints:
    """Which points stay: both ends, both sides of gaps, and what the method finds."""
    if len(at_ms) <= points:
        return np.arange(len(at_ms))
    free = points - 2 - 2 * len(gaps)
    picked = METHODS[method].downsample(at_ms, values, n_out=free - free % 2)
    return np.unique(np.concatenate([picked.astype(np.int64), gaps, gaps + 1, [0, len(at_ms) - 1]]))


def _with_holes(values: npt.NDArray[np.float64], holes: Ints) -> list[float | None]:
    return [None if x != x else x for x in np.insert(values, holes, np.nan).tolist()]
