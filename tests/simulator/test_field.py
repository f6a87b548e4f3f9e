"""The field: the same packets however time is cut, in order of sending, and nothing measured is ever forgotten."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.field import Packet
from simulator.items import Item
from simulator.plan import Plan
from simulator.truth.folder import OUTCOMES
from tests.simulator.offline import HOUR_MS, accounted, every, played, shipped_plan, windows, written_plan

SPAN_H = 11.0
SPAN_MS = round(SPAN_H * HOUR_MS)


@cache
def dirty(seed: int = 1) -> Plan:
    """The first hours of data-kotor: every kind of fault has begun, some devices are still cut off at the end."""
    return shipped_plan("data-kotor", seed, hours=SPAN_H)


def wire(packets: list[Packet]) -> list[tuple[object, ...]]:
    return [(p.send_ms, p.device_id, p.topic, p.payload, p.reason, p.faults) for p in packets]


def told(items: list[Item]) -> list[tuple[object, ...]]:
    return [(i.device, i.at_ms, i.ts_ms, i.seq, i.boot, i.fields, i.faults, i.values, i.qc) for i in items]


@cache
def whole(seed: int = 1) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    run = played(dirty(seed))
    return wire(run.packets), told(run.lost)


class TestWindows:
    @settings(max_examples=6)
    @given(st.lists(st.integers(1, SPAN_MS - 1), max_size=6))
    def test_however_they_are_cut_the_packets_are_the_same(self, cuts: list[int]) -> None:
        run = played(dirty(), cuts)
        assert (wire(run.packets), told(run.lost)) == whole()

    def test_nor_do_short_ones_change_anything(self) -> None:
        run = played(dirty(2), range(60_000, SPAN_MS, 427_000))
        assert (wire(run.packets), told(run.lost)) == whole(2)

    def test_a_window_holds_what_is_due_in_it_in_order_of_sending(self) -> None:
        plan = dirty()
        edges = [0, *every(0.5, plan), SPAN_MS]
        *inside, rest = windows(plan, edges[1:-1])
        for (t0, t1), window in zip(pairwise(edges), inside, strict=True):
            due = [packet.send_ms - plan.start_ms for packet in window.packets]
            assert due == sorted(due)
            assert all(t0 <= at < t1 for at in due)
            assert all(t0 <= item.at_ms - plan.start_ms < t1 for item in window.lost)
        assert all(packet.send_ms >= plan.end_ms for packet in rest.packets)

    def test_of_no_length_are_empty(self) -> None:
        plan = dirty()
        first, *_ = windows(plan, [0])
        assert (first.packets, first.lost) == ([], [])


def test_another_seed_is_another_day() -> None:
    assert whole(1) != whole(2)


class TestAtTheEnd:
    def test_what_is_still_held_back_is_sent(self) -> None:
        tables = '[[fault]]\nfault = "backfill"\nkind = "streetlight"\nfrom_h = 2\nuntil_h = 30\n'
        *_, rest = windows(written_plan(tables, hours=6))
        run = played(written_plan(tables, hours=6))
        kept = {(i.device, i.seq) for i in run.of("streetlight") if "backfill" in i.faults}
        assert {(item.device, item.seq) for packet in rest.packets for item in packet.items} == kept
        assert len(run.items) == len(played(written_plan(hours=6)).items)

    def test_so_is_what_is_overtaken_or_sent_again(self) -> None:
        tables = '[[fault]]\nfault = "reorder"\nchance = 1\n[[fault]]\nfault = "duplicate"\nchance = 1\n'
        run, clean = played(written_plan(tables, hours=1)), played(written_plan(hours=1))
        assert len(run.packets) == 2 * len(clean.packets)
        assert run.items.keys() == clean.items.keys()


class TestTrip:
    TRIP = '[[trip]]\npanel = "P-01"\nfrom_h = 19.2\nuntil_h = 21.1\n'

    def test_a_last_report_at_0_v_then_silence_then_a_new_boot(self) -> None:
        plan = written_plan(self.TRIP, panels=(8, 8))
        run = played(plan, every(5, plan))
        begin, end = plan.start_ms + round(19.2 * HOUR_MS), plan.start_ms + round(21.1 * HOUR_MS)
        fed = {i for i, d in enumerate(plan.fleet) if str(d.attributes.get("panel")).endswith("P-01")}
        assert len(fed) == 8
        for i, device in enumerate(plan.fleet):
            own = sorted((p.items[0] for p in run.packets if p.device == i), key=lambda item: item.at_ms)
            assert len({item.boot for item in own}) == (2 if i in fed else 1)
            if i not in fed:
                assert [item.seq for item in own] == list(range(len(own)))
                continue
            before, after = [item for item in own if item.at_ms <= begin], [item for item in own if item.at_ms >= end]
            assert len(before) + len(after) == len(own), f"{device.id} says nothing without mains"
            last = before[-1]
            assert (last.at_ms, last.fields["voltage_v"], last.fields["power_w"]) == (begin, 0.0, 0.0)
            assert before[-2].fields["voltage_v"] > 180
            assert [item.seq for item in before] == list(range(len(before)))
            assert [item.seq for item in after] == list(range(len(after)))
            assert {item.boot for item in before}.isdisjoint({item.boot for item in after})
            assert after[0].at_ms < end + 900_000
            assert after[0].fields["voltage_v"] > 180

    def test_a_second_trip_is_a_third_boot(self) -> None:
        again = '[[trip]]\npanel = "P-01"\nfrom_h = 22\nuntil_h = 22.5\n'
        run = played(written_plan(self.TRIP + again, gauges=0, detectors=0, panels=(4,)))
        assert {len({item.boot for item in run.of("streetlight") if item.device == i}) for i in range(4)} == {3}


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_was_measured_is_told_exactly_once(seed: int) -> None:
    """A reading is told once for every packet that a server can read it in; one that is in none, once as not sent."""
    plan = dirty(seed)
    found = accounted(plan, every(3, plan))
    rows = found.rows
    ids = {device.id: number for number, device in enumerate(plan.fleet)}
    measured = {(r.device, r.ts_ms) for r in plan.city.readings(plan.start_ms, plan.end_ms)}
    readable = Counter((i.device, i.at_ms) for packet, _ in found.packets if not packet.reason for i in packet.items)
    of_readings = Counter((ids[row.device_id], row.at_ms) for row in rows if row.seq is not None)
    assert of_readings.keys() == measured
    assert of_readings == {place: readable[place] or 1 for place in measured}
    of_packets = [row for row in rows if row.seq is None]
    assert len(of_packets) == sum(bool(packet.reason) for packet, _ in found.packets)
    not_sent = {(ids[row.device_id], row.at_ms) for row in rows if row.outcome == "not_sent"}
    assert not_sent == measured - readable.keys()
    assert {row.outcome for row in rows} == set(OUTCOMES), "a day of everything"
    for number, (_, tolds) in enumerate(found.packets):
        assert {row.message for row in tolds if row.outcome != "not_sent"} == {number}
