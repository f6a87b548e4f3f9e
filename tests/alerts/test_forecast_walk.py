"""Along the readings: what is kept, what came, where nobody looked; cut anywhere it comes to the same."""

from __future__ import annotations

import numpy as np
import pytest

from alerts.forecast import Bound, bounds_of
from alerts.forecast_rise import History
from alerts.forecast_walk import BACK_S, EVERY_S, Crossing, Gap, Walk, walk
from devices.kind import Floats
from tests.simulator.offline import played, shipped_plan

BOUNDS = (Bound(3, 2.0), Bound(2, 2.8))
H = 6 * 3600.0


def gauge(t: Floats, level_m: Floats, good: np.ndarray | None = None) -> History:
    return History(t, level_m, np.ones(len(t), bool) if good is None else good)


def flood(every_s: float = 600.0) -> History:
    """Up from 1 m to 3 m in 5 h and down again."""
    t = np.arange(0, 12 * 3600 + 1, every_s)
    return gauge(t, 1.0 + np.interp(t / 3600, [0, 1, 6, 12], [0, 0, 2, 0]))


def test_forecasts_come_before_what_they_forecast() -> None:
    found = walk(flood(), -1, BOUNDS, H, {})
    assert found.events == (Crossing(3, 12_600.0), Crossing(2, 19_800.0))
    warned = [f.rise.at for f in found.forecasts if f.levels[0].stage == "warning" and f.levels[0].bound.siaga == 3]
    assert warned[0] <= 12_600 - 3000
    assert (found.holds, found.refused, found.good_at) == (False, None, 12 * 3600.0)


def test_a_forecast_is_kept_every_five_minutes() -> None:
    at = [f.rise.at for f in walk(flood(60), -1, BOUNDS, H, {}).forecasts]
    assert len(at) > 30
    assert min(np.diff(at)) == EVERY_S


@pytest.mark.parametrize("every_s", [60.0, 600.0])
def test_cut_anywhere_it_comes_to_the_same(every_s: float) -> None:
    """As a worker sees it, that comes every now and then, is killed, or walks through history a day at a time."""
    whole = flood(every_s)
    hole = (whole.t > 9000) & (whole.t < 18_000)
    whole = gauge(whole.t[~hole], whole.level_m[~hole], np.random.default_rng(2).random((~hole).sum()) > 0.02)
    at_once = walk(whole, -1, BOUNDS, H, {})
    since, made, events, last, good_at = -1.0, [], [], -np.inf, None
    for until in [*np.sort(np.random.default_rng(3).uniform(0, 12 * 3600, 25)), 12 * 3600.0]:
        part: Walk = walk(whole.between(since - BACK_S, until), since, BOUNDS, H, {}, None, last, good_at)
        made += part.forecasts
        events += part.events
        if part.forecasts and part.holds:
            last = part.forecasts[-1].rise.at
        elif not part.holds and (whole.t[whole.t <= until] > since).any():
            last = -np.inf
        since, good_at = float(until), part.good_at
    assert [(f.rise.at, f.levels) for f in made] == [(f.rise.at, f.levels) for f in at_once.forecasts]
    assert tuple(events) == at_once.events


def test_over_a_gap_nothing_is_a_crossing() -> None:
    t = np.array([0.0, 600, 1200, 1200 + 7260, 1200 + 7860])
    found = walk(gauge(t, np.array([1.0, 1.1, 1.2, 2.5, 2.6])), -1, BOUNDS, H, {})
    assert found.events == (Gap(1200.0, 8460.0),)
    seen_before = walk(gauge(t[3:], np.array([2.5, 2.6])), 1200.0, BOUNDS, H, {}, good_at=1200.0)
    assert seen_before.events == found.events


def test_what_flaps_about_a_bound_crosses_it_once() -> None:
    t = np.arange(0, 3 * 3600, 600.0)
    level_m = np.where(np.arange(len(t)) % 2, 2.01, 1.99)
    assert walk(gauge(t, level_m), -1, BOUNDS, H, {}).events == (Crossing(3, 600.0),)


def test_of_bad_data_the_reason_stays() -> None:
    whole = flood()
    good = whole.t < 10_000
    found = walk(gauge(whole.t, whole.level_m, good), -1, BOUNDS, H, {})
    assert (found.holds, found.refused, found.good_at) == (False, "suspect", 9600.0)


@pytest.mark.parametrize("seed", [7, 11])
def test_every_crossing_of_the_silau_flood_is_warned_of(seed: int) -> None:
    """Three quarters of an hour ahead and more, within the interval four times of five and more."""
    flood_of = played(shipped_plan("banjir-silau", seed))
    leads, covered = [], []
    for device in flood_of.plan.fleet:
        if device.kind != "water_level":
            continue
        own = [i for i in flood_of.of("water_level") if flood_of.plan.fleet[i.device] == device]
        told = {i.ts_ms / 1000: i.values["level_m"] for i in own}
        t = np.array(sorted(told))
        found = walk(gauge(t, np.array([told[at] for at in t], float)), t[0] - 1, bounds_of(device.attributes), H, {})
        expected = [(f.rise.at, e) for f in found.forecasts for e in f.levels]
        for event in found.events:
            assert isinstance(event, Crossing)
            of_it = [(at, e) for at, e in expected if e.bound.siaga == event.siaga and 0 < event.at - at <= H]
            leads.append(event.at - min(at for at, e in of_it if e.stage == "warning"))
            covered += [at + e.from_s <= event.at <= at + e.to_s for at, e in of_it]
    assert len(leads) >= 8
    assert min(leads) >= 45 * 60
    assert sum(covered) >= 0.8 * len(covered)
