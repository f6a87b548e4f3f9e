"""Devices that stop reporting, as timelines with a clock: gauges after 35 min, lamps after 3 h 5 min, detectors 20."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts.rule import parse, rules_of, shipped
from alerts.silence import is_stream_silent, pace_in_service_s, silent_after_s
from tests.alerts.timeline import Timeline, detector, gauge, lamp, only

RULES = shipped()


@pytest.fixture
def river() -> Timeline:
    return Timeline(gauge(), rules=RULES)


def test_raises_after_three_intervals_and_5_min(river: Timeline) -> None:
    river.push("19:00", level_m=1.0)
    assert river.clock("19:35") == []
    assert river.clock("19:35:01") == ["raised severity 1"]
    assert river.last[0].event_at == river.at("19:35:01")
    assert river.last[0].key == ("stale", "wl-silau")


def test_raises_once(river: Timeline) -> None:
    river.push("19:00", level_m=1.0)
    assert river.clock("20:00") == ["raised severity 1"]
    assert river.clock("20:01") == []
    assert river.clock("23:00") == []


def test_a_reading_in_between_is_no_silence(river: Timeline) -> None:
    river.push("19:00", level_m=1.0)
    river.push("19:30", level_m=1.0)
    assert river.clock("20:05") == []
    assert river.clock("20:05:01") == ["raised severity 1"]


def test_a_live_reading_clears(river: Timeline) -> None:
    river.push("19:00", level_m=1.0)
    river.clock("20:00")
    assert river.push("20:10", level_m=1.0) == ["cleared"]
    assert river.engine.states == {}
    assert river.clock("20:45") == []
    assert river.clock("20:46") == ["raised severity 1"]


@pytest.mark.parametrize("values", [{"level_m": 99.0}, {}, {"battery_v": 3.1}], ids=str)
def test_a_sensor_that_sends_nonsense_is_not_silent(river: Timeline, values: dict[str, float]) -> None:
    river.push("19:00", level_m=1.0)
    river.clock("20:00")
    assert river.push("20:10", **values) == ["cleared"]


def test_a_late_reading_does_not_clear(river: Timeline) -> None:
    river.push("19:00", level_m=1.0)
    river.clock("20:00")
    assert river.push("19:10", received="20:10", level_m=1.0) == []
    assert river.push("19:55", received="20:10:01", level_m=1.0) == []
    assert river.push("19:56", received="20:10:02", level_m=1.0) == ["cleared"], "14 min old: live"


def test_a_late_reading_is_no_sign_of_life(river: Timeline) -> None:
    river.push("19:00", level_m=1.0)
    river.push("19:05", received="19:30", level_m=1.0)
    assert river.clock("19:36") == ["raised severity 1"]


def test_arrival_counts_and_not_the_devices_own_clock(river: Timeline) -> None:
    river.push("19:00", received="19:14", level_m=1.0)
    assert river.clock("19:49") == []
    assert river.clock("19:50") == ["raised severity 1"]


def test_a_device_never_heard_is_not_silent(river: Timeline) -> None:
    assert river.clock("23:00") == []


def test_after_an_outage_of_ours_everybody_gets_their_time_to_speak(river: Timeline) -> None:
    river.push("19:00", level_m=1.0)
    river.listening_since = river.at("23:00")
    assert river.clock("23:00:01") == []
    assert river.clock("23:35") == []
    assert river.clock("23:35:01") == ["raised severity 1"]


def test_after_an_outage_each_kind_has_its_own_time_to_speak() -> None:
    wl, pju = gauge(), lamp()
    field = Timeline(wl, pju, rules=RULES)
    field.push("19:00", wl, level_m=1.0)
    field.push("19:00", pju, power_w=90)
    field.listening_since = field.at("23:00")
    field.clock("23:36")
    assert [t.key.device_id for t in field.last] == ["wl-silau"], "the lamp has until 02:05"
    field.clock("02:06")
    assert [t.key.device_id for t in field.last] == ["pju-1"]


def test_an_alert_from_before_the_outage_stays(river: Timeline) -> None:
    river.push("19:00", level_m=1.0)
    river.clock("20:00")
    river.listening_since = river.at("23:00")
    assert river.clock("23:01") == []
    assert len(river.engine.states) == 1


def test_each_kind_has_its_own_patience() -> None:
    wl, pju, tr = gauge(), lamp(), detector()
    field = Timeline(wl, pju, tr, rules=RULES)
    field.push("19:00", wl, level_m=1.0)
    field.push("19:00", pju, power_w=90)
    field.push("19:00", tr, count=3, period_s=300)
    found = []
    for at in ("19:20", "19:20:01", "19:35:01", "22:05", "22:05:01", "23:59"):
        field.clock(at)
        found += [(t.key.device_id, t.to_severity, t.event_at - field.at(at)) for t in field.last]
        found += [at] if field.last else []
    nil = timedelta(0)
    assert found == [
        ("tr-1", 0, nil), "19:20:01", ("wl-silau", 1, nil), "19:35:01", ("pju-1", 0, nil), "22:05:01",
    ]  # fmt: skip


def test_looking_changes_nothing_until_it_is_applied(river: Timeline) -> None:
    from alerts.silence import find_silent

    river.push("19:00", level_m=1.0)
    twice = [find_silent(river.engine, river.fleet, river.at("20:00"), river.listening_since) for _ in range(2)]
    assert len(twice[0].transitions) == 1
    assert twice[0] == twice[1]


def test_an_empty_fleet_and_no_rules_are_fine() -> None:
    assert Timeline(rules=RULES).clock("20:00") == []
    river = Timeline(gauge(), rules=())
    river.push("19:00", level_m=1.0)
    assert river.clock("23:00") == []


def test_patience_is_the_rules_or_three_intervals_and_5_min() -> None:
    (lamps,) = only("stale", "streetlight")
    (water,) = only("stale", "water_level")
    assert silent_after_s(lamps, "streetlight") == 11_100
    assert silent_after_s(water, "water_level") == 3 * 600 + 300
    assert silent_after_s(water, "traffic") == 3 * 300 + 300


def test_a_kinds_own_rule_replaces_the_one_for_all() -> None:
    assert [rule.kind for rule in rules_of(RULES, "water_level") if rule.id == "stale"] == ["water_level"]
    assert [rule.kind for rule in rules_of(RULES, "traffic") if rule.id == "stale"] == ["*"]


def test_a_rule_of_ones_own_says_how_long() -> None:
    rules = parse(
        '[[rule]]\nid = "stale"\nkind = "*"\ncondition = "stale"\nafter_s = 60\nlevel = [{severity = 3}]', "own"
    )
    river = Timeline(gauge(), rules=rules)
    river.push("19:00", level_m=1.0)
    assert river.clock("19:01") == []
    assert river.clock("19:01:01") == ["raised severity 3"]


class TestStream:
    """A city of 9 gauges, 2 lamps and a detector that reports every 5 min."""

    @pytest.fixture
    def city(self) -> Timeline:
        gauges = [gauge(f"wl-{n}") for n in range(9)]
        return Timeline(*gauges, lamp("pju-1"), lamp("pju-2"), detector(), rules=RULES)

    def silent(self, city: Timeline, heard: str, now: str, asked_s: float | None = None) -> bool:
        return is_stream_silent(city.engine, city.fleet, city.at(now), city.at(heard), asked_s)

    def push_all(self, city: Timeline, when: str) -> None:
        for device in city.fleet.devices:
            city.push(when, device, **({"count": 1, "period_s": 300} if device.kind == "traffic" else {}))

    def test_it_is_silent_2_min_after_its_quickest_device_was_due(self, city: Timeline) -> None:
        self.push_all(city, "19:00")
        assert not self.silent(city, "19:00", "19:07")
        assert self.silent(city, "19:00", "19:07:01")
        assert not self.silent(city, "19:07", "19:07:01")  # something came, of whatever kind

    def test_the_quickest_is_out_of_service_once_it_is_silent_alone(self, city: Timeline) -> None:
        self.push_all(city, "19:00")
        for when in ("19:10", "19:20", "19:30"):
            for device in city.fleet.devices[:9]:
                city.push(when, device)
        assert pace_in_service_s(city.engine, city.fleet) == 300
        assert city.clock("19:30") == ["raised severity 0"]
        assert pace_in_service_s(city.engine, city.fleet) == 600
        assert not self.silent(city, "19:30", "19:42")
        assert self.silent(city, "19:30", "19:42:01")

    def test_lamps_alone_may_take_an_hour(self) -> None:
        lamps = Timeline(*(lamp(f"pju-{n}") for n in range(11)), rules=RULES)
        for device in lamps.fleet.devices:
            lamps.push("19:00", device)
        assert not self.silent(lamps, "19:00", "20:02")
        assert self.silent(lamps, "19:00", "20:02:01")

    def test_as_long_as_asked(self, city: Timeline) -> None:
        self.push_all(city, "19:00")
        assert self.silent(city, "19:00", "19:01:01", 60)
        assert not self.silent(city, "19:00", "20:00", 3600)

    def test_a_few_devices_are_told_one_by_one(self, river: Timeline) -> None:
        river.push("19:00", level_m=1.0)
        assert not self.silent(river, "19:00", "22:00")

    def test_who_was_never_heard_is_not_missed(self, city: Timeline) -> None:
        assert pace_in_service_s(city.engine, city.fleet) is None
        assert not self.silent(city, "19:00", "23:00")
        assert not self.silent(city, "19:00", "23:00", 60)
