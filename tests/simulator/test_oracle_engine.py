"""The oracle against the engine: in order exactly the same, out of order in every batching."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from devices.device import Device
from simulator.truth.folder import Clock
from simulator.truth.lives import EntangledError
from simulator.truth.oracle import expected_alerts
from tests.alerts.timeline import detector, gauge, lamp
from tests.simulator.foretold import Sent, alerts_of, epoch_ms, expected_of, fits, received, series_of, unmatched

CABINET = Device("panel-01", "cabinet", region="12.09", lat=2.98, lon=99.63, attributes={"panel": "P-01"})
DEVICES = {"water_level": gauge(), "streetlight": lamp(), "traffic": detector(), "cabinet": CABINET}
VALUES: dict[str, dict[str, list[float | None]]] = {
    "water_level": {
        "level_m": [None, None, 1.0, 1.85, 1.9, 1.95, 2.0, 2.5, 2.7, 2.75, 2.8, 3.4, 3.5, 3.6, 25.0],
        "rain_mm": [None, 0.2],
    },
    "streetlight": {
        "voltage_v": [None, 0, 49.9, 50, 175, 190, 199, 200, 220, 229, 231, 248, 251],
        "power_w": [None, 0, 1.9, 2.5, 20.5, 25, 30.5, 50, 79, 81, 84, 90, 116, 121],
        "dimming_pct": [None, 0, 10, 49, 50, 70, 100],
        "power_factor": [None, -0.89, 0.5, 0.89, 0.91, 0.95],
        "switch_count": [None, 10, 11, 13, 14, 20],
    },
    "traffic": {
        "speed_kmh": [None, 0, 5, 9.9, 12, 14, 15, 16, 20, 24, 26, 40],
        "occupancy_pct": [None, 0, 10, 20, 30, 40, 41, 80, 81],
        "count": [None, 0, 0, 5],
    },
    "cabinet": {
        "voltage_r_v": [None, 0, 49, 50, 179, 190, 199, 200, 220, 229, 232, 251],
        "voltage_s_v": [None, 0, 197, 220, 221, 231],
        "mains_ok": [None, None, 0, 1, 1],
        "door_open": [None, 0, 0, 1, 2],
    },
}  # fmt: skip


@st.composite
def days(draw: st.DrawFn, most: int = 60) -> tuple[Device, list[Sent]]:
    """Readings of a device in order. Values stay for a while or for long, so that delays run out."""
    kind = draw(st.sampled_from(sorted(DEVICES)))
    steps_s = st.sampled_from([0.001, 1, 60, 299.999, 300, 600, 600, 900, 1800, 3600, 20_000])
    at_ms = draw(st.integers(0, 999))
    sent: list[Sent] = []
    values: dict[str, float | None] = {}
    others = st.sampled_from([True, *[False] * draw(st.sampled_from([1, 1, 9]))])
    for _ in range(draw(st.integers(1, most))):
        if not values or draw(others):
            values = {name: draw(st.sampled_from(given)) for name, given in VALUES[kind].items()}
        sent.append(Sent(at_ms, values))
        at_ms += round(1000 * draw(steps_s))
    return DEVICES[kind], sent


@st.composite
def arrivals(draw: st.DrawFn, most: int = 40) -> tuple[Device, list[Sent], list[int]]:
    """The same out of order, some of it twice, some of it in one message; and the number of each one's message."""
    device, sent = draw(days(most))
    match draw(st.sampled_from(["swapped", "newest first", "live first", "any"])):
        case "swapped":
            late = [i + draw(st.sampled_from([0, 0, 0, 1.5, 2.5, 5.5])) for i in range(len(sent))]
            sent = [sent[i] for i in sorted(range(len(sent)), key=late.__getitem__)]
        case "newest first":
            begin, end = sorted((draw(st.integers(0, len(sent))), draw(st.integers(0, len(sent)))))
            sent[begin:end] = sent[begin:end][::-1]
        case "live first":
            begin, end = sorted((draw(st.integers(0, len(sent))), draw(st.integers(0, len(sent)))))
            sent = [*sent[:begin], *draw(st.permutations([*sent[end:][:3]])), *sent[begin:end], *sent[end:][3:]]
        case _:
            sent = draw(st.permutations(sent[:9]))
    for _ in range(draw(st.integers(0, 2))):
        again = draw(st.sampled_from(sent))
        other = draw(st.sampled_from(sent)).values
        at = draw(st.integers(sent.index(again) + 1, len(sent)))
        sent.insert(at, draw(st.sampled_from([again, again._replace(values=other)])))
    alone = draw(st.lists(st.sampled_from([True, True, True, False]), min_size=len(sent), max_size=len(sent)))
    return device, sent, np.cumsum(alone).tolist()


cuts = st.sets(st.integers(0, 60))
clocks: st.SearchStrategy[Clock] = st.sampled_from(["past", "live"])


@given(days(), cuts, clocks, st.booleans())
def test_in_order_the_oracle_says_exactly_what_the_engine_does(
    day: tuple[Device, list[Sent]], at: set[int], clock: Clock, checked: bool
) -> None:
    device, sent = day
    packets = received(device, sent, clock)
    expected = [each for each in expected_of(device, sent, clock, checked=checked) if each.rule != "stale"]
    assert alerts_of(device, packets, at, clock, checked=checked) == expected
    assert alerts_of(device, packets, range(len(packets)), clock, checked=checked) == expected


def batches(message: Sequence[int], at: set[int]) -> list[int]:
    """Places at which a batch may end: never within a message."""
    return [cut for cut in at if 0 < cut < len(message) and message[cut - 1] != message[cut]]


@given(arrivals(), cuts, clocks, st.booleans())
def test_out_of_order_every_batching_satisfies_the_oracle(
    day: tuple[Device, list[Sent], list[int]], at: set[int], clock: Clock, checked: bool
) -> None:
    device, sent, message = day
    packets = received(device, sent, clock)
    try:
        expected = [each for each in expected_of(device, sent, clock, message, checked=checked) if each.rule != "stale"]
    except EntangledError:
        assume(False)
    everywhere = set(range(len(sent)))
    for chosen in (at, everywhere, everywhere - at, set[int]()):
        found = alerts_of(device, packets, batches(message, chosen), clock, checked=checked)
        assert unmatched(expected, found) == [], (expected, found)


@given(arrivals(most=7))
def test_what_may_happen_does_in_some_batching_and_what_must_in_all(
    day: tuple[Device, list[Sent], list[int]],
) -> None:
    """The oracle is no wider than it has to be."""
    device, sent, message = day
    packets = received(device, sent, "past")
    expected = expected_of(device, sent, "past", message)
    places = batches(message, set(range(len(sent))))
    found = [
        alerts_of(device, packets, [place for n, place in enumerate(places) if chosen >> n & 1], "past")
        for chosen in range(2 ** len(places))
    ]
    for alerts in found:
        assert unmatched(expected, alerts) == []
    for one in expected:
        seen = [any(fits(one, each) for each in alerts) for alerts in found]
        assert any(seen), one
        if not one.must and one.tolerance_s == 0:
            assert not all(seen), one


@given(days(), st.data())
def test_silence_is_found_where_it_is_expected(day: tuple[Device, list[Sent]], data: st.DataObject) -> None:
    device, sent = day
    late = [i + data.draw(st.sampled_from([0, 0, 0, 1.5, 2.5])) for i in range(len(sent))]
    sent = [sent[i] for i in sorted(range(len(sent)), key=late.__getitem__)]
    packets = received(device, sent, "live")
    end_ms = epoch_ms(packets[-1].received_at) + data.draw(st.sampled_from([0, 1_000_000, 20_000_000]))
    expected = expected_alerts(device, series_of(device, sent), "live", end_ms)
    apart = [i for i in range(1, len(packets)) if packets[i].received_at > packets[i - 1].received_at]
    for at in (apart, range(len(packets))):  # what is received at one moment may come together
        found = alerts_of(device, packets, at, "live", end_ms)
        assert unmatched(expected, found) == [], (expected, found)
