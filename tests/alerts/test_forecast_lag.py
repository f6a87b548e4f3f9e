"""Water that is on its way: the lag learned of past rises, and what it lets expect."""

from __future__ import annotations

import numpy as np
import pytest

from alerts.forecast import Bound, Forecast, forecast
from alerts.forecast_lag import HOLE_S, Lag, Source, coming, learn_lag, reached
from alerts.forecast_rise import History
from devices.kind import Floats
from simulator.physics.rivers import INDEX, Rivers

NOW = 1_800_000_000.0
LAG = Lag(9000.0, 0.8, 0.9, 5)
DAY = 86_400.0


def waves(t: Floats, peaks: Floats, height_m: float = 1.0) -> Floats:
    """A gauge with a wave at each peak, risen in 2 h and gone after 8."""
    level = np.full(len(t), 0.5)
    for peak in peaks:
        hours = (t - peak) / 3600
        level += height_m * np.where(hours < 0, np.exp(-((hours / 1.2) ** 2)), np.exp(-((hours / 4) ** 2)))
    return level


def gauge(t: Floats, level_m: Floats) -> History:
    return History(t, level_m, np.ones(len(t), bool))


def month(lag_h: float = 2.5, gain: float = 0.8, every_s: float = 600, n: int = 6) -> tuple[History, History]:
    t = np.arange(0, 30 * DAY, every_s)
    peaks = np.linspace(2, 27, n) * DAY
    noise = np.random.default_rng(1).normal(0, 0.003, (2, len(t)))
    up, down = waves(t, peaks), waves(t, peaks + lag_h * 3600, gain)
    return gauge(t, up + noise[0]), gauge(t, down + noise[1])


@pytest.mark.parametrize("every_s", [300, 1800])
def test_the_lag_is_that_of_past_rises(every_s: float) -> None:
    lag = learn_lag(*month(every_s=every_s))
    assert lag is not None
    assert lag.lag_s / 3600 == pytest.approx(2.5, abs=0.2)
    assert lag.gain == pytest.approx(0.8, abs=0.05)
    assert (lag.waves, lag.alike > 0.95) == (6, True)
    assert lag.earliest_s is not None
    assert lag.latest_s is not None
    assert lag.lag_s - 3600 < lag.earliest_s < lag.lag_s < lag.latest_s < lag.lag_s + 3600


def test_nothing_is_learned_of_too_few_rises_or_of_rivers_that_do_not_follow() -> None:
    assert learn_lag(*month(n=2)) is None
    up, down = month()
    assert learn_lag(up, gauge(down.t, waves(down.t, np.linspace(1, 29, 17) * DAY))) is None
    assert learn_lag(up, gauge(down.t[:0], down.level_m[:0])) is None
    assert learn_lag(up, gauge(down.t[:1], down.level_m[:1])) is None


def test_an_outage_is_no_still_water() -> None:
    up, down = month()
    heard = (up.t + DAY / 2) // DAY % 2 == 0  # every other wave
    lag = learn_lag(gauge(up.t[heard], up.level_m[heard]), down)
    assert lag is not None
    assert (lag.lag_s / 3600, lag.waves) == (pytest.approx(2.5, abs=0.2), 3)


def test_the_simulated_silau_follows_its_upper_reach() -> None:
    """Buntu Pane to Kisaran: 3 h of travel (simulator/physics/rivers.py)."""
    t = np.arange(NOW, NOW + 60 * DAY, 600.0)
    rivers = Rivers(3, NOW, opening=False)
    up, down = (gauge(t, rivers.level(np.full(len(t), INDEX[name]), t)) for name in ("buntu-pane", "kisaran-barat"))
    lag = learn_lag(up, down)
    assert lag is not None
    assert 1.5 * 3600 <= lag.lag_s <= 4 * 3600


def risen() -> History:
    """Upstream: still, and 1 m higher within the last hour."""
    t = NOW - 600 * np.arange(60, -1, -1.0)
    return gauge(t, 0.5 + np.clip((t - NOW + 3600) / 3600, 0, 1))


def test_what_rose_upstream_arrives_after_the_lag() -> None:
    flow = coming(Source("up", risen(), LAG), NOW, 1.0, 4 * 3600)
    assert flow is not None
    assert flow.rose_m == pytest.approx(1.0)
    at = dict(zip((flow.t - NOW).tolist(), flow.level_m.tolist(), strict=True))
    assert at[9000 - 3600] == pytest.approx(1.0)
    assert at[9000] == pytest.approx(1.8)
    assert at[9000 + 1800] == pytest.approx(1.8 + 0.8 * 0.5)  # as it rises there now
    assert reached(flow, 1.4) == NOW + 9000 - 1800
    assert reached(flow, 9.0) is None


def test_bad_data_upstream_are_not_used() -> None:
    up = risen()
    hole = gauge(np.delete(up.t, range(20, 30)), np.delete(up.level_m, range(20, 30)))
    assert np.diff(hole.t).max() > HOLE_S
    late = LAG._replace(lag_s=7 * 3600.0)
    for bad in (
        Source("up", hole, late),
        Source("up", up.between(0, NOW - 3600), LAG),
        Source("up", up, LAG._replace(lag_s=12 * 3600.0)),
    ):
        assert coming(bad, NOW, 1.0, 4 * 3600) is None
    assert coming(Source("up", gauge(up.t, np.full(len(up.t), 2.0)), LAG), NOW, 1.0, 4 * 3600) is None


def test_the_earlier_of_both_ways_counts() -> None:
    here = gauge(risen().t, np.full(61, 1.0))
    bounds = (Bound(3, 1.6), Bound(2, 5.0))
    made = forecast(here, bounds, NOW, 6 * 3600.0, {}, Source("wl-up", risen(), LAG))
    assert isinstance(made, Forecast)
    (level,) = made.levels
    assert (level.bound.siaga, level.basis, made.upstream, made.lag_s) == (3, "upstream", "wl-up", 9000.0)
    assert level.after_s == pytest.approx(9000 - 900, abs=300)
    fast = gauge(here.t, 1.0 + 1.2 * (here.t - NOW) / 3600)
    made = forecast(fast, bounds, NOW, 6 * 3600.0, {}, Source("wl-up", risen(), LAG))
    assert isinstance(made, Forecast)
    assert (made.levels[0].basis, made.levels[0].after_s) == ("own", pytest.approx(1800))
