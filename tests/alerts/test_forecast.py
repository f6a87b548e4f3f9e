"""Time to siaga: the rise of the last hour, its stages and interval, and what is not forecast from bad data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from alerts.forecast import Bound, Forecast, Stage, bounds_of, forecast
from alerts.forecast_errors import MARGIN_S, Spread, interval
from alerts.forecast_rise import History, Reason, Refused, rise, theil_sen

NOW = 1_800_000_000.0
BOUNDS = (Bound(3, 2.0), Bound(2, 2.8))
EXACT: dict[Any, Spread] = {"own": Spread(0.0, 0.0)}
H = 6 * 3600.0


def history(level_m: Sequence[float], every_min: float = 10, bad: Sequence[int] = ()) -> History:
    """Readings that end now; those at `bad` (negative: from the end) are suspect."""
    n = len(level_m)
    good = np.ones(n, bool)
    good[list(bad)] = False
    return History(NOW - every_min * 60 * np.arange(n - 1, -1, -1.0), np.array(level_m, float), good)


def rising(slope_m_h: float, now_m: float, every_min: float = 10, n: int = 12) -> History:
    hours = every_min / 60 * np.arange(n - 1, -1, -1.0)
    return history(list(now_m - slope_m_h * hours), every_min)


def told(of: History, **more: Any) -> Forecast:
    made = forecast(of, BOUNDS, NOW, more.pop("horizon_s", H), more.pop("spreads", EXACT), **more)
    assert isinstance(made, Forecast)
    return made


def test_a_steady_rise_comes_to_each_level_when_the_line_does() -> None:
    made = told(rising(0.4, 1.8))
    assert made.rise.slope_m_h == pytest.approx(0.4)
    assert [(e.bound.siaga, round(e.after_s / 60), e.basis) for e in made.levels] == [(3, 30, "own"), (2, 150, "own")]


@pytest.mark.parametrize(
    ("slope_m_h", "now_m", "stage"),
    [(0.4, 1.7, "warning"), (0.4, 1.3, "advisory"), (0.4, 1.1, "watch"), (0.09, 1.95, "watch")],
)
def test_stages(slope_m_h: float, now_m: float, stage: Stage) -> None:
    """Within one hour, within two, later; and whatever the time, slower than 0.1 m/h is only watched."""
    assert told(rising(slope_m_h, now_m)).levels[0].stage == stage


def test_two_hours_ahead_only_a_rise_that_goes_on_is_an_advisory() -> None:
    begun = [1.3] * 8 + [1.4, 1.5, 1.6]
    assert told(history(begun, 10)).levels[0].stage == "watch"
    stopped = rising(0.5, 1.4)
    stopped.level_m[-1] = stopped.level_m[-2]
    assert told(stopped).levels[0].stage == "watch"


def test_nothing_is_expected_of_still_or_falling_water_nor_beyond_the_horizon() -> None:
    assert told(history([1.9] * 12)).levels == ()
    assert told(rising(-0.3, 1.9)).levels == ()
    assert told(rising(0.1, 1.0)).levels == ()  # 10 h
    assert [e.bound.siaga for e in told(rising(0.4, 1.8), horizon_s=3600).levels] == [3]


def test_a_level_that_was_just_reached_is_not_forecast_again() -> None:
    assert [e.bound.siaga for e in told(rising(0.4, 2.1)).levels] == [2]
    dipped = rising(0.4, 2.0)
    dipped.level_m[-2:] = 2.01, 1.99
    assert [e.bound.siaga for e in told(dipped).levels] == [2]


def test_one_wild_reading_does_not_turn_the_line() -> None:
    wild = rising(0.4, 1.8)
    wild.level_m[-3] += 0.6
    assert told(wild).rise.slope_m_h == pytest.approx(0.4, abs=0.06)
    assert theil_sen(np.arange(500) * 60.0, np.arange(500) * 0.01) == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        (history([1.0, 1.2, 1.4, 1.6], bad=[-1]), "suspect"),
        (history(list(np.linspace(1, 2, 10)), bad=range(5)), "suspect"),
        (history([1.0, 1.1, float("nan")]), "suspect"),
        (history([1.0, 1.2, 1.4]), "few"),
        (history([1.0, 1.1, 1.2, 1.3], every_min=5), "few"),
        (history([1.0, 1.2, 1.4, 1.6], every_min=60), "few"),
        (history(list(np.linspace(1, 1.7, 8)), bad=range(2, 7)), "suspect"),
        (history([]), "silent"),
    ],
)
def test_no_forecast_from_bad_data(of: History, reason: Reason) -> None:
    assert forecast(of, BOUNDS, NOW, H, {}) == Refused(reason)


def test_no_forecast_over_a_gap_nor_of_an_old_reading() -> None:
    times = NOW - 60 * np.array([58.0, 57, 2, 1, 0])
    assert rise(History(times, np.linspace(1, 1.5, 5), np.ones(5, bool)), NOW) == Refused("gap")
    assert rise(rising(0.4, 1.8), NOW + 46 * 60) == Refused("silent")


def test_half_hourly_readings_do() -> None:
    assert told(rising(0.4, 1.8, every_min=30, n=3)).levels[0].stage == "warning"


def test_later_readings_are_not_known_yet() -> None:
    longer = rising(0.4, 2.4, n=20)
    then = NOW - 3600
    assert forecast(longer, BOUNDS, then, H, EXACT) == forecast(longer.between(0, then), BOUNDS, then, H, EXACT)


def test_the_interval_is_what_the_last_ones_missed_by() -> None:
    low, high = interval(3600, Spread(np.log(0.5), np.log(2)))
    assert (low, high) == pytest.approx((0.5 * (3600 + MARGIN_S) - MARGIN_S, 2 * (3600 + MARGIN_S) - MARGIN_S))
    assert interval(60, Spread(-1.0, -0.5)) == (0.0, 60)  # never without the time expected, never in the past
    expected = told(rising(0.4, 1.8), spreads={}).levels[0]
    assert expected.from_s < expected.after_s < expected.to_s


def test_bounds_of_a_gauge_may_be_missing() -> None:
    assert bounds_of({"siaga_1_m": 3.6, "siaga_3_m": 2}) == (Bound(3, 2.0), Bound(1, 3.6))
