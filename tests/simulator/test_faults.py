"""The catalogue of faults: who is chosen, when, and what a scenario may say of them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from devices.payload import encode
from simulator.city import City
from simulator.faults import CATALOGUE
from simulator.faults.fault import DAY_MS, NEVER, Scope
from simulator.faults.values import Stuck
from simulator.fleet import make_fleet
from simulator.scenario import ScenarioError, parse, read
from tests.simulator import test_device_faults, test_network_faults
from tests.simulator.faulty import difference, fault, field_with, hours_in, measured, packets_with, touched
from tests.simulator.field import wib
from tests.simulator.offline import HEAD, HOUR_MS, played, written_plan


@pytest.mark.parametrize("sort", CATALOGUE, ids=lambda sort: sort.__name__)
def test_every_fault_is_tested_here_and_is_in_data_kotor(sort: Any) -> None:
    (tests,) = [
        getattr(module, f"Test{sort.__name__}")
        for module in (test_network_faults, test_device_faults)
        if hasattr(module, f"Test{sort.__name__}")
    ]
    assert any(name.startswith("test_") for name in vars(tests))
    assert sort().fault in {each.fault for each in read("data-kotor").fault}


def test_a_scenario_may_have_exactly_the_faults_of_the_catalogue() -> None:
    with pytest.raises(ScenarioError, match="does not match any of the expected tags") as refused:
        parse(HEAD.format(title="", hours=1, gauges=1, detectors=0, panels=[]) + fault("gremlin"), "x.toml")
    told = str(refused.value).partition("expected tags: ")[2]
    assert {name.strip(" '") for name in told.split(",")} == {sort().fault for sort in CATALOGUE}


@pytest.mark.parametrize("number", range(len(CATALOGUE)))
def test_a_fault_without_parameters_has_a_description_and_can_be_played(number: int) -> None:
    sort = CATALOGUE[number]
    assert len(str(sort.__doc__)) > 40
    run = played(written_plan(fault(sort().fault), hours=3))
    assert run.packets
    assert len(run.packets) < 3 * len(field_with(hours=3).packets)


class TestWhoAndWhen:
    @pytest.mark.parametrize(("share", "count"), [(0.001, 1), (0.1, 3), (0.5, 15), (1.0, 30)])
    def test_a_share_is_that_part_of_those_who_fit_and_at_least_one(self, share: float, count: int) -> None:
        run = field_with(fault("clock_lost", kind="streetlight", share=share), 6)
        hit = {item.device for item in touched(run, "clock_lost").values()}
        assert len(hit) == count
        assert {run.plan.fleet[i].kind for i in hit} == {"streetlight"}

    def test_the_same_devices_are_chosen_in_every_run_and_others_by_another_seed(self) -> None:
        text = fault("clock_lost", share=0.2)

        def chosen(seed: int) -> set[int]:
            return {
                item.device for item in touched(played(written_plan(text, hours=1, seed=seed)), "clock_lost").values()
            }

        assert chosen(1) == chosen(1)
        assert chosen(1) != chosen(2)

    def test_two_of_a_kind_throw_different_dice(self) -> None:
        run = field_with(2 * fault("duplicate", chance=0.2), 6)
        twice: dict[bytes, int] = defaultdict(int)
        for packet in packets_with(run, "duplicate"):
            twice[packet.payload] += packet.faults.count("duplicate")
        one = field_with(fault("duplicate", chance=0.2), 6)
        assert len(twice) > 1.5 * len({packet.payload for packet in packets_with(one, "duplicate")})

    def test_devices_are_named_without_the_tag_of_the_run(self) -> None:
        run = field_with(fault("clock_lost", devices="wl-b*"), 3)
        hit = {run.plan.names[item.device] for item in touched(run, "clock_lost").values()}
        assert hit == {"wl-buntu-pane", "wl-bagan-asahan", "wl-bandar-pulau"}

    def test_hours_are_kept(self) -> None:
        run = field_with(fault("clock_lost", from_h=1, until_h=2.5), 6)
        for item in run.items.values():
            assert ("clock_lost" in item.faults) == (1 <= hours_in(run, item) < 2.5)

    def test_spells_come_as_often_and_last_as_long_as_they_say(self) -> None:
        fleet = make_fleet(400, 1)
        city = City(fleet, 1, wib(0), seconds={"streetlight": 900, "water_level": 900, "traffic": 900})
        days, stuck = 20, Stuck(per_day=0.25, hours=(2, 8))
        scope = Scope.of(stuck, 0, city, [d.id for d in fleet], city.start_ms + days * DAY_MS)
        at_ms = np.tile(city.start_ms + np.arange(days * 96) * 900_000, len(fleet))
        device = np.repeat(np.arange(len(fleet)), days * 96)
        begin, end = scope.spell(stuck, device, at_ms)
        inside = begin != NEVER
        assert (begin[inside] <= at_ms[inside]).all()
        assert (at_ms[inside] < end[inside]).all()
        spells = {
            (d, a, b)
            for d, a, b in zip(device[inside].tolist(), begin[inside].tolist(), end[inside].tolist(), strict=True)
        }
        assert len(spells) == pytest.approx(0.25 * days * len(fleet), rel=0.1)
        lengths = np.array([(b - a) / HOUR_MS for _, a, b in spells])
        assert lengths.min() >= 2
        assert lengths.max() <= 8
        assert lengths.mean() == pytest.approx(5, abs=0.2)


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"share": 0}, ["share", "greater than 0"]),
        ({"share": 1.5}, ["share", "1"]),
        ({"from_h": -1}, ["from_h", "0"]),
        ({"from_h": 3, "until_h": 2}, ["from_h 3", "until_h 2"]),
        ({"from_h": 1e9}, ["from_h", "8784"]),
        ({"kind": "parking"}, ["kind", "'water_level', 'traffic' or 'cabinet'"]),
        ({"colour": "red"}, ["colour", "not permitted"]),
        ({"fault": "spike", "chance": 2}, ["chance", "1"]),
        ({"fault": "spike", "low": 3, "high": 1}, ["low, high", "3", "1"]),
        ({"fault": "stuck", "hours": [6, 1]}, ["hours", "6", "1"]),
        ({"fault": "stuck", "hours": [1, 1e9]}, ["hours.1", "336"]),
        ({"fault": "stuck", "per_day": 2}, ["per_day", "1"]),
        ({"fault": "reorder", "by": [5, 2]}, ["by", "5", "2"]),
        ({"fault": "backfill", "per_message": 1001}, ["per_message", "1000"]),
        ({"fault": "backfill", "order": "random"}, ["order", "'oldest' or 'newest'"]),
        ({"fault": "drift", "level_mm_per_day": 1e300}, ["level_mm_per_day", "10000"]),
        ({"fault": "datum_shift", "step_m": 6}, ["step_m", "5"]),
        ({"fault": "datum_shift", "kind": "traffic"}, ["kind", "water_level"]),
        ({"fault": "noise_burst", "factor": 1}, ["factor", "greater than 1"]),
        ({"fault": "sentinel", "values": []}, ["values", "at least 1"]),
        ({"fault": "malformed", "ways": []}, ["ways", "at least 1"]),
        ({"fault": "malformed", "ways": ["cut", "ink"]}, ["ways.1", "'cut', 'quoted', 'comma', 'type' or 'text'"]),
        ({"fault": "oversized", "bytes": 262_144}, ["bytes", "greater than 262144"]),
        ({"fault": "wrong_identity", "region": "Asahan"}, ["region", "12.09"]),
        ({"fault": "clock_skew", "offset_s": 1e10}, ["offset_s", "1000000000"]),
        ({"fault": "clock_skew", "spread_s": 1e10}, ["spread_s", "1000000000"]),
        ({"fault": "reboot", "times": 0}, ["times", "1"]),
        ({"fault": "dropout", "enter": 0}, ["enter", "0"]),
    ],
    ids=str,
)
def test_a_bad_parameter_is_told_with_file_field_and_limit(parameters: dict[str, Any], told: list[str]) -> None:
    others = dict(parameters)
    name = others.pop("fault", "dropout")
    head = HEAD.format(title="", hours=1, gauges=1, detectors=0, panels=[])
    with pytest.raises(ScenarioError) as refused:
        parse(head + fault("dropout") + fault(name, **others), "mine.toml")
    text = str(refused.value)
    assert text.startswith(f"mine.toml: fault.1.{name}")
    for words in told:
        assert words in text


def test_faults_compose() -> None:
    """A level that is shifted, drifts, and is told by a clock that is ahead."""
    tables = (
        fault("datum_shift", step_m=1)
        + fault("drift", level_mm_per_day=240)
        + fault("clock_skew", offset_s=60, spread_s=0, drift_ppm=0)
    )
    run = field_with(tables, 12)
    for key, item in run.items.items():
        assert item.ts_ms - item.at_ms == 60_000
        if run.plan.fleet[item.device].kind == "water_level":
            name, sign = measured(run, item)
            assert item.faults == ["datum_shift", "drift", "clock_skew"]
            assert sign * difference(run, key, name) == pytest.approx(1 + 0.01 * hours_in(run, item), abs=0.0011)


def test_a_field_without_faults_sends_what_the_city_measures() -> None:
    run = field_with(hours=6)
    readings = run.plan.city.readings(run.plan.start_ms, run.plan.end_ms)
    wire = [(reading.device, reading.ts_ms, encode(reading.fields)) for reading in readings]
    assert sorted((p.device, p.send_ms, p.payload) for p in run.packets) == sorted(wire)
    assert all(item.faults == [] and item.qc == 1 for item in run.items.values())
