"""The conditions beside the ladder as timelines: voltage, lamps out, congestion."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from alerts.conditions import CONDITIONS, Seen
from devices.device import Device
from devices.sun import SUNSET_DEG, elevation_deg
from tests.alerts.timeline import EVENING, Timeline, checked, detector, gauge, lamp, only, packet


class TestVoltageLow:
    """Below 198 V for 10 min; below 180 V twice is worse; held up to 2 V above; 0 V is another fault."""

    @pytest.fixture
    def line(self) -> Timeline:
        return Timeline(lamp(), rules=only("voltage_low", "streetlight"))

    def test_raises_after_10_min(self, line: Timeline) -> None:
        assert line.push("19:00", voltage_v=197.9) == []
        assert line.push("19:05", voltage_v=197.9) == []
        assert line.push("19:09:59", voltage_v=197.9) == []
        assert line.push("19:10", voltage_v=197.9) == ["raised severity 1"]

    def test_the_bound_itself_is_good(self, line: Timeline) -> None:
        assert line.push("19:00", voltage_v=198.0) == []
        assert line.push("19:20", voltage_v=198.0) == []

    def test_a_recovery_in_between_starts_the_10_min_anew(self, line: Timeline) -> None:
        assert line.push("19:00", voltage_v=190) == []
        assert line.push("19:05", voltage_v=199) == []
        assert line.push("19:10", voltage_v=190) == []
        assert line.push("19:20", voltage_v=190) == ["raised severity 1"]

    def test_under_180_v_two_samples_are_enough(self, line: Timeline) -> None:
        assert line.push("19:00", voltage_v=179.9) == []
        assert line.push("19:01", voltage_v=179.9) == ["raised severity 2"]

    def test_clears_2_v_above_for_10_min(self, line: Timeline) -> None:
        line.push("19:00", voltage_v=190)
        assert line.push("19:10", voltage_v=190) == ["raised severity 1"]
        assert line.push("19:20", voltage_v=199.9) == [], "within the hysteresis"
        assert line.push("19:40", voltage_v=199.9) == []
        assert line.push("19:50", voltage_v=200) == []
        assert line.push("20:00", voltage_v=200) == ["cleared"]

    @pytest.mark.parametrize("voltage_v", [0, 49.9])
    def test_an_unpowered_lamp_says_nothing(self, line: Timeline, voltage_v: float) -> None:
        for minute in (0, 10, 20, 30):
            assert line.push(f"19:{minute:02}", voltage_v=voltage_v) == []
        line.push("20:00", voltage_v=190)
        assert line.push("20:10", voltage_v=190) == ["raised severity 1"]
        for minute in (20, 30, 40, 50):
            assert line.push(f"20:{minute}", voltage_v=voltage_v) == [], "nor does it clear"

    def test_50_v_is_low_voltage(self, line: Timeline) -> None:
        line.push("19:00", voltage_v=50)
        assert line.push("19:01", voltage_v=50) == ["raised severity 2"]


class TestVoltageHigh:
    """From 231 V on for 10 min; from 250 V on twice is worse."""

    @pytest.fixture
    def line(self) -> Timeline:
        return Timeline(lamp(), rules=only("voltage_high", "streetlight"))

    def test_raises_after_10_min_at_the_bound(self, line: Timeline) -> None:
        assert line.push("19:00", voltage_v=231) == []
        assert line.push("19:10", voltage_v=231) == ["raised severity 1"]

    def test_231_is_the_least(self, line: Timeline) -> None:
        assert line.push("19:00", voltage_v=230.9) == []
        assert line.push("19:30", voltage_v=230.9) == []

    def test_250_v_twice(self, line: Timeline) -> None:
        assert line.push("19:00", voltage_v=250) == []
        assert line.push("19:01", voltage_v=250) == ["raised severity 2"]

    def test_clears_below_229_v(self, line: Timeline) -> None:
        line.push("19:00", voltage_v=235)
        line.push("19:10", voltage_v=235)
        assert line.push("19:20", voltage_v=229) == []
        assert line.push("19:40", voltage_v=229) == [], "2 V below is still held"
        assert line.push("19:50", voltage_v=228.9) == []
        assert line.push("20:00", voltage_v=228.9) == ["cleared"]


def utc(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 24, hour, minute, tzinfo=UTC)


class TestLampOut:
    """24 November 2026 at Kisaran: sunset 18:08, sunrise 06:09 WIB; 20 min around each are left out."""

    RULES = only("lamp_out", "streetlight")

    def out(self, begin: datetime, device: Device | None = None, **values: float) -> list[str]:
        """What two equal readings a minute apart bring."""
        line = Timeline(device or lamp(), rules=self.RULES, begin=begin)
        assert line.push(0, **values) == []
        return line.push(60, **values)

    def test_dark_at_night_twice(self) -> None:
        assert self.out(utc(12), power_w=0.7, voltage_v=220, dimming_pct=100) == ["raised severity 0"]

    def test_once_is_not_enough(self) -> None:
        line = Timeline(lamp(), rules=self.RULES)
        assert line.push("19:00", power_w=0, voltage_v=220) == []
        assert line.push("19:10", power_w=100, voltage_v=220) == []
        assert line.push("19:20", power_w=0, voltage_v=220) == []

    @pytest.mark.parametrize(
        ("at", "raises"),
        [
            (utc(5), False),  # 12:00 WIB
            (utc(10, 40), False),  # 17:40: day, within the guard
            (utc(11, 15), False),  # 18:15: sun down for 7 min, within the guard
            (utc(11, 25), False),
            (utc(11, 31), True),  # 18:31
            (utc(17), True),  # midnight
            (utc(22, 45), True),  # 05:45, 24 min before sunrise
            (utc(22, 52), False),  # 05:52, 17 min before sunrise
            (utc(23, 20), False),
        ],
        ids=lambda x: f"{x:%H:%M}Z" if isinstance(x, datetime) else str(x),
    )
    def test_only_while_the_sun_is_surely_down(self, at: datetime, raises: bool) -> None:
        happened = self.out(at, power_w=0, voltage_v=220, dimming_pct=100)
        assert happened == (["raised severity 0"] if raises else [])

    def test_the_sun_is_that_of_the_lamps_own_place(self) -> None:
        """At 12:00 UTC it is night at Kisaran and noon in Greenwich."""
        greenwich = checked(Device("pju-2", "streetlight", lat=51.48, lon=0.0, attributes={"nominal_w": 100}))
        assert self.out(utc(12), greenwich, power_w=0, voltage_v=220) == []
        assert self.out(utc(0), greenwich, power_w=0, voltage_v=220) == ["raised severity 0"]

    def test_a_lamp_of_unknown_place_is_left_alone(self) -> None:
        lost = checked(Device("pju-3", "streetlight", attributes={"nominal_w": 100}))
        assert self.out(utc(17), lost, power_w=0, voltage_v=220) == []

    @pytest.mark.parametrize(
        ("dimming_pct", "power_w", "raises"),
        [
            (100, 29.9, True),  # expected 100 W
            (100, 30.0, False),
            (70, 20.0, True),  # expected 100 * (0.85 * 0.7 + 0.15 * 0.49) = 66.9 W, 30 % = 20.06 W
            (70, 20.1, False),
            (70, 60.0, False),
            (10, 2.6, False),  # expected 8.65 W, 30 % = 2.6 W
            (0, 0.0, False),  # told to be dark
        ],
    )
    def test_dark_is_under_30_percent_of_what_the_dimming_asks_for(
        self, dimming_pct: float, power_w: float, raises: bool
    ) -> None:
        happened = self.out(utc(17), power_w=power_w, voltage_v=220, dimming_pct=dimming_pct)
        assert happened == (["raised severity 0"] if raises else [])

    def test_without_dimming_full_light_is_expected(self) -> None:
        assert self.out(utc(17), power_w=25, voltage_v=220) == ["raised severity 0"]

    @pytest.mark.parametrize(("power_w", "raises"), [(1.9, True), (2.0, False), (25, False)])
    def test_without_nominal_power_dark_is_under_2_w(self, power_w: float, raises: bool) -> None:
        happened = self.out(utc(17), lamp(nominal_w=None), power_w=power_w, voltage_v=220, dimming_pct=100)
        assert happened == (["raised severity 0"] if raises else [])

    @pytest.mark.parametrize("voltage_v", [0, 49.9])
    def test_without_mains_it_is_another_fault(self, voltage_v: float) -> None:
        assert self.out(utc(17), power_w=0, voltage_v=voltage_v) == []

    def test_a_lamp_that_measures_no_voltage_counts(self) -> None:
        assert self.out(utc(17), power_w=0) == ["raised severity 0"]

    def test_without_power_nothing_is_known(self) -> None:
        assert self.out(utc(17), voltage_v=220, dimming_pct=100) == []

    def test_clears_when_the_lamp_is_lit_again(self) -> None:
        line = Timeline(lamp(), rules=self.RULES)
        line.push("19:00", power_w=0, voltage_v=220)
        assert line.push("19:15", power_w=0, voltage_v=220) == ["raised severity 0"]
        assert line.push("19:30", power_w=0, voltage_v=0) == [], "without mains neither raised nor cleared"
        assert line.push("19:45", power_w=98, voltage_v=220) == ["cleared"]

    def test_twilight_neither_raises_nor_clears_and_day_clears(self) -> None:
        line = Timeline(lamp(), rules=self.RULES)
        line.push("05:00", power_w=0, voltage_v=220)
        assert line.push("05:15", power_w=0, voltage_v=220) == ["raised severity 0"]
        assert line.push("06:00", power_w=0, voltage_v=220) == []
        assert line.push("06:20", power_w=0, voltage_v=220) == []
        assert line.push("06:45", power_w=0, voltage_v=220) == ["cleared"]


class TestUnpowered:
    """Under 50 V while the sun is surely down, in one reading; the night is that of TestLampOut."""

    RULES = only("unpowered", "streetlight")

    def at(self, begin: datetime, device: Device | None = None, **values: float) -> list[str]:
        """What one reading brings."""
        return Timeline(device or lamp(), rules=self.RULES, begin=begin).push(0, **values)

    @pytest.mark.parametrize(
        ("voltage_v", "raises"), [(0, True), (49.9, True), (50, False), (150, False), (220, False)]
    )
    def test_under_50_v_at_night(self, voltage_v: float, raises: bool) -> None:
        happened = self.at(utc(17), power_w=0, voltage_v=voltage_v, dimming_pct=0)
        assert happened == (["raised severity 0"] if raises else [])

    @pytest.mark.parametrize(
        ("at", "raises"),
        [
            (utc(5), False),  # 12:00 WIB: a panel switched by a contactor
            (utc(11, 25), False),  # 18:25: sun down for 17 min, within the guard
            (utc(11, 31), True),  # 18:31
            (utc(22, 45), True),  # 05:45, 24 min before sunrise
            (utc(22, 52), False),
        ],
        ids=lambda x: f"{x:%H:%M}Z" if isinstance(x, datetime) else str(x),
    )
    def test_only_while_the_sun_is_surely_down(self, at: datetime, raises: bool) -> None:
        assert self.at(at, voltage_v=0) == (["raised severity 0"] if raises else [])

    def test_a_lamp_of_unknown_place_is_left_alone(self) -> None:
        lost = checked(Device("pju-3", "streetlight", attributes={"nominal_w": 100}))
        assert self.at(utc(17), lost, voltage_v=0) == []

    def test_a_lamp_that_measures_no_voltage_says_nothing(self) -> None:
        line = Timeline(lamp(), rules=self.RULES)
        assert line.push("19:00", power_w=0, dimming_pct=100) == []
        assert line.push("19:15", voltage_v=0) == ["raised severity 0"]
        assert line.push("19:30", power_w=90, dimming_pct=100) == [], "nor does it clear"

    def test_a_voltage_out_of_range_decides_nothing(self) -> None:
        assert self.at(utc(17), voltage_v=-1) == []

    def test_clears_with_the_first_reading_with_mains(self) -> None:
        line = Timeline(lamp(), rules=self.RULES)
        assert line.push("19:00", voltage_v=0) == ["raised severity 0"]
        assert line.push("19:15", voltage_v=0) == []
        assert line.push("19:30", voltage_v=50) == ["cleared"]

    def test_twilight_neither_raises_nor_clears_and_day_clears(self) -> None:
        line = Timeline(lamp(), rules=self.RULES)
        assert line.push("05:15", voltage_v=0) == ["raised severity 0"]
        assert line.push("06:00", voltage_v=0) == []
        assert line.push("06:45", voltage_v=0) == ["cleared"]
        assert line.push("07:45", voltage_v=0) == []

    def test_every_voltage_at_night_falls_under_one_rule(self) -> None:
        """A lamp without mains is neither out nor low, and what is low has mains."""
        for voltage_v in (0, 20, 49.9, 50, 100, 179):
            line = Timeline(lamp())
            line.push("19:00", voltage_v=voltage_v, power_w=90)
            line.push("19:15", voltage_v=voltage_v, power_w=90)
            assert {key.rule for key in line.engine.states} == {"unpowered" if voltage_v < 50 else "voltage_low"}


class TestCongestion:
    """Free flow 40 km/h: below 20 km/h with occupancy over 20 % for 10 min, below 12 km/h severe; over 24 km/h past."""

    @pytest.fixture
    def road(self) -> Timeline:
        return Timeline(detector(), rules=only("congestion", "traffic"))

    def test_slow_and_full_for_10_min(self, road: Timeline) -> None:
        assert road.push("19:00", speed_kmh=19.9, occupancy_pct=25) == []
        assert road.push("19:05", speed_kmh=19.9, occupancy_pct=25) == []
        assert road.push("19:10", speed_kmh=19.9, occupancy_pct=25) == ["raised severity 1"]

    def test_half_of_free_flow_is_not_slow(self, road: Timeline) -> None:
        for minute in (0, 10, 20):
            assert road.push(f"19:{minute:02}", speed_kmh=20, occupancy_pct=25) == []

    def test_slow_on_an_empty_road_is_not_congestion(self, road: Timeline) -> None:
        for minute in (0, 10, 20):
            assert road.push(f"19:{minute:02}", speed_kmh=10, occupancy_pct=20) == []

    def test_severe_below_30_percent(self, road: Timeline) -> None:
        assert road.push("19:00", speed_kmh=11.9, occupancy_pct=60) == []
        assert road.push("19:10", speed_kmh=11.9, occupancy_pct=60) == ["raised severity 2"]

    def test_worsens_after_10_min_of_its_own(self, road: Timeline) -> None:
        road.push("19:00", speed_kmh=15, occupancy_pct=40)
        assert road.push("19:10", speed_kmh=15, occupancy_pct=40) == ["raised severity 1"]
        assert road.push("19:15", speed_kmh=8, occupancy_pct=60) == []
        assert road.push("19:20", speed_kmh=8, occupancy_pct=60) == []
        assert road.push("19:25", speed_kmh=8, occupancy_pct=60) == ["worsened severity 2"]

    def test_a_relief_in_between_starts_the_10_min_of_severe_anew(self, road: Timeline) -> None:
        road.push("19:00", speed_kmh=8, occupancy_pct=60)
        assert road.push("19:05", speed_kmh=15, occupancy_pct=40) == []
        assert road.push("19:10", speed_kmh=8, occupancy_pct=60) == ["raised severity 1"]
        assert road.push("19:19", speed_kmh=8, occupancy_pct=60) == []
        assert road.push("19:20", speed_kmh=8, occupancy_pct=60) == ["worsened severity 2"]

    def test_clears_over_60_percent_for_10_min(self, road: Timeline) -> None:
        road.push("19:00", speed_kmh=15, occupancy_pct=40)
        road.push("19:10", speed_kmh=15, occupancy_pct=40)
        assert road.push("19:20", speed_kmh=23.9, occupancy_pct=10) == []
        assert road.push("19:40", speed_kmh=23.9, occupancy_pct=10) == [], "within the hysteresis"
        assert road.push("19:45", speed_kmh=24.1, occupancy_pct=10) == []
        assert road.push("19:55", speed_kmh=24.1, occupancy_pct=10) == ["cleared"]

    def test_an_empty_road_clears(self, road: Timeline) -> None:
        road.push("19:00", speed_kmh=15, occupancy_pct=40)
        assert road.push("19:10", speed_kmh=15, occupancy_pct=40) == ["raised severity 1"]
        assert road.push("19:20", speed_kmh=None, occupancy_pct=0, count=0) == []
        assert road.push("19:30", speed_kmh=None, occupancy_pct=0, count=0) == ["cleared"]

    @pytest.mark.parametrize("values", [{"occupancy_pct": 80}, {"speed_kmh": 10}, {"count": 0}], ids=str)
    def test_half_a_measurement_neither_raises_nor_clears(self, road: Timeline, values: dict[str, float]) -> None:
        for minute in (0, 10, 20):
            assert road.push(f"19:{minute:02}", **values) == []
        road.push("19:30", speed_kmh=15, occupancy_pct=40)
        assert road.push("19:40", speed_kmh=15, occupancy_pct=40) == ["raised severity 1"]
        for minute in (0, 15, 30):
            assert road.push(f"20:{minute:02}", **values) == []

    def test_without_free_flow_speed_there_is_no_congestion(self) -> None:
        road = Timeline(detector(free_flow_kmh=None), rules=only("congestion", "traffic"))
        for minute in (0, 10, 20):
            assert road.push(f"19:{minute:02}", speed_kmh=5, occupancy_pct=90) == []

    def test_a_count_that_cannot_be_spoils_its_reading(self, road: Timeline) -> None:
        for minute in (0, 10, 20):
            assert road.push(f"19:{minute:02}", speed_kmh=5, occupancy_pct=90, count=999, period_s=60) == []


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_condition_holds_at_least_what_it_reaches(condition: str) -> None:
    """The contract of a condition: hold >= up wherever the reading says something, and unknown in both or neither."""
    fitting = {
        "above": "voltage_high", "below": "voltage_low", "untrusted": "sensor_fault", "missing": "level_missing",
        "no_flow": "loop_fault",
    }.get(condition, condition)  # fmt: skip
    roads = ("congestion", "stopped", "no_flow")
    device = detector() if condition in roads else gauge() if condition == "missing" else lamp()
    (rule,) = only(fitting, device.kind)
    begin = EVENING - timedelta(hours=7) if condition in ("day_burner", "no_flow") else EVENING
    line = Timeline(device, rules=[rule], begin=begin)
    values = [None, 0, 1.5, 11, 15, 19, 22, 24, 40, 60, 100, 178, 181, 197, 199, 201, 228, 230, 232, 249, 251, 290]
    names = {
        "traffic": ["count" if condition == "no_flow" else "speed_kmh", "occupancy_pct"],
        "water_level": ["level_m", "rain_mm"],
    }.get(device.kind, ["power_w", "voltage_v", "dimming_pct"])
    if condition == "low_power_factor":
        names, values = ["power_factor", "power_w"], [*values, 0.8, 0.91]
    packets = [
        packet(device, line.at(60 * len(values) * i + 60 * j), **dict(zip(names, (a, b, 100), strict=False)))
        for i, a in enumerate(values)
        for j, b in enumerate(values)
        if b is None or b <= 100 or device.kind != "traffic"
    ]
    (readings,) = line.batch(packets).readings
    up, hold = CONDITIONS[condition](rule, Seen(readings, line.fleet))
    assert len(up) == len(hold) == len(packets)
    assert ((up == -1) == (hold == -1)).all()
    assert (hold >= up).all()
    assert up.max() <= len(rule.level)
    if condition not in ("stale", "untrusted", "missing", "cycling"):
        assert set(up.tolist()) >= {-1, 0, 1}


@pytest.mark.parametrize("guard_s", [0, 1200, 7200])
def test_day_and_night_are_those_of_the_sun_at_both_ends_of_the_guard(guard_s: int) -> None:
    """A shortcut leaves out what is too far from the horizon; it must change nothing, at whatever latitude."""
    devices = [checked(Device(f"pju-{lat}", "streetlight", lat=lat, lon=99.63)) for lat in (-60, 3, 60)]
    line = Timeline(*devices)
    packets = [packet(device, line.at(97 * i), power_w=1) for i in range(900) for device in devices]
    (readings,) = line.batch(packets).readings
    lat, lon = (line.fleet.attribute(name)[readings.device] for name in ("lat", "lon"))
    up = [elevation_deg(readings.ts_us / 1e6 + s, lat, lon) > SUNSET_DEG for s in (-guard_s, 0, guard_s)]
    day, night = Seen(readings, line.fleet).day_and_night(guard_s)
    assert day.tolist() == np.all(up, axis=0).tolist()
    assert night.tolist() == (~np.any(up, axis=0)).tolist()
