"""Rivers, rain and tide: waves travel downstream, later and lower; the mouth breathes twice a day."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from devices.kinds import KINDS
from simulator.fleet import make_fleet
from simulator.physics import rain, tide
from simulator.physics.gauges import DEAD_ZONE_M, gauges_of, measure
from simulator.physics.rivers import INDEX, REACHES, SITES, Rivers, nakayasu, time_lag_h
from tests.simulator.field import DAY_S, HOUR_S, grid, wib

LEVEL = KINDS["water_level"].metrics["level_m"]
STEP_S = 300.0


@pytest.fixture(scope="module")
def flood() -> dict[str, np.ndarray]:
    """All levels from 6 h before to 30 h after the start of a run with its opening storm."""
    return levels(Rivers(1, wib(20)), wib(14) + np.arange(0, 36 * HOUR_S, STEP_S))


def levels(rivers: Rivers, t: np.ndarray) -> dict[str, np.ndarray]:
    row, times = grid(len(REACHES), t)
    return dict(zip(REACHES, rivers.level(row, times).reshape(len(REACHES), -1), strict=True))


def rise(series: np.ndarray) -> float:
    return float(series.max() - series[0])


def rain_and_level(rivers: Rivers) -> tuple[np.ndarray, np.ndarray]:
    """Rain at, and level of, Buntu Pane from 8 h before 20:00."""
    t = wib(12) + np.arange(0, 20 * HOUR_S, STEP_S)
    row = np.full(len(t), INDEX["buntu-pane"])
    return rivers.rain_mm(row, t - STEP_S, t), rivers.level(row, t)


class TestFlood:
    """The Silau as floods are described: BPBD Asahan 2020, Jakarta 2020, the Wear's cascade of gauges."""

    def test_comes_down_the_silau_later_and_lower(self, flood: dict[str, np.ndarray]) -> None:
        upper, lower = flood["buntu-pane"], flood["kisaran-barat"]
        assert 2 <= (lower.argmax() - upper.argmax()) * STEP_S / HOUR_S <= 4
        assert 0.7 <= rise(lower) / rise(upper) <= 0.9

    def test_comes_down_the_asahan_later(self, flood: dict[str, np.ndarray]) -> None:
        lag_h = (flood["pulau-rakyat"].argmax() - flood["bandar-pulau"].argmax()) * STEP_S / HOUR_S
        assert 3 <= lag_h <= 7

    @pytest.mark.parametrize("key", ["buntu-pane", "kisaran-barat"])
    def test_rises_as_fast_as_real_ones_and_falls_3_to_5_times_slower(
        self, flood: dict[str, np.ndarray], key: str
    ) -> None:
        rate = np.diff(flood[key]) * HOUR_S / STEP_S
        assert 0.3 <= rate.max() <= 1.7
        assert 3 <= rate.max() / -rate.min() <= 5

    def test_begins_about_two_and_a_half_hours_after_the_rain(self) -> None:
        rained, river = rain_and_level(Rivers(1, wib(20)))
        begin = np.flatnonzero(rained > 0)[0]
        assert 1.5 <= (np.flatnonzero(river > river[0] + 0.1)[0] - begin) * STEP_S / HOUR_S <= 3

    def test_reaches_siaga_2_upstream_40_s_after_the_start(self) -> None:
        start = wib(20)
        at = start + np.array([0.0, 39.0, 41.0, 600.0])
        series = Rivers(1, start).level(np.full(4, INDEX["buntu-pane"]), at)
        bound = SITES["buntu-pane"].bounds[1]
        assert SITES["buntu-pane"].bounds[0] < series[1] < bound < series[2]
        assert series[3] > series[2], "and goes on rising"

    def test_is_over_in_two_days(self, flood: dict[str, np.ndarray]) -> None:
        later = Rivers(1, wib(20)).level(np.array([INDEX["buntu-pane"]]), np.array([wib(20, 2)]))[0]
        assert later < SITES["buntu-pane"].bounds[0]
        assert later < flood["buntu-pane"].max() - 1.5


class TestScenarios:
    STORM = rain.Storm(wib(15), 4 * HOUR_S, 60.0, 2.80, 99.31, 14.0, 0.5)

    def test_without_the_seeds_weather_rivers_are_at_rest(self) -> None:
        t = wib(0) + np.arange(0, 5 * DAY_S, 1800.0)
        rivers = Rivers(1, wib(0), opening=False, seeded=False)
        found = levels(rivers, t)
        assert np.ptp(found["buntu-pane"]) < 1e-9
        row, times = grid(len(REACHES), t)
        assert rivers.rain_mm(row, times - 1800, times).max() == 0

    def test_a_storm_of_its_own_comes_at_its_time(self) -> None:
        rivers = Rivers(1, wib(0), opening=False, seeded=False, storms=[self.STORM])
        rained, river = rain_and_level(rivers)
        assert rained[: int(3 * HOUR_S / STEP_S)].max() == 0
        assert 10 < rained.sum() < 60, "the gauge stands below the hills"
        assert rise(river) > 1
        assert np.abs(river[: int(3 * HOUR_S / STEP_S)] - river[0]).max() < 1e-9

    def test_storms_add_to_the_weather_and_the_opening(self) -> None:
        t = wib(20) + np.arange(0, DAY_S, 1800.0)
        plain, more = (levels(Rivers(1, wib(20), storms=s), t)["buntu-pane"] for s in ((), (self.STORM,)))
        assert (more - plain).max() > 0.3


class TestLevels:
    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_stay_in_the_hard_range_and_change(self, seed: int) -> None:
        found = levels(Rivers(seed, wib(0), opening=False), wib(0) + np.arange(0, 20 * DAY_S, 1800.0))
        for key, series in found.items():
            assert series.min() > LEVEL.low, key
            assert series.max() < LEVEL.high - 5, key
            assert np.ptp(series) > 0.1, key

    def test_have_no_step_from_one_day_to_the_next(self) -> None:
        """Days are computed apart; at UTC midnight they must meet."""
        rivers = Rivers(1, wib(0), opening=False)
        midnights = np.arange(10) * DAY_S + np.ceil(wib(0) / DAY_S) * DAY_S
        found = levels(rivers, np.ravel(np.column_stack([midnights - 0.5, midnights])))
        for key, series in found.items():
            assert np.abs(np.diff(series.reshape(-1, 2), axis=1)).max() < 0.005, key

    def test_do_not_depend_on_what_was_asked_before(self) -> None:
        t = wib(0) + np.arange(0, 8 * DAY_S, 3600.0)
        rivers = Rivers(1, wib(0))
        forward = levels(rivers, t)
        rivers.level(np.array([0]), np.array([wib(0, -5)]))
        backward = [levels(rivers, day)["kisaran-barat"] for day in np.split(t, 8)[::-1]]
        np.testing.assert_array_equal(np.concatenate(backward[::-1]), forward["kisaran-barat"])

    def test_are_the_same_for_the_same_seed_and_differ_for_another(self) -> None:
        t = wib(0) + np.arange(0, 10 * DAY_S, 7200.0)
        one, same, other = (levels(Rivers(seed, wib(0), opening=False), t)["buntu-pane"] for seed in (1, 1, 2))
        np.testing.assert_array_equal(one, same)
        assert np.abs(one - other).max() > 0.1


class TestUnitHydrograph:
    @pytest.mark.parametrize(("area_km2", "length_km"), [(500, 60), (150, 28), (44.62, 15.26), (150, 10)])
    def test_keeps_the_volume(self, area_km2: float, length_km: float) -> None:
        hours = np.arange(0, 400, 0.02)
        volume = nakayasu(area_km2, length_km, hours).sum() * 0.02 * HOUR_S
        assert volume == pytest.approx(area_km2 * 1000, rel=0.03)

    def test_peaks_when_and_as_high_as_the_method_says(self) -> None:
        """Temon: Tg 1.285 h; with Tr 0.5 Tg, Tp = 1.4 Tg; T03 = 3 Tg; Qp = A / (3.6 (0.3 Tp + T03))."""
        assert time_lag_h(15.26) == pytest.approx(1.285, abs=0.001)
        hours = np.arange(0, 40, 0.001)
        flow = nakayasu(44.62, 15.26, hours)
        assert hours[flow.argmax()] == pytest.approx(1.4 * 1.285, rel=0.01)
        assert flow.max() == pytest.approx(44.62 / (3.6 * (0.3 * 1.4 * 1.285 + 3 * 1.285)), rel=0.01)

    def test_is_a_single_smooth_wave(self) -> None:
        flow = nakayasu(500, 60, np.arange(0, 100, 0.05))
        peak = int(flow.argmax())
        assert flow[0] == 0
        assert (np.diff(flow[: peak + 1]) >= 0).all()
        assert (np.diff(flow[peak:]) <= 1e-9).all()
        assert np.abs(np.diff(flow)).max() < 0.03 * flow.max()


class TestTide:
    T = wib(0) + np.arange(0, 60 * DAY_S, 600.0)

    def test_is_semidiurnal(self) -> None:
        z = tide.at_mouth(self.T)
        highs = ((z[1:-1] > z[:-2]) & (z[1:-1] >= z[2:])).sum() / 60
        assert highs == pytest.approx(24 / 12.42, abs=0.05)
        spectrum = np.abs(np.fft.rfft(z - z.mean()))
        assert 60 * 24 / spectrum.argmax() == pytest.approx(12.42, abs=0.1)

    def test_has_springs_and_neaps(self) -> None:
        """Bagan Asahan: 1.1 m at neap, 3.9 m at spring; the smaller constituents add a little."""
        z = tide.at_mouth(self.T)
        ranges = [np.ptp(z[i : i + 75]) for i in range(0, len(z) - 75, 75)]  # 12.5 h
        assert 0.7 < min(ranges) < 1.6
        assert 3.5 < max(ranges) < 4.8

    def test_is_there_at_the_gauge_of_the_mouth(self) -> None:
        t = wib(0) + np.arange(0, 2 * DAY_S, 600.0)
        found = levels(Rivers(1, wib(0), opening=False), t)["bagan-asahan"]
        assert np.corrcoef(found, tide.at_mouth(t))[0, 1] > 0.98

    def test_fades_and_lags_upstream(self) -> None:
        nothing = np.zeros_like(self.T)
        near, far = (tide.upstream(self.T, km, nothing, 500.0) for km in (10, 25))
        assert np.ptp(near) > np.ptp(far) > 0
        assert np.ptp(far) / np.ptp(near) == pytest.approx(np.exp(-1), abs=0.02)
        lag = tide.upstream(self.T, 20, nothing, 500.0) / np.exp(-20 / 15)
        np.testing.assert_allclose(lag, tide.at_mouth(self.T - HOUR_S), atol=1e-9)

    def test_is_damped_by_a_flood(self) -> None:
        calm, flood = (tide.upstream(self.T, 10, np.full_like(self.T, q), 500.0) for q in (0.0, 500.0))
        np.testing.assert_allclose(flood, calm / 2)


class TestRain:
    DAYS = (20_780, 20_780 + 400)
    STORMS = rain.storms(1, *DAYS)

    def test_falls_on_about_two_evenings_of_three(self) -> None:
        assert len(self.STORMS) / 400 == pytest.approx(rain.CHANCE, abs=0.08)

    def test_is_as_deep_as_storms_here(self) -> None:
        depth = np.array([storm.depth_mm for storm in self.STORMS])
        assert depth.mean() == pytest.approx(rain.DEPTH_MEAN_MM, rel=0.25)
        assert depth.max() <= rain.DEPTH_MAX_MM

    def test_begins_in_the_evening_and_lasts_2_to_7_h(self) -> None:
        for storm in self.STORMS:
            hour = (storm.begin + rain.WIB_S) % DAY_S / HOUR_S
            assert 15 <= hour < 24
            assert 2 <= storm.duration_s / HOUR_S <= 7
            assert 0.2 <= storm.runoff <= 0.7

    def test_storms_do_not_depend_on_the_days_asked_for(self) -> None:
        some = rain.storms(1, self.DAYS[0] + 100, self.DAYS[0] + 120)
        assert some
        assert set(some) <= set(self.STORMS)

    def test_falls_whole_and_hardest_at_a_third(self) -> None:
        storm = self.STORMS[0]
        t = storm.begin + np.linspace(-0.5, 1.5, 2001) * storm.duration_s
        share = rain.fallen(storm, t)
        assert (share[0], share[-1]) == (0, 1)
        assert (np.diff(share) >= 0).all()
        hardest = (t[np.diff(share).argmax()] - storm.begin) / storm.duration_s
        assert hardest == pytest.approx(0.38, abs=0.02)

    def test_a_tipping_bucket_counts_whole_tips_and_loses_none(self) -> None:
        depth = np.cumsum(np.full(200, 0.07))
        tips = rain.tipped_mm(depth[:-1], depth[1:])
        assert set(np.round(tips / rain.BUCKET_MM, 6)) <= {0, 1}
        assert tips.sum() == pytest.approx(depth[-1] - depth[0], abs=rain.BUCKET_MM)

    def test_the_gauges_count_what_falls(self) -> None:
        rivers = Rivers(1, wib(0), opening=False)
        t = wib(0) + np.arange(0, 12 * DAY_S, 600.0)
        counted = rivers.rain_mm(np.full(len(t), INDEX["bandar-pulau"]), t - 600, t).sum()
        site = SITES["bandar-pulau"]
        day = int((wib(0) + rain.WIB_S) // DAY_S)
        falling = rain.storms(1, day - 2, day + 13)
        depth = np.ptp(rain.cumulative_mm(falling, site.lat, site.lon, np.array([t[0] - 600, t[-1]])))
        assert depth > 20
        assert depth - rain.BUCKET_MM * len(falling) <= counted <= depth

    def test_is_counted_by_the_gauges(self) -> None:
        rivers = Rivers(1, wib(20))
        t = wib(14) + np.arange(0, DAY_S, 600.0)
        row, times = grid(len(REACHES), t)
        mm = rivers.rain_mm(row, times - 600, times)
        assert mm.min() == 0
        assert 20 < mm.reshape(len(REACHES), -1).sum(axis=1).max() < 100


class TestGauges:
    DEVICES = tuple(device for device in make_fleet(200, 1) if device.kind == "water_level")

    def test_distance_and_level_tell_of_the_same_river(self) -> None:
        rivers = Rivers(1, wib(20))
        fitted = gauges_of(self.DEVICES, 1, rivers)
        row, t = grid(len(self.DEVICES), wib(20) + np.arange(0, 3 * HOUR_S, 60.0))
        found = measure(fitted, row, t, np.full(len(t), 60.0))
        level = np.where(np.isnan(found["level_m"]), fitted.sensor_m[row] - found["distance_m"], found["level_m"])
        truth = rivers.level(fitted.reach[row], t)
        assert np.abs(level - truth).max() < 0.06
        noise = (level - truth).reshape(len(self.DEVICES), -1).std(axis=1)
        assert noise.min() > 0.001, "a flat line would be a broken sensor"

    def test_the_water_never_reaches_the_radar(self) -> None:
        """Above the dead zone a radar says its shortest distance, as real ones do."""
        rivers = Rivers(1, wib(20))
        fitted = gauges_of(self.DEVICES, 1, rivers)
        drowned = replace(fitted, sensor_m=np.full_like(fitted.sensor_m, 0.5))
        row, t = grid(len(self.DEVICES), np.array([wib(22)]))
        assert (measure(drowned, row, t, np.full(len(t), 60.0))["distance_m"] >= DEAD_ZONE_M).all()

    def test_batteries_charge_by_day(self) -> None:
        fitted = gauges_of(self.DEVICES, 1, Rivers(1, wib(20)))
        row, t = grid(len(self.DEVICES), wib(0) + np.arange(0, DAY_S, 900.0))
        volts = measure(fitted, row, t, np.full(len(t), 60.0))["battery_v"].reshape(len(self.DEVICES), -1)
        hour = np.arange(0, 24, 0.25)
        assert 3.5 < volts.min() < volts.max() < 4.3
        assert ((hour[volts.argmax(axis=1)] > 12) & (hour[volts.argmax(axis=1)] < 17)).all()
        assert (np.abs(np.diff(volts, axis=1)) < 0.06).all()
