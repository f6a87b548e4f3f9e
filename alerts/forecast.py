"""Time to siaga: when a rising gauge comes to each worse level, between when and when, and what that is made from.

Two ways to see it coming, each told in a sentence: it goes on rising as in the last hour; or what has passed the gauge
upstream arrives. The earlier counts. From bad data nothing is said (docs/forecasts.md has figures).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from alerts import ladder
from alerts.forecast_errors import UNKNOWN, Spread, interval
from alerts.forecast_lag import Coming, Source, coming, reached
from alerts.forecast_rise import History, Refused, Rise, rise

Basis = Literal["own", "upstream"]
Stage = Literal["watch", "advisory", "warning"]

# Slower than that is what the sensor's noise makes of still water.
SLOPE_MIN_M_H = 0.02
# A level that was reached so short ago is not forecast again.
REACHED_S = 1800.0
# Domain defaults; what they are worth on Jakarta's gauges is in docs/forecasts.md.
RATE_M_H, WARNING_H, ADVISORY_H = 0.10, 1.0, 2.0


class Bound(NamedTuple):
    """siaga: 3 to 1 (worst), reached from level_m on."""

    siaga: int
    level_m: float


class Expected(NamedTuple):
    """One level, in s after the newest reading: when it is expected, and between when and when."""

    bound: Bound
    after_s: float
    from_s: float
    to_s: float
    basis: Basis
    stage: Stage


@dataclass(frozen=True, slots=True)
class Forecast:
    """levels: those that are expected within the horizon, worst last; none where nothing is coming.

    upstream, lag_s, rose_m: what the basis `upstream` is made from, where there is any.
    """

    rise: Rise
    levels: tuple[Expected, ...]
    upstream: str | None = None
    lag_s: float | None = None
    rose_m: float | None = None


def bounds_of(attributes: Mapping[str, Any]) -> tuple[Bound, ...]:
    """The levels of a gauge that are known, Siaga 3 first."""
    known = ((siaga, attributes.get(name)) for siaga, name in reversed(ladder.BOUNDS))
    return tuple(Bound(siaga, float(level_m)) for siaga, level_m in known if level_m is not None)


def forecast(
    history: History,
    bounds: Sequence[Bound],
    now: float,
    horizon_s: float,
    spreads: Mapping[Basis, Spread],
    source: Source | None = None,
) -> Forecast | Refused:
    """What is to be expected at `now` (epoch s) of the readings up to then. spreads: past errors by basis."""
    seen = rise(history, now)
    if isinstance(seen, Refused):
        return seen
    flow = coming(source, seen.at, seen.level_m, horizon_s) if source else None
    highest = float(history.between(seen.at - REACHED_S, seen.at).usable.level_m.max())
    levels = tuple(_levels([b for b in bounds if b.level_m > highest], seen, flow, horizon_s, spreads))
    if source is None or flow is None:
        return Forecast(seen, levels)
    return Forecast(seen, levels, source.device_id, source.lag.lag_s, flow.rose_m)


def _levels(
    bounds: Sequence[Bound], seen: Rise, flow: Coming | None, horizon_s: float, spreads: Mapping[Basis, Spread]
) -> Iterator[Expected]:
    for bound in bounds:
        ways: list[tuple[float, Basis]] = []
        if (own_s := _left_s(bound, seen.level_m, seen.slope_m_h)) is not None:
            ways.append((own_s, "own"))
        if flow is not None and (at := reached(flow, bound.level_m)) is not None:
            ways.append((at - seen.at, "upstream"))
        if ways and min(ways)[0] <= horizon_s:
            after_s, basis = min(ways)
            low_s, high_s = interval(after_s, spreads.get(basis, UNKNOWN))
            yield Expected(bound, after_s, low_s, high_s, basis, _stage(bound, seen, after_s, basis))


def _left_s(bound: Bound, level_m: float, slope_m_h: float) -> float | None:
    return (bound.level_m - level_m) / slope_m_h * 3600 if slope_m_h >= SLOPE_MIN_M_H else None


def _stage(bound: Bound, seen: Rise, after_s: float, basis: Basis) -> Stage:
    """warning: within the hour. advisory: within 2 h and the rise is steady, or water is on its way."""
    if (bound.level_m - seen.level_m) / after_s * 3600 < RATE_M_H:
        return "watch"
    if after_s <= WARNING_H * 3600:
        return "warning"
    steady = after_s if basis == "upstream" else None
    if seen.steady_m_h is not None and seen.steady_m_h >= RATE_M_H:
        steady = _left_s(bound, seen.level_m, seen.steady_m_h)
    return "advisory" if steady is not None and steady <= ADVISORY_H * 3600 else "watch"
