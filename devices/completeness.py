"""How complete an hour of a device is: what is stored against what must have been sent. Pure.

With sequence numbers that is exact: stored + missing. Without them, and while a device is silent, the interval of its
kind says it, at the slowest pace that the kind allows at that hour.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from devices.kind import Bools, Floats, Kind
from devices.sun import elevation_deg

HOUR = timedelta(hours=1)
# Seconds between readings while the sun is up; lamps that are off report every hour (docs/kinds.md).
BY_DAY_S = {"streetlight": 3600}
# As lamps switch around sunset, not at it: an hour counts as night only where the sun is well down all through it.
NIGHT_DEG = -6.0


def spread(first: int, last: int, after: datetime, until: datetime) -> dict[datetime, int]:
    """Missing numbers first to last by hour: evenly between the readings before (first - 1) and after (last + 1)."""
    step = (until - after) / (last - first + 2)
    hours: dict[datetime, int] = {}
    at, left = after + step, last - first + 1
    if step <= timedelta(0):  # a clock that went back: all we know is which reading ended it
        return {_hour(until): left}
    while left:
        hour = _hour(at)
        here = min(left, max(1, -(-(hour + HOUR - at) // step)))
        hours[hour] = hours.get(hour, 0) + here
        at, left = at + step * here, left - here
    return hours


def expected(kind: Kind, hour: datetime, now: datetime, lat: float, lon: float) -> int:
    """Readings that the interval of a kind asks for in an hour, as far as it has passed; NaN for an unknown place."""
    return int(expected_of_each(kind, hour, now, np.array([lat]), np.array([lon]))[0])


def expected_of_each(kind: Kind, hour: datetime, now: datetime, lat: Floats, lon: Floats) -> npt.NDArray[np.int64]:
    """The same for devices at these places."""
    passed_s = max((min(now, hour + HOUR) - hour).total_seconds(), 0)
    interval_s = np.full(len(lat), float(kind.interval_s))
    if kind.name in BY_DAY_S:
        interval_s[~_night(hour, lat, lon)] = max(kind.interval_s, BY_DAY_S[kind.name])
    return (passed_s // interval_s).astype(np.int64)


def completeness(stored: int, wanted: int) -> float | None:
    """Share from 0 to 1; None where nothing is expected."""
    return min(stored / wanted, 1.0) if wanted else None


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _night(hour: datetime, lat: Floats, lon: Floats) -> Bools:
    ends = np.array([[hour.timestamp()], [(hour + HOUR).timestamp()]])
    dark: Bools = np.all(elevation_deg(ends, lat, lon) < NIGHT_DEG, axis=0)
    return dark
