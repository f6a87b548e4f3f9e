"""Of the rules of one id the most specific counts on a device: all kinds, a kind, a district, an attribute, itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.engine import Engine, evaluate
from alerts.rule import Key, Rule, shipped
from alerts.rules_scope import Watched
from devices.device import Device
from devices.fleet import Fleet
from ingest.intake import take_in
from tests.alerts.timeline import LIMITS, Timeline, gauge, lamp, packet

PANELS, FEEDERS, DISTRICTS = ("P1", "P2"), ("F1", "F2"), ("12.09.01", "12.09.02")


def hot(bound: float, kind: str = "streetlight", enabled: bool = True, **scope: str) -> Rule:
    """A rule on temperature, which all kinds but one have."""
    level = [{"severity": 1, "bound": bound}]
    given = {"id": "hot", "kind": kind, "condition": "above", "metric": "temperature_c", "level": level}
    return Rule.model_validate({**given, "enabled": enabled, "scope": scope})


def placed(name: str, district: str = DISTRICTS[0], **attributes: Any) -> Device:
    made = lamp(name, **attributes)
    return Device(made.id, made.kind, made.name, made.region, district, made.lat, made.lon, made.attributes)


def bound_on(rules: list[Rule], device: Device) -> float | None:
    found = Watched(tuple(rules), Fleet([lamp("other"), device])).on(Key("hot", device.id))
    return found.level[0].bound if found else None


@pytest.mark.parametrize("backwards", [False, True])
def test_the_most_specific_rule_counts(backwards: bool) -> None:
    device = placed("pju-1", panel="P1", feeder="F1")
    ladder = [
        hot(1), hot(2, district="12.09.01"), hot(3, panel="P1"), hot(4, feeder="F1"), hot(5, device="pju-1"),
    ]  # fmt: skip
    for length in range(1, 6):
        rules = ladder[:length]
        assert bound_on(rules[::-1] if backwards else rules, device) == length


def test_elsewhere_the_general_one_counts() -> None:
    rules = [hot(1), hot(2, district="12.09.02"), hot(3, panel="P9"), hot(5, device="pju-9")]
    assert bound_on(rules, placed("pju-1", panel="P1")) == 1


def test_without_a_general_one_only_the_scope_is_watched() -> None:
    assert bound_on([hot(3, panel="P1")], placed("pju-1", panel="P1")) == 3
    assert bound_on([hot(3, panel="P1")], placed("pju-1")) is None


def test_a_disabled_override_switches_a_device_off() -> None:
    rules = [hot(1), hot(1, enabled=False, device="pju-1")]
    assert bound_on(rules, placed("pju-1")) is None
    assert bound_on(rules, placed("pju-2")) == 1


def test_an_override_switches_a_disabled_rule_on() -> None:
    rules = [hot(1, enabled=False), hot(2, panel="P1")]
    assert bound_on(rules, placed("pju-1", panel="P1")) == 2
    assert bound_on(rules, placed("pju-1")) is None


def test_a_kinds_own_rule_goes_before_the_general_one_of_the_same_scope() -> None:
    def stale(kind: str, after_s: float, **scope: str) -> Rule:
        level = [{"severity": 0}]
        given = {"id": "hot", "kind": kind, "condition": "stale", "level": level, "after_s": after_s}
        return Rule.model_validate({**given, "scope": scope})

    rules = (stale("*", 1), stale("streetlight", 2), stale("*", 3, device="pju-1"))
    watched = Watched(rules, Fleet([lamp("pju-1"), lamp("pju-2"), gauge()]))
    found = {name: watched.on(Key("hot", name)) for name in ("pju-1", "pju-2", "wl-silau")}
    assert {name: rule and rule.after_s for name, rule in found.items()} == {"pju-1": 3, "pju-2": 2, "wl-silau": 1}


def test_a_threshold_of_ones_own_is_met_alone() -> None:
    first, second = placed("pju-1", panel="P1"), placed("pju-2", panel="P2")
    town = Timeline(first, second, rules=[hot(80), hot(60, panel="P2")])
    batch = town.batch([packet(each, town.at("19:00"), temperature_c=70) for each in (first, second)])
    assert town.take(batch) == ["raised severity 1"]
    assert town.last[0].key == ("hot", "pju-2")


def test_a_device_that_moves_to_another_panel_has_that_ones_rule() -> None:
    town = Timeline(placed("pju-1", panel="P1"), rules=[hot(80), hot(60, panel="P2")])
    assert town.push("19:00", temperature_c=70) == []
    town.fleet = town.fleet.updated([placed("pju-1", panel="P2")])
    town.engine.fit(town.fleet)
    assert town.push("19:01", temperature_c=70) == ["raised severity 1"]


def test_a_device_may_have_its_own_patience() -> None:
    level = [{"severity": 2}]
    given = {"id": "stale", "kind": "water_level", "condition": "stale", "level": level, "after_s": 120}
    own = Rule.model_validate({**given, "scope": {"device": "wl-b"}})
    off = Rule.model_validate({**given, "scope": {"device": "wl-c"}, "enabled": False})
    town = Timeline(gauge("wl-a"), gauge("wl-b"), gauge("wl-c"), rules=[*shipped(), own, off])
    for device in town.fleet.devices:
        town.push("19:00", device, level_m=1.0)
    assert town.clock("19:02") == []
    assert town.clock("19:02:01") == ["raised severity 2"]
    assert town.last[0].key.device_id == "wl-b"
    assert town.clock("23:00") == ["raised severity 1"]
    assert town.last[0].key.device_id == "wl-a"


scopes = st.one_of(
    st.just({}),
    st.sampled_from(DISTRICTS).map(lambda code: {"district": code}),
    st.sampled_from(PANELS).map(lambda name: {"panel": name}),
    st.sampled_from(FEEDERS).map(lambda name: {"feeder": name}),
    st.integers(0, 5).map(lambda number: {"device": f"pju-{number}"}),
)
FLEET = Fleet(
    [placed(f"pju-{n}", DISTRICTS[n % 2], panel=PANELS[n // 2 % 2], feeder=FEEDERS[n // 3]) for n in range(6)]
)


@given(
    st.lists(st.tuples(scopes, st.booleans()), max_size=8, unique_by=lambda each: str(each[0])),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 100)), min_size=1, max_size=40),
)
def test_each_device_is_judged_as_if_its_rule_were_the_only_one(
    given_scopes: list[tuple[dict[str, str], bool]], values: list[tuple[int, int]]
) -> None:
    rules = tuple(hot(10 * n + 5, enabled=on, **scope) for n, (scope, on) in enumerate(given_scopes))
    packets = [
        packet(FLEET.devices[number], Timeline().at(float(second)), temperature_c=value)
        for second, (number, value) in enumerate(values)
    ]
    readings = take_in(packets, FLEET, LIMITS).readings

    def happened(own: tuple[Rule, ...]) -> set[tuple[str, str, float]]:
        engine = Engine(own)
        engine.fit(FLEET)
        told = evaluate(engine, FLEET, readings).transitions
        return {(each.key.device_id, each.what, each.event_at.timestamp()) for each in told}

    alone: set[tuple[str, str, float]] = set()
    for device in FLEET.devices:
        rule = Watched(rules, FLEET).on(Key("hot", device.id))
        if rule is not None:
            general = (rule.model_copy(update={"scope": {}}),)
            alone |= {each for each in happened(general) if each[0] == device.id}
    assert happened(rules) == alone


def test_numbers_of_a_kind() -> None:
    watched = Watched((), Fleet([gauge(), lamp("a"), lamp("b")]))
    np.testing.assert_array_equal(watched.numbers("streetlight"), [1, 2])
    assert watched.of("streetlight") == {}
