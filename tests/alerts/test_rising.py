"""Rules about what is coming, at the readings of a gauge: half a metre an hour, Siaga 2 in one or two hours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from alerts.forecast import bounds_of
from alerts.forecast_rise import History
from alerts.forecast_walk import walk
from alerts.rising import follow, judge
from alerts.rule import Key, Rule, shipped
from alerts.state import State

BEGIN = 1_800_000_000.0
GAUGE = {"siaga_3_m": 2.0, "siaga_2_m": 3.0, "siaga_1_m": 4.0}
SOON, FAST = (next(rule for rule in shipped() if rule.id == name) for name in ("siaga_2_soon", "fast_rise"))


def steps(
    rule: Rule, hours: Sequence[float], level_m: Sequence[float], bad: Sequence[int] = (), **attributes: Any
) -> list[tuple[str, int, int | None]]:
    """What a rule says along a line through these points, a reading every 10 min: (what, minute, severity)."""
    t = np.arange(0, hours[-1] * 3600 + 1, 600.0)
    good = np.ones(len(t), bool)
    good[list(bad)] = False
    history = History(BEGIN + t, np.interp(t / 3600, hours, level_m), good)
    told = walk(history, BEGIN - 1, bounds_of(GAUGE), 6 * 3600, {}, tell_since=BEGIN).told
    found = follow([rule], "gauge", GAUGE | attributes, {}, told)
    return [(e.what, round((e.event_at.timestamp() - BEGIN) / 60), e.to_severity) for e in found.transitions]


def test_siaga_2_is_announced_two_hours_and_one_hour_ahead_until_it_is_there() -> None:
    """Half a metre an hour from 1 m at 60 min: 3 m at 300 min."""
    found = steps(SOON, [0, 1, 5.5, 9], [1, 1, 3.25, 3.25])
    assert [(what, severity) for what, _, severity in found] == [("raised", 1), ("worsened", 2), ("cleared", None)]
    raised, worsened, cleared = (minute for _, minute, _ in found)
    assert raised == pytest.approx(180, abs=10)
    assert worsened == pytest.approx(240, abs=10)
    assert cleared == 300 + 30  # reached, and half an hour


def test_a_rise_that_stops_short_is_taken_back() -> None:
    found = steps(SOON, [0, 1, 3.5, 9], [1, 1, 2.5, 2.5])
    assert next(what for what, *_ in found) == "raised"
    assert found[-1][0] == "cleared"


def test_a_fast_rise_far_below_every_level_is_told_once() -> None:
    found = steps(FAST, [0, 1, 2, 5], [-4, -4, -3.2, -3.2])
    assert [(what, severity) for what, _, severity in found] == [("raised", 1), ("cleared", None)]


def test_a_slow_river_is_not_told() -> None:
    assert steps(FAST, [0, 5], [0, 2]) == []
    assert steps(SOON, [0, 5], [2.5, 2.7]) == []


def test_the_tide_says_nothing_of_what_is_coming() -> None:
    assert steps(FAST, [0, 1, 2, 5], [0, 0, 1.2, 1.2], tidal=True) == []


def test_bad_data_neither_raise_nor_clear() -> None:
    rise = [0, 1, 5, 9], [1, 1, 3, 3]
    assert steps(SOON, *rise, bad=range(7, 55)) == []
    raised = steps(SOON, [0, 1, 3.5, 9], [1, 1, 2.25, 2.25], bad=range(21, 55))
    assert [what for what, *_ in raised] == ["raised"]


def test_it_goes_on_from_where_it_stood() -> None:
    t = np.arange(0, 5 * 3600, 600.0)
    history = History(BEGIN + t, np.interp(t / 3600, [0, 1, 5], [1, 1, 3]), np.ones(len(t), bool))
    told = walk(history, BEGIN - 1, bounds_of(GAUGE), 6 * 3600, {}, tell_since=BEGIN).told
    whole = follow([SOON], "gauge", GAUGE, {}, told)
    states: dict[Key, State] = {}
    found = []
    for each in told:
        one = follow([SOON], "gauge", GAUGE, states, [each])
        states = {key: state for key, state in (states | one.states).items() if state}
        found += one.transitions
    assert found == whole.transitions
    assert states == whole.states


def test_only_readings_that_somebody_asked_for_are_judged() -> None:
    t = np.arange(0, 5 * 3600, 600.0)
    history = History(BEGIN + t, np.interp(t / 3600, [0, 1, 5], [1, 1, 3]), np.ones(len(t), bool))
    looked = walk(history, BEGIN - 1, bounds_of(GAUGE), 6 * 3600, {}, tell_since=BEGIN + 4 * 3600)
    assert [each.at - BEGIN for each in looked.told] == [4 * 3600 + n * 600 for n in range(6)]
    assert judge(SOON, looked.told[0].said)[0] == 2
