"""The siaga ladder as a timeline: bounds 2.0 (Siaga 3), 2.8 (Siaga 2) and 3.6 m (Siaga 1)."""

from __future__ import annotations

import pytest

from tests.alerts.timeline import Timeline, gauge, only

RULES = only("siaga", "water_level")


@pytest.fixture
def river() -> Timeline:
    return Timeline(gauge(), rules=RULES)


class TestUp:
    def test_siaga_3_needs_two_samples(self, river: Timeline) -> None:
        assert river.push("19:00", level_m=1.9) == []
        assert river.push("19:10", level_m=2.1) == []
        assert river.push("19:20", level_m=2.1) == ["raised 3"]

    def test_one_sample_at_siaga_3_raises_nothing(self, river: Timeline) -> None:
        assert river.push("19:10", level_m=2.1) == []
        assert river.push("19:20", level_m=1.95) == []
        assert river.push("19:30", level_m=2.1) == [], "samples in a row count, not samples"
        assert river.push("19:40", level_m=2.1) == ["raised 3"]

    @pytest.mark.parametrize(("level_m", "happened"), [(2.8, "raised 2"), (3.59, "raised 2"), (3.6, "raised 1")])
    def test_siaga_2_and_worse_need_one(self, river: Timeline, level_m: float, happened: str) -> None:
        assert river.push("19:10", level_m=level_m) == [happened]

    def test_bounds_are_inclusive(self, river: Timeline) -> None:
        assert river.push("19:00", level_m=1.999) == []
        assert river.push("19:10", level_m=1.999) == []
        assert river.push("19:20", level_m=2.0) == []
        assert river.push("19:30", level_m=2.0) == ["raised 3"]
        assert river.push("19:40", level_m=2.799) == []
        assert river.push("19:50", level_m=2.8) == ["worsened 2"]
        assert river.push("20:00", level_m=3.599) == []
        assert river.push("20:10", level_m=3.6) == ["worsened 1"]

    def test_a_flood_that_rises_two_rungs_at_once_is_one_step(self, river: Timeline) -> None:
        assert river.push("19:00", level_m=2.1) == []
        assert river.push("19:10", level_m=2.1) == ["raised 3"]
        assert river.push("19:20", level_m=3.7) == ["worsened 1"]

    def test_the_level_that_counts_may_come_as_a_distance(self) -> None:
        river = Timeline(gauge(sensor_to_datum_m=8.0), rules=RULES)
        assert river.push("19:10", distance_m=5.3) == []
        assert river.push("19:20", distance_m=5.2) == ["raised 2"]
        assert river.last[0].value == pytest.approx(2.8)


class TestDown:
    @pytest.fixture
    def river(self, river: Timeline) -> Timeline:
        assert river.push("19:00", level_m=3.0) == ["raised 2"]
        return river

    def test_after_30_min_10_cm_below_the_bound(self, river: Timeline) -> None:
        assert river.push("19:10", level_m=2.6) == []
        assert river.push("19:20", level_m=2.6) == []
        assert river.push("19:30", level_m=2.6) == []
        assert river.push("19:40", level_m=2.6) == ["eased 3"]

    def test_not_a_second_sooner(self, river: Timeline) -> None:
        assert river.push("19:10", level_m=2.6) == []
        assert river.push("19:39:59", level_m=2.6) == []
        assert river.push("19:40", level_m=2.6) == ["eased 3"]

    def test_within_10_cm_of_the_bound_it_holds(self, river: Timeline) -> None:
        for minute in range(10, 60, 10):
            assert river.push(f"19:{minute}", level_m=2.71) == []
        assert river.push("23:00", level_m=2.70) == [], "10 cm below is still held"

    def test_a_rise_in_between_starts_the_half_hour_anew(self, river: Timeline) -> None:
        assert river.push("19:10", level_m=2.6) == []
        assert river.push("19:30", level_m=2.75) == []
        assert river.push("19:40", level_m=2.6) == []
        assert river.push("20:00", level_m=2.6) == []
        assert river.push("20:10", level_m=2.6) == ["eased 3"]

    def test_from_siaga_2_to_normal_at_once_is_one_step(self, river: Timeline) -> None:
        assert river.push("19:10", level_m=1.0) == []
        assert river.push("19:40", level_m=1.0) == ["cleared"]

    def test_each_rung_has_its_own_half_hour(self, river: Timeline) -> None:
        assert river.push("19:10", level_m=2.6) == []
        assert river.push("19:30", level_m=1.5) == []
        assert river.push("19:40", level_m=1.5) == ["eased 3"]
        assert river.push("19:50", level_m=1.5) == []
        assert river.push("20:00", level_m=1.5) == ["cleared"]

    def test_it_may_worsen_again_at_once(self, river: Timeline) -> None:
        assert river.push("19:10", level_m=2.6) == []
        assert river.push("19:40", level_m=2.6) == ["eased 3"]
        assert river.push("19:50", level_m=2.8) == ["worsened 2"]
        assert river.push("20:00", level_m=2.6) == []
        assert river.push("20:10", level_m=2.6) == [], "the half hour of the first fall is spent"

    def test_after_clearing_siaga_3_needs_two_samples_again(self, river: Timeline) -> None:
        assert river.push("19:10", level_m=1.0) == []
        assert river.push("19:40", level_m=1.0) == ["cleared"]
        assert river.push("19:50", level_m=2.1) == []
        assert river.push("20:00", level_m=2.1) == ["raised 3"]


def test_the_history_of_a_flood() -> None:
    """Every step says from which severity to which, when and at what level."""
    river = Timeline(gauge(), rules=RULES)
    steps = []
    for hour, level in [(19, 2.1), (20, 2.2), (21, 3.0), (22, 3.7), (23, 3.2), (0, 3.0), (1, 1.5), (2, 1.4), (3, 1.2)]:
        river.push(f"{hour}:00", level_m=level)
        steps += [
            (t.what, t.from_severity, t.to_severity, t.siaga, t.value, t.event_at.strftime("%H")) for t in river.last
        ]
    assert steps == [
        ("raised", None, 1, 3, 2.2, "13"),
        ("worsened", 1, 2, 2, 3.0, "14"),
        ("worsened", 2, 3, 1, 3.7, "15"),
        ("eased", 3, 2, 2, 3.0, "17"),
        ("cleared", 2, None, 4, 1.4, "19"),
    ]


def test_the_peak_of_an_alert_is_told_with_every_step() -> None:
    river = Timeline(gauge(), rules=RULES)
    peaks = []
    for hour, level in [(19, 3.0), (20, 3.7), (21, 2.5), (22, 2.5), (23, 1.0), (0, 1.0), (1, 3.0)]:
        river.push(f"{hour}:00", level_m=level)
        peaks += [(t.what, t.peak_severity) for t in river.last]
    assert peaks == [("raised", 2), ("worsened", 3), ("eased", 3), ("cleared", 3), ("raised", 2)]


class TestMissingBounds:
    def test_without_siaga_2_the_worst_is_still_found(self) -> None:
        river = Timeline(gauge(siaga_2_m=None), rules=RULES)
        assert river.push("19:00", level_m=3.0) == []
        assert river.push("19:10", level_m=3.0) == ["raised 3"]
        assert river.push("19:20", level_m=3.6) == ["worsened 1"]
        assert river.push("19:30", level_m=3.0) == []
        assert river.push("20:00", level_m=3.0) == ["eased 3"]

    def test_without_siaga_1_it_stays_at_2(self) -> None:
        river = Timeline(gauge(siaga_1_m=None), rules=RULES)
        assert river.push("19:00", level_m=19.0) == ["raised 2"]

    def test_without_any_there_is_no_ladder(self) -> None:
        river = Timeline(gauge(siaga_3_m=None, siaga_2_m=None, siaga_1_m=None), rules=RULES)
        for minute in range(5):
            assert river.push(f"19:0{minute}", level_m=19.0) == []
        assert river.engine.states == {}

    def test_one_stations_missing_bounds_are_not_anothers(self) -> None:
        bare, full = gauge("wl-a", siaga_3_m=None, siaga_2_m=None, siaga_1_m=None), gauge("wl-b")
        river = Timeline(bare, full, rules=RULES)
        assert river.push("19:00", bare, level_m=3.0) == []
        assert river.push("19:00", full, level_m=3.0) == ["raised 2"]


NOTHING = [{}, {"level_m": None}, {"level_m": 20.5}, {"level_m": -6.0}, {"rain_mm": 3.0}]


@pytest.mark.parametrize("values", NOTHING, ids=str)
class TestNothingToGoBy:
    """A reading without a level, or with one that cannot be, neither raises nor clears."""

    def test_does_not_raise(self, river: Timeline, values: dict[str, float]) -> None:
        for minute in range(6):
            assert river.push(f"19:0{minute}", **values) == []

    def test_does_not_clear(self, river: Timeline, values: dict[str, float]) -> None:
        assert river.push("19:00", level_m=3.0) == ["raised 2"]
        for hour in range(20, 24):
            assert river.push(f"{hour}:00", **values) == []

    def test_does_not_start_the_half_hour(self, river: Timeline, values: dict[str, float]) -> None:
        assert river.push("19:00", level_m=3.0) == ["raised 2"]
        assert river.push("19:10", **values) == []
        assert river.push("19:40", level_m=1.0) == []
        assert river.push("20:10", level_m=1.0) == ["cleared"]

    def test_does_not_break_a_row_of_samples(self, river: Timeline, values: dict[str, float]) -> None:
        assert river.push("19:00", level_m=2.1) == []
        assert river.push("19:10", **values) == []
        assert river.push("19:20", level_m=2.1) == ["raised 3"]


def test_gauges_do_not_share_their_state() -> None:
    up, down = gauge("wl-up"), gauge("wl-down")
    river = Timeline(up, down, rules=RULES)
    assert river.push("19:00", up, level_m=2.1) == []
    assert river.push("19:00", down, level_m=2.1) == []
    assert river.push("19:10", up, level_m=2.1) == ["raised 3"]
    assert river.push("19:10", down, level_m=1.0) == []
    assert [key.device_id for key in river.engine.states] == ["wl-up"]


def test_nothing_is_remembered_of_a_river_at_rest(river: Timeline) -> None:
    river.push("19:00", level_m=3.0)
    river.push("19:10", level_m=1.0)
    river.push("19:40", level_m=1.0)
    assert river.engine.states == {}
