"""The engine's promises: evaluating changes nothing, redelivery changes nothing, neither do restarts and batching."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.engine import Engine, Transition, evaluate
from alerts.rule import Key, parse, shipped
from alerts.rules_change import Restored, restored
from alerts.rules_scope import Watched
from alerts.state import State
from devices.batch import Packet
from devices.fleet import Fleet
from ingest.intake import take_in
from tests.alerts.timeline import EVENING, LIMITS, Timeline, detector, gauge, lamp, only, packet

SIAGA = only("siaga", "water_level")
DEVICES = (gauge("wl-a"), gauge("wl-b", siaga_2_m=None), lamp("pju-a"), detector("tr-a"))
FLEET = Fleet(DEVICES)


class TestOrder:
    @pytest.fixture
    def river(self) -> Timeline:
        return Timeline(gauge(), rules=SIAGA)

    def rows(self, river: Timeline, *levels: tuple[str, float]) -> list[str]:
        (wl,) = river.fleet.devices
        packets = [packet(wl, river.at(at), river.at("19:15"), level_m=level) for at, level in levels]
        return river.take(river.batch(packets))

    def test_a_batch_is_decided_in_event_order(self, river: Timeline) -> None:
        assert self.rows(river, ("19:10", 3.7), ("19:05", 2.9)) == ["raised 2", "worsened 1"]

    def test_what_is_not_newer_decides_nothing(self, river: Timeline) -> None:
        assert self.rows(river, ("19:10", 1.0)) == []
        assert self.rows(river, ("19:05", 3.7), ("19:10", 3.7)) == []
        assert self.rows(river, ("19:11", 3.7)) == ["raised 1"]

    def test_a_batch_of_old_readings_only(self, river: Timeline) -> None:
        self.rows(river, ("19:10", 3.7))
        assert self.rows(river, ("19:01", 1.0), ("19:02", 1.0)) == []

    def test_of_two_readings_of_one_moment_the_first_decides_as_the_first_is_stored(self, river: Timeline) -> None:
        assert self.rows(river, ("19:10", 2.1), ("19:10", 3.7)) == []
        assert self.rows(river, ("19:11", 2.1)) == ["raised 3"]

    def test_a_duplicate_is_no_second_sample(self, river: Timeline) -> None:
        assert self.rows(river, ("19:10", 2.1), ("19:10", 2.1)) == []
        assert self.rows(river, ("19:10", 2.1)) == []
        assert self.rows(river, ("19:11", 2.1)) == ["raised 3"]

    def test_an_empty_batch(self, river: Timeline) -> None:
        assert river.take(river.batch([])) == []


def test_a_device_that_joins_gets_room() -> None:
    river = Timeline(gauge("wl-a"), rules=SIAGA)
    river.push("19:00", level_m=3.0)
    river.fleet = river.fleet.updated([gauge("wl-b")])
    river.engine.fit(river.fleet)
    assert river.push("19:01", gauge("wl-b"), level_m=3.0) == ["raised 2"]
    assert river.push("19:00", gauge("wl-a"), level_m=3.9) == [], "what was known before is kept"


def test_a_rule_watches_its_own_kind_only() -> None:
    everything = Timeline(*DEVICES)
    assert everything.push("19:00", DEVICES[0], level_m=3.0) == ["raised 2"]
    assert everything.last[0].kind == "water_level"
    assert everything.last[0].metric == "level_m"


# -- random field days -----------------------------------------------------------------------------------------------

VALUES = {
    "water_level": {"level_m": [None, 1.0, 1.85, 1.95, 2.0, 2.5, 2.75, 2.8, 3.4, 3.6, 25.0]},
    "streetlight": {"voltage_v": [None, 0, 175, 190, 199, 220, 232, 251], "power_w": [0, 25, 90]},
    "traffic": {"speed_kmh": [None, 5, 15, 22, 26, 40], "occupancy_pct": [None, 0, 10, 30, 80]},
}  # fmt: skip


@st.composite
def days(draw: st.DrawFn) -> list[Packet]:
    """Readings of every device in order of its own time, arriving live or late, devices mixed."""
    packets = []
    at = EVENING
    for _ in range(draw(st.integers(1, 60))):
        device = draw(st.sampled_from(DEVICES))
        at += timedelta(seconds=draw(st.sampled_from([1, 60, 300, 600, 900, 3600])))
        values = {name: draw(st.sampled_from(given)) for name, given in VALUES[device.kind].items()}
        delay = timedelta(seconds=draw(st.sampled_from([0, 0, 0, 30, 1000, 5000])))
        packets.append(packet(device, at, at + delay, **values))
    return packets


class Ran(NamedTuple):
    """What happened to each (rule, device), and the engine afterwards."""

    steps: dict[Key, list[Transition]]
    engine: Engine


def run(packets: Sequence[Packet], cuts: Sequence[int], restarts: bool = False) -> Ran:
    """Feed packets in batches that end at `cuts`; with restarts, begin anew from what is stored after each."""
    engine = Engine(shipped())
    engine.fit(FLEET)
    steps: dict[Key, list[Transition]] = defaultdict(list)
    for begin, end in pairwise([0, *sorted(set(cuts)), len(packets)]):
        evaluated = evaluate(engine, FLEET, take_in(packets[begin:end], FLEET, LIMITS).readings)
        engine.apply(evaluated)
        for transition in evaluated.transitions:
            steps[transition.key].append(transition)
        if restarts:
            engine = restarted(engine)
    return Ran(dict(steps), engine)


def restarted(engine: Engine) -> Engine:
    """A new engine from what the database keeps: states as JSON, newest event times and arrivals."""
    kinds = {device.id: device.kind for device in DEVICES}
    rows = [
        (key.rule, key.device_id, kinds[key.device_id], json.loads(json.dumps(state.to_json())))
        for key, state in engine.states.items()
    ]
    states = restored(Watched(shipped(), FLEET), rows).states
    again = Engine(shipped(), states, engine.newest_us.copy(), engine.heard_us.copy())
    again.fit(FLEET)
    return again


cuts = st.lists(st.integers(0, 60), max_size=8)


def within(packets: Sequence[Packet], at: Sequence[int]) -> list[int]:
    return [cut for cut in at if cut < len(packets)]


@given(days(), cuts)
def test_the_same_happens_whatever_the_batching(packets: list[Packet], at: list[int]) -> None:
    together = run(packets, [])
    apart = run(packets, within(packets, at))
    one_by_one = run(packets, range(len(packets)))
    assert together.steps == apart.steps == one_by_one.steps
    assert together.engine.states == apart.engine.states == one_by_one.engine.states
    np.testing.assert_array_equal(together.engine.newest_us, one_by_one.engine.newest_us)
    np.testing.assert_array_equal(together.engine.heard_us, one_by_one.engine.heard_us)


@given(days(), cuts)
def test_a_restart_at_any_point_changes_nothing(packets: list[Packet], at: list[int]) -> None:
    on, again = run(packets, within(packets, at)), run(packets, within(packets, at), restarts=True)
    assert on.steps == again.steps
    assert on.engine.states == again.engine.states


@given(days(), st.integers(0, 60))
def test_evaluating_changes_nothing_and_redelivery_after_commit_does_nothing(packets: list[Packet], at: int) -> None:
    before = run(packets[:at], []).engine
    states, newest = dict(before.states), before.newest_us.copy()
    batch = take_in(packets[at:], FLEET, LIMITS)
    first, second = evaluate(before, FLEET, batch.readings), evaluate(before, FLEET, batch.readings)
    assert (first.transitions, first.states) == (second.transitions, second.states)
    np.testing.assert_equal(first.times, second.times)
    assert before.states == states
    np.testing.assert_array_equal(before.newest_us, newest)

    before.apply(first)
    after = dict(before.states)
    again = evaluate(before, FLEET, take_in(packets, FLEET, LIMITS).readings)
    assert again.transitions == []
    assert again.states == {}
    before.apply(again)
    assert before.states == after


@given(days())
def test_an_alerts_life_is_sound(packets: list[Packet]) -> None:
    """Raised, moved, cleared, raised …; each step begins at the severity at which the one before ended."""
    for steps in run(packets, []).steps.values():
        severity: int | None = None
        live = False
        for step in steps:
            assert (step.what == "raised") is (severity is None)
            assert step.from_severity == severity
            assert (step.what == "cleared") is (step.to_severity is None)
            assert not (live and step.historical), "a live alert never becomes historical"
            severity = step.to_severity
            live = severity is not None and not step.historical
            assert step.peak_severity is not None
            assert step.peak_severity >= (severity or 0)
            if step.what == "worsened":
                assert step.to_severity > step.from_severity
            if step.what == "eased":
                assert step.to_severity < step.from_severity
        assert [a.event_at <= b.event_at for a, b in pairwise(steps)] == [True] * (len(steps) - 1)


# -- what is stored --------------------------------------------------------------------------------------------------

STORED = {"rung": 1, "on_since": [1.0, None, None], "on_count": [2, 0, 0], "off_since": [None, None, None],
          "historical": False}  # fmt: skip


def stored(**change: Any) -> Restored:
    row = {"rule": "siaga", "device_id": "wl-a", "kind": "water_level", "state": STORED, **change}
    return restored(Watched(shipped(), FLEET), [tuple(row.values())])  # type: ignore[list-item]


def test_a_stored_state_is_restored() -> None:
    state = State(1, (1.0, None, None), (2, 0, 0), (None, None, None), False, peak=1)
    assert stored() == ({Key("siaga", "wl-a"): state}, [])


@pytest.mark.parametrize(
    "change", [{"rule": "flat_line"}, {"device_id": "tr-a"}, {"state": {**STORED, "on_count": [2, 0]}}], ids=str
)
def test_a_state_of_a_rule_now_gone_or_with_other_levels_is_to_be_closed(change: dict[str, Any]) -> None:
    key = Key(change.get("rule", "siaga"), change.get("device_id", "wl-a"))
    assert stored(**change) == ({}, [key])


def test_a_device_that_is_not_there_is_left_alone() -> None:
    assert stored(device_id="wl-gone") == ({}, [])


def test_a_kinds_own_rule_takes_over_the_states_of_the_general_one() -> None:
    own = '[[rule]]\nid = "stale"\nkind = "{}"\ncondition = "stale"\nlevel = [{{severity = 0}}]\n'
    rules = parse(own.format("*") + own.format("traffic"), "own")
    state = {"rung": 1, "on_since": [1.0], "on_count": [1], "off_since": [None], "historical": False}
    found = restored(Watched(rules, FLEET), [("stale", "tr-a", "traffic", state)])
    assert list(found.states) == [Key("stale", "tr-a")]
