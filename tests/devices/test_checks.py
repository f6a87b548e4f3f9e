"""What the checks find: between fields of one reading, and against the readings before. The plain second opinion of
the simulator must agree with them, however arrivals are cut into batches."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from devices.batch import Packet
from devices.checks import check
from devices.checks_memory import Memory, blank, checks_of
from devices.device import Device
from devices.fleet import Fleet
from devices.kinds import KINDS
from devices.payload import encode
from devices.quality import Quality, Reason
from devices.topics import readings_topic
from ingest.intake import Limits, take_in
from simulator.items import Item, foresee
from simulator.truth.quality import Watched

LIMITS = Limits(262_144, 1_000, 300, 900, 3_650)
T0 = datetime(2026, 11, 24, 12, tzinfo=UTC)
SPIKE, RATE, FLAT, CROSS, RANGE = Reason.SPIKE | Reason.RATE, Reason.RATE, Reason.FLAT, Reason.CROSS_FIELD, Reason.RANGE
RESTLESS = Reason.RESTLESS
HOUR = 3600.0
ATTRIBUTES: dict[str, dict[str, Any]] = {"streetlight": {"nominal_w": 100.0}, "water_level": {}, "traffic": {}}
Told = tuple[float, dict[str, Any]]  # seconds after T0, fields


def flags(kind: str, told: Sequence[Told], cuts: Sequence[int] = (), **attributes: Any) -> list[tuple[int, int]]:
    """Code and reasons of one device's readings in order of arrival; batches end at the cuts."""
    fleet = Fleet([Device("d", kind, region="12.09", attributes=attributes or ATTRIBUTES[kind])])
    memory, found = Memory(), list[tuple[int, int]]()
    memory.fit(fleet)
    ends = [*sorted(set(cuts)), len(told)]
    begin = 0
    for end in ends:
        packets = [
            Packet(
                readings_topic("12.09", "d"), encode({"ts": T0 + timedelta(seconds=s), **fields}), T0 + timedelta(99)
            )
            for s, fields in told[begin:end]
        ]
        begin = end
        checked = check(memory, fleet, take_in(packets, fleet, LIMITS).readings)
        memory.apply(checked.learnt)
        for readings in checked.readings:
            reasons = (readings.reason & ~int(Reason.LATE)).tolist()
            found += zip(readings.qc.tolist(), reasons, strict=True)
    return found


def reasons(kind: str, name: str, told: Sequence[tuple[float, float | None]], **attributes: Any) -> list[int]:
    return [reason for _, reason in flags(kind, [(s, {name: value}) for s, value in told], **attributes)]


# -- spike and rate of change ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("levels", "found"),
    [
        ([1.0, 1.1, 1.2], [0, 0, 0]),
        ([1.0, 4.0, 1.0], [0, SPIKE, 0]),
        ([1.0, -1.0, 1.0], [0, SPIKE, 0]),
        ([1.0, 2.0, 2.1, 2.2], [0, SPIKE, 0, 0]),
        ([1.0, 4.0, -2.0, 1.0], [0, SPIKE, SPIKE, 0]),
        ([1.0, 2.0, 3.0, 4.0], [0, SPIKE, 0, SPIKE]),
        ([1.0, 4.0, None, 4.0], [0, SPIKE, 0, 0]),
    ],
    ids=["rises", "spike", "downwards", "a step is confirmed by the next", "two sides", "a wall of water", "null"],
)
def test_a_jump_is_suspect_until_the_next_reading_confirms_it(levels: list[float | None], found: list[int]) -> None:
    assert reasons("water_level", "level_m", [(600 * i, level) for i, level in enumerate(levels)]) == found


@pytest.mark.parametrize("every_s", [10, 60, 600, 1800, 3600])
@pytest.mark.parametrize("metres_an_hour", [0.3, 1.7, 2.7])
def test_a_real_flood_is_never_held_back(every_s: int, metres_an_hour: float) -> None:
    told = [(every_s * i, round(1 + metres_an_hour * every_s * i / 3600, 3)) for i in range(7)]
    assert set(reasons("water_level", "level_m", told)) == {0}


def test_a_change_that_time_explains_is_none() -> None:
    assert reasons("water_level", "level_m", [(0, 1.0), (HOUR, 3.5)]) == [0, 0]
    assert reasons("water_level", "level_m", [(0, 1.0), (HOUR, 4.5)]) == [0, SPIKE]
    assert reasons("water_level", "level_m", [(0, 1.0), (10, 1.10)]) == [0, RATE], "too fast, too small for a spike"


def test_a_value_outside_its_range_is_never_compared_with() -> None:
    assert reasons("water_level", "level_m", [(0, 1.0), (60, 19.0), (120, 25.0), (180, 1.0)]) == [0, SPIKE, RANGE, 0]


def test_only_what_is_newer_than_all_before_is_held_against_them() -> None:
    told = [(0, 1.0), (1200, 1.1), (600, 4.0), (1200, 4.0), (1800, 1.2)]
    assert reasons("water_level", "level_m", told) == [0] * 5


def test_a_counter_runs_no_faster_than_the_load_allows_and_may_begin_anew() -> None:
    told = [(0, 1000.0), (900, 1025.0), (1800, 1090.0), (2700, 1100.0), (3600, 0.0), (4500, 25.0)]
    assert reasons("streetlight", "energy_wh", told) == [0, 0, RATE, 0, 0, 0]
    assert reasons("streetlight", "energy_wh", told, panel="P-01") == [0] * 6, "without a nominal load nobody knows"


# -- flat line -------------------------------------------------------------------------------------------------------


def test_a_level_without_noise_is_suspect_after_6_h_and_fails_after_24() -> None:
    told = [(600 * i, {"level_m": 1.0 + 0.001 * (i % 2)}) for i in range(150)]
    found = flags("water_level", told)
    assert [qc for qc, _ in found] == [1] * 36 + [3] * 108 + [4] * 6
    assert {reason for qc, reason in found if qc > 1} == {FLAT}


def test_a_change_ends_the_flat_line_at_once() -> None:
    told = [*((600 * i, 1.0) for i in range(40)), (24_000, 1.002), (24_600, 1.0)]
    assert reasons("water_level", "level_m", told)[-3:] == [FLAT, 0, 0]


def test_a_gauge_that_is_read_to_the_centimetre_may_stand_still() -> None:
    told = [(600 * i, 1.0) for i in range(60)]
    assert reasons("water_level", "level_m", told, resolution_m=0.01) == [0] * 60
    assert reasons("water_level", "level_m", told, resolution_m=0.001)[-1] == FLAT


def test_silence_is_no_flat_line() -> None:
    assert reasons("water_level", "level_m", [(HOUR * 7 * i, 1.0) for i in range(9)]) == [0] * 9


def test_few_readings_say_nothing() -> None:
    assert reasons("water_level", "level_m", [(HOUR * 2 * i, 1.0) for i in range(5)]) == [0] * 5


def test_nobody_expects_noise_on_mains_that_are_off() -> None:
    assert set(reasons("streetlight", "voltage_v", [(900 * i, 0.0) for i in range(40)])) == {0}
    assert reasons("streetlight", "voltage_v", [(900 * i, 220.0) for i in range(13)])[-1] == FLAT


# -- between fields --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fields", "found"),
    [
        ("streetlight", {"power_w": 66.0, "voltage_v": 220, "current_a": 0.315, "power_factor": 0.95}, 0),
        ("streetlight", {"power_w": 80.0, "voltage_v": 220, "current_a": 0.315, "power_factor": 0.95}, CROSS),
        ("streetlight", {"power_w": 1.9, "voltage_v": 220, "current_a": 0.0}, 0),
        ("streetlight", {"power_w": 50.0, "voltage_v": 220, "current_a": 0.0}, CROSS),
        ("streetlight", {"power_w": 80.0, "voltage_v": 220}, 0),
        ("traffic", {"count": 10, "count_motorcycle": 7, "count_car": 2, "count_heavy": 1}, 0),
        ("traffic", {"count": 10, "count_motorcycle": 7, "count_car": 2, "count_heavy": 2}, CROSS),
        ("traffic", {"count": 10, "count_motorcycle": 7}, 0),
        ("traffic", {"count": 0, "speed_kmh": 30}, CROSS),
        ("traffic", {"count": 10, "period_s": 300, "speed_kmh": 40, "occupancy_pct": 1.2}, 0),
        ("traffic", {"count": 10, "period_s": 300, "speed_kmh": 40, "occupancy_pct": 12.0}, CROSS),
        ("traffic", {"count": 200, "period_s": 300, "speed_kmh": 40, "occupancy_pct": 2.0}, CROSS),
        ("traffic", {"count": 1, "period_s": 300, "speed_kmh": 40, "occupancy_pct": 12.0}, 0),
        ("water_level", {"level_m": 1.0, "rain_mm": 0.2}, 0),
    ],
)
def test_fields_that_hardly_go_together_are_suspect(kind: str, fields: dict[str, Any], found: int) -> None:
    assert flags(kind, [(0, fields)]) == [(Quality.SUSPECT if found else Quality.GOOD, found)]


# -- a counter that rises too often ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ([10, 11, 12, 13, 14], [0, 0, 0, 0, RESTLESS]),
        ([10, 11, 11, 12, 13, 14], [0] * 6),
        ([10, 12, 14, 14, 14, 14, 14], [0, 0, RESTLESS, RESTLESS, RESTLESS, 0, 0]),
        ([10, 99, 99], [0, RESTLESS, RESTLESS]),
        ([10, 11, None, 13, 14], [0, 0, 0, 0, RESTLESS]),
        ([10, 0, 1, 2, 3, 4], [0, 0, 0, 0, 0, RESTLESS]),
        ([None, 10, 13, 10, 11], [0, 0, 0, 0, RESTLESS]),
    ],
    ids=["4 in an hour", "4 in 75 min", "an hour later", "at once", "not told in between", "begins anew", "falls"],
)
def test_four_switches_within_an_hour_are_too_many(counts: list[float | None], found: list[int]) -> None:
    told = [(900.0 * i, {"switch_count": count, "power_w": 60.0}) for i, count in enumerate(counts)]
    assert flags("streetlight", told) == [(1, reason) for reason in found], "and say nothing against the reading"


def test_switches_between_readings_more_than_an_hour_apart_are_not_within_one() -> None:
    assert reasons("streetlight", "switch_count", [(0, 10), (3601, 50), (3700, 50)]) == [0, 0, 0]
    assert reasons("streetlight", "switch_count", [(0, 10), (3600, 50)]) == [0, RESTLESS]


# -- against the plain second opinion --------------------------------------------------------------------------------


def course(kind: str, chance: random.Random) -> list[Told]:
    """A device that stands still, jumps, falls silent, overtakes itself and sends what no sensor can."""
    told, at, level, energy, switches = list[Told](), 0.0, 1.0, 1000.0, 10
    switched = chance.choice([(0, 0, 0, 1), (0, 1, 2, 5, -10)])
    steps = chance.choice([(0, 0.0, 0.0005), (0, 0, 0, 0.001, 0.1, 0.5, -0.4, 2.0, -2.0)])
    for _ in range(chance.randint(5, 120)):
        at += chance.choice([10, 600, 600, 600, 900, 3600, 7 * HOUR, -1200, 0])
        level = max(-4.0, level + chance.choice(steps))
        energy = max(0.0, energy + chance.choice([0, 5, 25, 40, 500, -800]))
        switches = max(0, switches + chance.choice(switched))
        fields: dict[str, Any] = {
            "water_level": {"level_m": chance.choice([level, level, level, None, 30.0])},
            "streetlight": {
                "voltage_v": round(chance.choice([220.0, 220.0, 219 + level, 0.0]), 1), "energy_wh": round(energy, 1),
                "power_w": 60.0, "current_a": chance.choice([60 / 220, 0.5, None]), "power_factor": 1.0,
                "switch_count": chance.choice([switches, switches, None]),
            },
            "traffic": {"speed_kmh": chance.choice([40.0, 40.0, 40.0, None, 95.0, 5 * abs(level)]), "count": 5},
        }[kind]  # fmt: skip
        told.append((at, fields))
    return told


@pytest.mark.parametrize("kind", sorted(ATTRIBUTES))
def test_both_implementations_find_the_same_however_batches_are_cut(kind: str) -> None:
    chance, met = random.Random(8), set[int]()
    device = Device("d", kind, attributes=ATTRIBUTES[kind])
    for _ in range(150):
        told = course(kind, chance)
        watched, expected = Watched(device), list[tuple[int, int]]()
        for s, fields in told:
            ts_ms = round(1000 * (T0.timestamp() + s))
            item = Item(0, ts_ms, ts_ms, 0, "", fields)
            foresee(kind, [item], (device,))
            expected.append(watched.judge(ts_ms, item.values, item.qc, item.reason))
        cuts = chance.sample(range(1, len(told)), chance.randint(0, len(told) - 1))
        assert flags(kind, told, cuts) == expected
        assert flags(kind, told) == expected
        met |= {reason for _, reason in expected}
    assert (
        met
        >= {
            "water_level": {SPIKE, RATE, FLAT, RANGE},
            "streetlight": {RATE, FLAT, CROSS, RESTLESS},
            "traffic": {SPIKE, FLAT},
        }[kind]
    )


# -- the memory ------------------------------------------------------------------------------------------------------


def test_devices_of_a_batch_do_not_touch_each_other() -> None:
    """Three devices interleaved give what each gives alone."""
    chance = random.Random(3)
    courses = [course("water_level", chance) for _ in range(3)]
    fleet = Fleet([Device(f"d{i}", "water_level", region="12.09") for i in range(3)])
    memory = Memory()
    memory.fit(fleet)
    left, packets = [list(c) for c in courses], list[Packet]()
    while any(left):
        i = chance.choice([i for i in range(3) if left[i]])
        s, fields = left[i].pop(0)
        payload = encode({"ts": T0 + timedelta(seconds=s), **fields})
        packets.append(Packet(readings_topic("12.09", f"d{i}"), payload, T0 + timedelta(99)))
    (readings,) = check(memory, fleet, take_in(packets, fleet, LIMITS).readings).readings
    for i in range(3):
        rows = readings.device == i
        mine = zip(readings.qc[rows].tolist(), (readings.reason[rows] & ~int(Reason.LATE)).tolist(), strict=True)
        assert list(mine) == flags("water_level", courses[i])


def test_a_row_of_another_kind_or_layout_is_as_good_as_none() -> None:
    kind, fleet, memory = (
        KINDS["water_level"],
        Fleet([Device("a", "water_level"), Device("b", "water_level")]),
        Memory(),
    )
    memory.fit(fleet)
    row = np.arange(len(blank(kind)), dtype=np.float64)
    memory.restore(kind, fleet, [("a", row.tobytes()), ("b", b"short"), ("gone", row.tobytes())])
    devices = np.array([0, 1])
    assert np.array_equal(memory.recall(kind, devices), np.stack([row, blank(kind)]).T, equal_nan=True)
    other = KINDS["traffic"]
    assert np.array_equal(memory.recall(other, devices), np.stack([blank(other)] * 2).T, equal_nan=True)


def test_the_memory_grows_with_the_fleet() -> None:
    kind, memory = KINDS["water_level"], Memory()
    fleet = Fleet([Device("a", "water_level")])
    memory.fit(fleet)
    row = np.arange(len(blank(kind)), dtype=np.float64)
    memory.restore(kind, fleet, [("a", row.tobytes())])
    memory.fit(fleet.updated([Device("b", "water_level")]))
    found = memory.recall(kind, np.array([0, 1]))
    assert np.array_equal(found, np.stack([row, blank(kind)]).T, equal_nan=True)


def test_every_kind_is_checked_over_time() -> None:
    assert {kind: [placed.metric for placed in checks_of(KINDS[kind])] for kind in ATTRIBUTES} == {
        "streetlight": ["voltage_v", "energy_wh", "switch_count"],
        "water_level": ["level_m", "level_m"],
        "traffic": ["speed_kmh", "speed_kmh"],
    }
