"""Rules about what is coming: a river that rises fast, a siaga level that is expected soon. Pure.

Judged by the worker at each new reading of a gauge, with what a forecast says there (alerts/forecast.py). Of late
readings nobody is told what was to be expected then; the forecasts themselves are kept for them too. Bad data say
nothing. A tidal gauge is left out: a line through a rising tide says high water comes sooner than it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from alerts.conditions import UNKNOWN
from alerts.engine import Evaluated
from alerts.follow import Verdict
from alerts.follow import follow as follow_verdicts
from alerts.forecast import Expected, Forecast
from alerts.forecast_rise import Refused
from alerts.forecast_walk import Told
from alerts.rule import Key, Rule
from alerts.state import State

TIDAL = "tidal"
OF_FORECASTS = ("rising", "time_to")


def judge(rule: Rule, said: Forecast | Refused) -> tuple[int, int]:
    """The rung that is reached, and the one that still holds."""
    if isinstance(said, Refused):
        return UNKNOWN, UNKNOWN
    return _rising(rule, said) if rule.condition == "rising" else _time_to(rule, said)


def follow(
    rules: Iterable[Rule],
    device_id: str,
    attributes: Mapping[str, Any],
    states: Mapping[Key, State],
    told: Iterable[Told],
) -> Evaluated:
    """What these rules, all that watch a gauge, make of what was said at its readings, in order."""
    found = Evaluated([], {}, [])
    if attributes.get(TIDAL):
        return found
    told = list(told)
    for rule in rules:
        key = Key(rule.id, device_id)
        each = follow_verdicts(rule, key, rule.kind, states.get(key) or State.rest(rule), _verdicts(rule, told))
        found.transitions.extend(each.transitions)
        found.states.update(each.states)
    found.transitions.sort(key=lambda each: each.event_at)
    return found


def _verdicts(rule: Rule, told: Iterable[Told]) -> Iterator[Verdict]:
    for at, said in told:
        up, hold = judge(rule, said)
        if up != UNKNOWN and not isinstance(said, Refused):
            yield Verdict(at, up, hold, said.rise.level_m)


def _rising(rule: Rule, said: Forecast) -> tuple[int, int]:
    """At or above a bound, in m/h over the last hour; held down to bound - hysteresis."""
    slope, bounds = said.rise.slope_m_h, _bounds(rule)
    return _rung(slope >= bound for bound in bounds), _rung(slope >= bound - rule.hysteresis for bound in bounds)


def _time_to(rule: Rule, said: Forecast) -> tuple[int, int]:
    """Expected within a bound, in s, by a rise that is more than slow (docs/forecasts.md: advisory or warning); held up
    to bound + hysteresis. A level that has been reached is not expected any more."""
    level = _expected(rule, said)
    if level is None:
        return 0, 0
    bounds = _bounds(rule)
    hold = _rung(level.after_s <= bound + rule.hysteresis for bound in bounds)
    up = 0 if level.stage == "watch" else _rung(level.after_s <= bound for bound in bounds)
    return up, hold


def _expected(rule: Rule, said: Forecast) -> Expected | None:
    return next((level for level in said.levels if level.bound.siaga == rule.to_siaga), None)


def _bounds(rule: Rule) -> list[float]:
    return [level.bound for level in rule.level if level.bound is not None]


def _rung(reached: Iterable[bool]) -> int:
    return max((rung for rung, is_reached in enumerate(reached, 1) if is_reached), default=0)
