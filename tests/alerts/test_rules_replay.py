"""Stored readings once more: in order of arrival whatever the slices, and silence by the clock of the arrivals."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.rule import rules_of, shipped
from alerts.rules_replay import Arrived, Replay, readings_of
from devices.batch import Readings
from devices.device import Device
from devices.fleet import Fleet
from tests.alerts.timeline import LIVE_WINDOW_S, Timeline, gauge, told

GAUGES = [gauge("wl-a"), gauge("wl-b")]
Row = tuple[str, float, float, float]  # device, seconds of ts and of arrival, level


def stored(rows: Sequence[Row], fleet: Fleet) -> Readings:
    """Rows as the table would give them."""
    begin = Timeline().at(0).timestamp()
    cells = [
        (device, round((begin + ts) * 1e6), round((begin + received) * 1e6), 1, 64 * (received - ts > LIVE_WINDOW_S), m)
        for device, ts, received, m in sorted(rows, key=lambda row: (row[2], row[1], row[0]))
    ]
    return readings_of(Arrived("water_level", ("level_m",), cells), fleet)


def replayed(
    rows: Sequence[Row], cuts: Sequence[int] = (), *devices: Device, until: float = 0
) -> list[tuple[str, str]]:
    fleet, begin = Fleet(devices or GAUGES), Timeline().at(0)
    replay = Replay(rules_of(shipped(), "water_level"), fleet, begin, None)
    every = stored(rows, fleet)
    found = []
    for start, end in pairwise(sorted({0, len(every), *(cut for cut in cuts if cut < len(every))})):
        found += replay.feed([every.part(slice(start, end))])
    if until:
        found += replay.end(Timeline().at(until))
    return [(each.key.device_id, f"{each.key.rule} {told(each)} {each.event_at.timestamp()}") for each in found]


def live(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """The same, each arrival by itself as it came."""
    town = Timeline(*GAUGES, rules=[rule for rule in shipped() if rule.id == "siaga"])
    found = []
    for device, ts, received, level in sorted(rows, key=lambda row: (row[2], row[1], row[0])):
        town.push(ts, town.fleet.get(device), received, level_m=level)
        found += [(each.key.device_id, f"siaga {told(each)} {each.event_at.timestamp()}") for each in town.last]
    return found


@st.composite
def arrivals(draw: st.DrawFn) -> list[Row]:
    rows: dict[tuple[str, float], Row] = {}
    at = 0.0
    for _ in range(draw(st.integers(1, 40))):
        at += draw(st.sampled_from([0.5, 60, 300, 600]))
        device = draw(st.sampled_from(["wl-a", "wl-b"]))
        ts = at - draw(st.sampled_from([0, 0, 0, 30, 400, 2000]))
        # What has the ts of another is refused, and not in the table.
        rows.setdefault((device, ts), (device, ts, at, draw(st.sampled_from([1.0, 1.95, 2.1, 2.9, 3.7]))))
    return list(rows.values())


@given(arrivals(), st.lists(st.integers(0, 40), max_size=6))
def test_it_tells_what_was_told_live_whatever_the_slices(rows: list[Row], cuts: list[int]) -> None:
    found = [each for each in replayed(rows, cuts) if each[1].startswith("siaga")]
    by_device = [[each for each in found if each[0] == device] for device in ("wl-a", "wl-b")]
    expected = live(rows)
    assert by_device == [[each for each in expected if each[0] == device] for device in ("wl-a", "wl-b")]


def at(second: float) -> float:
    return Timeline().at(0).timestamp() + second


def test_silence_is_found_when_it_was_due() -> None:
    rows: list[Row] = [("wl-a", n * 600.0, n * 600.0, 1.0) for n in range(12)] + [("wl-b", 0.0, 0.0, 1.0)]
    rows.append(("wl-b", 5000.0, 5000.0, 1.0))
    found = replayed(rows, [3, 7], until=6600 + 2100)
    assert found == [
        ("wl-b", f"stale raised severity 1 {at(2100.000001)}"),
        ("wl-b", f"stale cleared {at(5000)}"),
        ("wl-b", f"stale raised severity 1 {at(7100.000001)}"),
    ]


def test_silence_is_found_within_the_first_slice_too() -> None:
    """Nobody was heard before: who is silent is known from the first arrival on, not from the end of a slice."""
    rows = [("wl-a", float(ts), float(ts), 1.0) for ts in (0, 600, 10_000, 10_600)]
    found = [what.split(maxsplit=2)[1] for _, what in replayed(rows) if what.startswith("stale")]
    assert found == ["raised", "cleared"]


def test_one_that_never_comes_back_is_told_at_the_end_once() -> None:
    rows: list[Row] = [("wl-a", 0.0, 0.0, 1.0), ("wl-b", 0.0, 0.0, 1.0)]
    assert [device for device, _ in replayed(rows, until=50_000)] == ["wl-a", "wl-b"]
    assert replayed(rows, until=2100) == []


HEARD = (0.0, 9000.0, 9600.0, 10_200.0, 10_800.0, 11_400.0)


def test_when_nothing_at_all_is_heard_it_is_not_the_devices() -> None:
    town = [gauge(f"wl-{n}") for n in range(11)]
    rows: list[Row] = [(device.id, second, second, 1.0) for device in town for second in HEARD]
    assert replayed(rows, [4, 15], *town, until=11_500) == []
    silent = [row for row in rows if row[0] != "wl-3" or row[1] == 0]
    assert [device for device, _ in replayed(silent, [], *town, until=11_700)] == ["wl-3"]


@pytest.mark.parametrize("rows", [[], [("wl-gone", 0.0, 0.0, 3.0)]])
def test_nothing_is_fine(rows: list[Row]) -> None:
    assert replayed(rows, until=9000) == []
