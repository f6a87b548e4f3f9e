"""Along the readings of a gauge, in event time: what was forecast at each, what came, and where nobody looked.

Live data and history take the same way, so a forecast made later of old readings is the one that would have been made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from alerts.forecast import REACHED_S, Basis, Bound, Forecast, forecast
from alerts.forecast_errors import Spread
from alerts.forecast_lag import Source
from alerts.forecast_rise import History, Reason, Refused

# A gauge's forecast is kept every so often; in between it would say the same.
EVERY_S = 300.0
# Between readings further apart a level may have come and gone.
UNSEEN_S = 7200.0
# How far back a walk wants to see what lies before its start.
BACK_S = UNSEEN_S


class Crossing(NamedTuple):
    """A gauge was below a level and then at it or above, at (epoch s) the reading that says so."""

    siaga: int
    at: float


class Gap(NamedTuple):
    """No usable reading between two times, epoch s."""

    since: float
    until: float


class Told(NamedTuple):
    """What was to be said at a reading, at (epoch s) its time."""

    at: float
    said: Forecast | Refused


@dataclass(frozen=True, slots=True)
class Walk:
    """forecasts: to be kept, in order. events: in order of their ends. holds: the newest reading says something still.
    refused: why it does not, of bad data. good_at: time of the last usable reading. told: what each reading said since
    somebody wanted to know it (alerts/rising.py)."""

    forecasts: tuple[Forecast, ...]
    events: tuple[Crossing | Gap, ...]
    holds: bool
    refused: Reason | None
    good_at: float | None
    told: tuple[Told, ...] = ()


def walk(
    history: History,
    since: float,
    bounds: Sequence[Bound],
    horizon_s: float,
    spreads: Mapping[Basis, Spread],
    source: Source | None = None,
    last_s: float = -np.inf,
    good_at: float | None = None,
    tell_since: float = np.inf,
) -> Walk:
    """Along all readings after `since` (epoch s); history goes BACK_S further back.

    last_s: time of the last forecast kept before. good_at: of the last usable reading before `history`. tell_since:
    from when on `told` is wanted.
    """
    made: list[Forecast] = []
    all_told: list[Told] = []
    holds = False
    refused: Reason | None = None
    for now in history.t[history.t > since]:
        told = forecast(history, bounds, float(now), horizon_s, spreads, source)
        if now >= tell_since:
            all_told.append(Told(float(now), told))
        refused = told.reason if isinstance(told, Refused) else None
        holds = isinstance(told, Forecast) and bool(told.levels)
        if not isinstance(told, Forecast) or not told.levels:
            last_s = -np.inf
        elif now - last_s >= EVERY_S:
            made.append(told)
            last_s = float(now)
    usable = history.usable
    events = sorted(_events(usable, since, bounds, good_at), key=lambda e: e.at if isinstance(e, Crossing) else e.until)
    last = float(usable.t[-1]) if len(usable.t) else good_at
    return Walk(tuple(made), tuple(events), holds, refused, last, tuple(all_told))


def _events(usable: History, since: float, bounds: Sequence[Bound], good_at: float | None) -> Iterator[Crossing | Gap]:
    times = usable.t if good_at is None or (len(usable.t) and usable.t[0] <= good_at) else np.append(good_at, usable.t)
    for before, at in pairwise(times.tolist()):
        if at > since and at - before > UNSEEN_S:
            yield Gap(before, at)
    t, level_m = usable.t, usable.level_m
    for bound in bounds:
        up = (level_m[1:] >= bound.level_m) & (level_m[:-1] < bound.level_m) & (np.diff(t) <= UNSEEN_S)
        for i in np.flatnonzero(up) + 1:
            just = usable.between(t[i] - REACHED_S, t[i - 1]).level_m
            if t[i] > since and not (just >= bound.level_m).any():
                yield Crossing(bound.siaga, float(t[i]))
