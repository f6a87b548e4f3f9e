"""How many alerts a person gets, and from where: the figures of ISA-18.2 (IEC 62682) and EEMUA 191. Pure.

Times are epoch seconds, ascending. What counts as an alert: one that was raised or went live and that people were shown
at that moment, so no historical, shelved or suppressed one. docs/alerts.md names the sources.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.float64]

HOUR_S = 3600.0
TEN_MIN_S = 600.0
MINUTE_S = 60.0
# ISA-18.2, per operator and hour: about 6 is "very likely acceptable", about 12 "maximum manageable".
ACCEPTABLE, MANAGEABLE = 6, 12
# ISA-18.2: a flood begins with more than 10 new alerts in 10 minutes and ends with fewer than 5.
FLOOD_BEGINS_ABOVE, FLOOD_ENDS_BELOW = 10, 5
# ISA-18.2: an alarm that goes in and out three times in a minute chatters.
CHATTERS_FROM = 3
STANDING_S = 24 * HOUR_S


class Rate(NamedTuple):
    """Alerts an operator gets an hour. Shares are of all hours, or of all periods of ten minutes, 0 … 1."""

    hours: int
    mean: float
    most: int
    share_up_to_6: float
    share_7_to_12: float
    share_above_12: float
    most_in_10_min: int
    share_10_min_above_10: float


class Flood(NamedTuple):
    """From the alert that was one too many until fewer than 5 are left of the last 10 minutes. alerts: of these, and of
    the ten minutes that began it."""

    begin: float
    end: float
    alerts: int


class ToAck(NamedTuple):
    """Seconds from being shown to being acknowledged; severity None: of all."""

    severity: int | None
    acknowledged: int
    median_s: float
    p90_s: float


def rate(times: Times, since: float, until: float, operators: int = 1) -> Rate:
    """Alerts per operator hour, over hours and tens of minutes counted from `since`; the last may be cut short.

    operators share the alerts evenly; the bands of 6 and 12 are those of one of them.
    """
    by_hour = _counts(times, since, until, HOUR_S)
    each = by_hour / operators
    by_ten = _counts(times, since, until, TEN_MIN_S) / operators
    return Rate(
        hours=len(by_hour),
        mean=len(times) / operators / max((until - since) / HOUR_S, 1e-9),
        most=int(np.ceil(each.max())),
        share_up_to_6=float(np.mean(each <= ACCEPTABLE)),
        share_7_to_12=float(np.mean((each > ACCEPTABLE) & (each <= MANAGEABLE))),
        share_above_12=float(np.mean(each > MANAGEABLE)),
        most_in_10_min=int(np.ceil(by_ten.max())),
        share_10_min_above_10=float(np.mean(by_ten > FLOOD_BEGINS_ABOVE)),
    )


def counted(times: Times, since: float, until: float, step_s: float) -> list[int]:
    """How many alerts there were in each step from `since` on; the last may be cut short. For bars."""
    within = times[(times >= since) & (times < until)]
    found: list[int] = _counts(within, since, until, step_s).tolist()
    return found


def floods(times: Times, until: float) -> list[Flood]:
    """Floods among alerts at these times, as they would have been noticed at each moment; one that lasts ends at until.

    Looked at are the last ten minutes of every moment, not periods of the clock: no flood hides across a boundary.
    """
    found: list[Flood] = []
    begin: float | None = None
    first = oldest = 0  # index of the flood's first alert, and of the oldest of the last ten minutes
    every = times.tolist()
    for index, at in enumerate(every):
        while (leaves := every[oldest] + TEN_MIN_S) <= at:
            oldest += 1
            # One that comes in the moment in which another leaves takes its place.
            if begin is not None and bisect_right(every, leaves) - oldest < FLOOD_ENDS_BELOW:
                found.append(Flood(begin, leaves, index - first))
                begin = None
        if begin is None and index - oldest + 1 > FLOOD_BEGINS_ABOVE:
            begin, first = at, oldest
    if begin is not None:
        end = every[-FLOOD_ENDS_BELOW] + TEN_MIN_S
        found.append(Flood(begin, min(end, until), len(every) - first))
    return found


def flood_now(times: Times, now: float) -> Flood | None:
    """The flood that has begun and is not over, as of now."""
    last = next(reversed(floods(times, now)), None)
    return last if last is not None and last.end >= now else None


def share_in_flood(found: Iterable[Flood], since: float, until: float) -> float:
    """Of the time; ISA-18.2 wants less than about 1 %."""
    flooded = sum(flood.end - flood.begin for flood in found)
    return flooded / (until - since) if until > since else 0.0


def chattering(alerts: npt.NDArray[np.int64], times: Times) -> dict[int, int]:
    """Alerts with three transitions or more within a minute, and the most in one; rows of alert id and event time."""
    order = np.lexsort((times, alerts))
    alerts, times = alerts[order], times[order]
    found: dict[int, int] = {}
    # So many within a minute: the one n - 1 rows further on is of the same alert and no more than a minute later.
    candidates = np.arange(len(alerts))
    for n in range(CHATTERS_FROM, len(alerts) + 1):
        candidates = candidates[candidates + n - 1 < len(alerts)]
        last = candidates + n - 1
        candidates = candidates[(alerts[last] == alerts[candidates]) & (times[last] - times[candidates] <= MINUTE_S)]
        if len(candidates) == 0:
            break
        found.update((number, n) for number in np.unique(alerts[candidates]).tolist())
    return found


def to_ack(rows: Sequence[tuple[int, float]]) -> list[ToAck]:
    """Time to acknowledge, of all and by severity, worst first; rows of severity and seconds."""
    if not rows:
        return []
    severity = np.array([row[0] for row in rows])
    seconds = np.array([row[1] for row in rows], dtype=np.float64)
    chosen: list[tuple[int | None, Times]] = [(None, seconds)]
    chosen += [(int(one), seconds[severity == one]) for one in np.unique(severity)[::-1]]
    return [
        ToAck(one, len(of), float(np.median(of)), float(np.percentile(of, 90)))
        for one, of in chosen
    ]  # fmt: skip


def _counts(times: Times, since: float, until: float, step_s: float) -> npt.NDArray[np.int64]:
    periods = max(1, int(np.ceil((until - since) / step_s)))
    index = ((times - since) // step_s).astype(np.int64)
    counted: npt.NDArray[np.int64] = np.bincount(np.clip(index, 0, periods - 1), minlength=periods)
    return counted
