"""Traffic physics: rush hours, queues where demand exceeds capacity, and classes that add up."""

from __future__ import annotations

import numpy as np
import pytest

from alerts.engine import Engine, evaluate
from alerts.rule import shipped
from devices.fleet import Fleet
from devices.kinds import KINDS
from simulator.city import City
from simulator.fleet import make_fleet
from simulator.physics import demand, traffic
from tests.simulator.field import DAY_S, grid, through_ingest, wib

DEVICES = [device for device in make_fleet(1_000, 1) if device.kind == "traffic"]
FITTED = traffic.detectors_of(DEVICES, 1)
PERIOD_S = 300.0
HOURS = np.arange(PERIOD_S, DAY_S + 1, PERIOD_S) / 3600  # end of each period


def day_of(day: int, period_s: float = PERIOD_S) -> dict[str, np.ndarray]:
    row, t = grid(len(DEVICES), wib(0, day) + HOURS * 3600)
    found = traffic.measure(FITTED, row, t, np.full(len(t), period_s))
    return {name: column.reshape(len(DEVICES), -1) for name, column in found.items()}


@pytest.fixture(scope="module")
def tuesday() -> dict[str, np.ndarray]:
    return day_of(0)


def between(found: dict[str, np.ndarray], name: str, begin: float, end: float) -> np.ndarray:
    return found[name][:, (begin < HOURS) & (end >= HOURS)]


def test_classes_add_up_to_the_count(tuesday: dict[str, np.ndarray]) -> None:
    parts = sum(tuesday[f"count_{name}"] for name in ("motorcycle", "car", "heavy"))
    np.testing.assert_array_equal(parts, tuesday["count"])
    assert all(tuesday[f"count_{name}"].min() >= 0 for name in ("motorcycle", "car", "heavy"))


def test_counts_are_whole(tuesday: dict[str, np.ndarray]) -> None:
    np.testing.assert_array_equal(tuesday["count"], np.round(tuesday["count"]))


def test_most_are_motorcycles(tuesday: dict[str, np.ndarray]) -> None:
    share = tuesday["count_motorcycle"].sum(axis=1) / tuesday["count"].sum(axis=1)
    assert share.min() > 0.6
    assert share.max() < 0.8


@pytest.mark.parametrize("period_s", [5.0, 30.0, 300.0])
def test_speed_is_null_if_and_only_if_nothing_passed(period_s: float) -> None:
    found = day_of(0, period_s)
    np.testing.assert_array_equal(np.isnan(found["speed_kmh"]), found["count"] == 0)
    np.testing.assert_array_equal(np.isnan(found["headway_s"]), found["count"] == 0)
    assert (found["occupancy_pct"][found["count"] > 0] > 0).all()
    assert (found["count"] == 0).any(), "some period at night is empty"


@pytest.mark.parametrize("period_s", [5.0, 30.0, 300.0])
def test_flow_is_one_a_lane_can_carry(period_s: float) -> None:
    found = day_of(0, period_s)
    flow = KINDS["traffic"].derive(found, lambda name: np.empty(0))["flow_vph"]
    assert flow.max() <= KINDS["traffic"].metrics["flow_vph"].high
    beyond = KINDS["traffic"].impossible(found)
    assert not beyond["count"].any()
    assert not beyond["headway_s"].any()


def test_headway_is_period_over_count(tuesday: dict[str, np.ndarray]) -> None:
    some = tuesday["count"] > 0
    np.testing.assert_allclose(tuesday["headway_s"][some] * tuesday["count"][some], PERIOD_S, rtol=0.01)


def test_occupancy_speed_and_flow_give_a_plausible_vehicle(tuesday: dict[str, np.ndarray]) -> None:
    """Effective length = occupancy * speed / flow, 1.5 to 15 m; else a detector would be suspect."""
    some = tuesday["count"] > 0
    flow = 3600 * tuesday["count"][some] / PERIOD_S
    metres = tuesday["occupancy_pct"][some] / 100 * 1000 * tuesday["speed_kmh"][some] / flow
    assert metres.min() > 1.5
    assert metres.max() < 15


def test_counts_scatter_as_traffic_does() -> None:
    """Variance about 1.5 times the mean, here over half an hour of equal demand."""
    row = np.zeros(4_000, dtype=np.int64)
    t = wib(10) + np.linspace(0, 900, 4_000)
    count = traffic.measure(FITTED, row, t, np.full(4_000, 60.0))["count"]
    assert count.var() / count.mean() == pytest.approx(traffic.DISPERSION, rel=0.25)


class TestDay:
    def total(self, day: int = 0) -> np.ndarray:
        return day_of(day)["count"].sum(axis=0)

    def test_has_morning_midday_and_evening_peaks(self) -> None:
        total = self.total()
        by_hour = {hour: total[(hour < HOURS) & (hour + 1 >= HOURS)].sum() for hour in range(24)}
        assert by_hour[7] > 1.5 * by_hour[9]
        assert by_hour[12] > 1.2 * by_hour[10]
        assert by_hour[17] > 1.5 * by_hour[14]
        assert max(by_hour, key=by_hour.__getitem__) in (16, 17)
        assert max(by_hour[hour] for hour in (0, 1, 2, 3)) < by_hour[17] / 10

    def test_sunday_morning_is_late(self) -> None:
        sunday, tuesday = self.total(5), self.total()
        early, late = (HOURS > 6.5) & (HOURS <= 8), (HOURS > 9) & (HOURS <= 11)
        assert sunday[early].sum() < 0.6 * tuesday[early].sum()
        assert sunday[late].sum() > sunday[early].sum()

    def test_friday_prayer_empties_the_roads(self) -> None:
        friday, tuesday = self.total(3), self.total()
        prayer = (HOURS > 12.3) & (HOURS <= 12.9)
        assert friday[prayer].sum() < 0.6 * tuesday[prayer].sum()

    def test_saturday_is_lighter_but_schools_open(self) -> None:
        saturday, tuesday, sunday = self.total(4), self.total(), self.total(5)
        school = (HOURS > 6.75) & (HOURS <= 7.75)
        assert sunday[school].sum() < 0.7 * saturday[school].sum()
        assert saturday[school].sum() < tuesday[school].sum()
        assert saturday.sum() < 0.97 * tuesday.sum()

    def test_a_holiday_is_like_a_sunday(self) -> None:
        christmas, before = (demand.profile(wib(0, day) + HOURS * 3600) for day in (31, 29))
        commuting = (HOURS > 6.5) & (HOURS <= 8)
        assert christmas[commuting].sum() < 0.6 * before[commuting].sum()

    def test_in_the_fasting_month_the_evening_comes_early_and_late(self) -> None:
        """Tuesday 3 March 2026, against Tuesday 14 April."""
        t = np.arange(0, DAY_S, 60.0)
        fasting, ordinary = (demand.profile(wib(0, day) + t) for day in (-266, -224))
        assert 16 <= fasting.argmax() / 60 <= 17
        noon, sunset, night = (fasting[m] / ordinary[m] for m in (750, 1110, 1242))
        assert sunset < 0.6
        assert noon < 1
        assert night > 1.5

    def test_the_profile_peaks_at_5_in_the_afternoon(self) -> None:
        t = wib(0) + np.arange(0, DAY_S, 60.0)
        profile = demand.profile(t)
        assert abs(profile.argmax() / 60 - 17) < 0.25
        assert profile.max() == pytest.approx(1, abs=0.1)
        assert profile.min() == pytest.approx(0.05, abs=0.01)


class TestQueues:
    def test_nights_are_free(self, tuesday: dict[str, np.ndarray]) -> None:
        ratio = np.nanmedian(between(tuesday, "speed_kmh", 1, 4), axis=1) / FITTED.free_flow_kmh
        np.testing.assert_allclose(ratio, 1, atol=0.05)

    def test_the_busiest_street_is_slow_in_the_evening(self, tuesday: dict[str, np.ndarray]) -> None:
        busiest = [d.id for d in DEVICES].index("tr-imam-bonjol-1")
        index = between(tuesday, "speed_kmh", 17.25, 18.5)[busiest] / FITTED.free_flow_kmh[busiest]
        assert np.median(index) < 0.5
        assert np.median(between(tuesday, "occupancy_pct", 17.25, 18.5)[busiest]) > 20

    def test_quiet_streets_never_queue(self) -> None:
        quiet = [i for i, d in enumerate(DEVICES) if d.attributes["site"] in ("Jl. Buntu Pane", "Jl. Pulau Rakyat")]
        assert quiet
        row, t = grid(len(DEVICES), wib(0) + HOURS * 3600)
        speed = traffic.state(FITTED, row, t).speed
        ratio = speed.reshape(len(DEVICES), -1)[quiet] / FITTED.free_flow_kmh[quiet, None]
        assert ratio.min() == 1

    def test_no_more_passes_than_capacity(self) -> None:
        row, t = grid(len(DEVICES), wib(0) + HOURS * 3600)
        flow, speed, _, _ = traffic.state(FITTED, row, t)
        assert (flow <= FITTED.capacity[row] * (1 + 1e-9)).all()
        assert ((speed > 0) & (speed <= FITTED.free_flow_kmh[row])).all()

    def test_a_queue_ends_by_night(self, tuesday: dict[str, np.ndarray]) -> None:
        assert np.nanmin(between(tuesday, "speed_kmh", 21, 24) / FITTED.free_flow_kmh[:, None]) > 0.7

    def test_the_shipped_rules_see_the_evening_jam_and_its_end(self) -> None:
        devices = [device for device in make_fleet(200, 1) if device.kind == "traffic"]
        made = City(devices, 1, wib(15), rate=len(devices) / 120)
        fleet = Fleet(devices)
        engine = Engine(shipped())
        engine.fit(fleet)
        batch = through_ingest(devices, made.readings(made.start_ms, made.start_ms + 7 * 3_600_000))
        steps = [
            (t.key.device_id, t.what) for t in evaluate(engine, fleet, batch.readings).transitions
        ]  # fmt: skip
        assert ("tr-imam-bonjol-1", "raised") in steps
        assert ("tr-imam-bonjol-1", "cleared") in steps
        assert len(steps) < 20
        assert engine.states == {}, "evaluating alone keeps nothing"


class TestIncidents:
    """A crash that leaves a tenth of Jl. Sutomo, a quiet street, from 10:00 to 10:40 on Tuesday."""

    CRASH = traffic.Incident("Jl. Sutomo", wib(10), wib(10) + 2400, 0.1)
    T = wib(9) + np.arange(0, 3 * 3600, 60.0)
    AT = np.array([d.attributes["site"] == "Jl. Sutomo" for d in DEVICES])

    def states(self, *incidents: traffic.Incident) -> dict[str, np.ndarray]:
        fitted = traffic.detectors_of(DEVICES, 1, incidents=incidents)
        found = traffic.state(fitted, *grid(len(DEVICES), self.T))
        return {name: column.reshape(len(DEVICES), -1) for name, column in found._asdict().items()}

    def test_a_queue_forms_and_dissolves(self) -> None:
        found = self.states(self.CRASH)
        queued = found["queued"][self.AT]
        assert not queued[:, wib(10) > self.T].any()
        assert queued[:, (wib(10.25) < self.T) & (wib(10.65) > self.T)].all()
        assert not queued[:, wib(11.7) < self.T].any()
        after = (wib(10) + 2400 < self.T) & (wib(10) + 2700 > self.T)
        assert queued[:, after].any(), "those who waited must still pass"
        index = found["speed"] / FITTED.free_flow_kmh[:, None]
        assert index[self.AT][:, (wib(10.25) < self.T) & (wib(10.65) > self.T)].max() < 0.2

    def test_it_looks_the_same_however_time_is_cut(self) -> None:
        fitted = traffic.detectors_of(DEVICES, 1, incidents=[self.CRASH])
        row, t = grid(len(DEVICES), self.T)
        whole = traffic.measure(fitted, row, t, np.full(len(t), 60.0))
        some = np.random.default_rng(1).permutation(len(t))[:300]
        again = traffic.detectors_of(DEVICES, 1, incidents=[self.CRASH])
        for name, column in traffic.measure(again, row[some], t[some], np.full(len(some), 60.0)).items():
            np.testing.assert_array_equal(column, whole[name][some])

    def test_it_spreads_from_detector_to_detector(self) -> None:
        queued = self.states(self.CRASH)["queued"][self.AT]
        assert len(np.unique(queued.argmax(axis=1))) > 1

    def test_other_streets_notice_nothing(self) -> None:
        with_it, without = self.states(self.CRASH), self.states()
        for name, column in with_it.items():
            np.testing.assert_array_equal(column[~self.AT], without[name][~self.AT])

    def test_no_more_passes_than_it_leaves(self) -> None:
        flow = self.states(self.CRASH)["flow"][self.AT]
        during = (wib(10.25) <= self.T) & (wib(10) + 2400 > self.T)
        assert (flow[:, during] <= 0.1 * FITTED.capacity[self.AT, None] * (1 + 1e-6)).all()

    def test_nobody_is_lost_in_a_queue(self) -> None:
        passed = [self.states(*some)["flow"][self.AT].sum(axis=1) / 60 for some in ((self.CRASH,), ())]
        np.testing.assert_allclose(passed[0], passed[1], rtol=0.06)

    def test_of_two_at_a_time_the_narrower_counts(self) -> None:
        other = self.CRASH._replace(since=wib(10.25), until=wib(10.5), capacity=0.05)
        elsewhere = traffic.Incident("Jl. Air Joman", wib(10), wib(11), 0.1)
        found = self.states(self.CRASH, other, elsewhere)
        flow = found["flow"][self.AT]
        both = (wib(10.25) <= self.T) & (wib(10.5) > self.T)
        assert (flow[:, both] <= 0.05 * FITTED.capacity[self.AT, None] * (1 + 1e-6)).all()
        air_joman = [d.attributes["site"] == elsewhere.site for d in DEVICES]
        assert found["queued"][air_joman].any()

    def test_where_nothing_moves_the_road_is_full_and_nothing_passes(self) -> None:
        closed = self.CRASH._replace(capacity=0.0)
        fitted = traffic.detectors_of(DEVICES, 1, incidents=[closed])
        row = np.flatnonzero(self.AT)
        found = traffic.measure(fitted, row, np.full(len(row), wib(10.5)), np.full(len(row), 60.0))
        assert found["count"].max() == 0
        assert np.isnan(found["speed_kmh"]).all()
        assert found["occupancy_pct"].min() > 80

    @pytest.mark.parametrize(
        ("changed", "says"),
        [({"site": "Jl. Entah"}, "Jl. Entah"), ({"until": 0.0}, "until"), ({"capacity": 1.1}, "capacity 1.1")],
    )
    def test_that_make_no_sense_are_refused(self, changed: dict[str, object], says: str) -> None:
        with pytest.raises(ValueError, match=says):
            traffic.detectors_of(DEVICES, 1, incidents=[self.CRASH._replace(**changed)])


def test_long_periods_and_unknown_streets_work() -> None:
    from devices.device import Device

    fitted = traffic.detectors_of([Device("tr-x", "traffic")], 1)
    found = traffic.measure(fitted, np.array([0]), np.array([wib(18)]), np.array([86_400.0]))
    assert found["count"][0] > 0
    assert found["count"][0] <= 108_000
