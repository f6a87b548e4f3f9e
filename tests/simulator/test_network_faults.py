"""Faults between a device and the broker: each does what it says. test_faults.py sees that none is left out."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from devices.kinds import KINDS
from devices.payload import decode
from simulator.city import City
from simulator.faults.fault import DAY_MS, Scope
from simulator.faults.network import DAMAGES, Backfill, Dropout, damaged
from simulator.field import Packet
from simulator.fleet import make_fleet
from simulator.truth.account import Limits
from tests.simulator.faulty import fault, field_with, hours_in, measured, packets_with, touched
from tests.simulator.field import wib
from tests.simulator.offline import HOUR_MS, played, written_plan


class TestDropout:
    def test_loses_about_4_percent_in_bursts(self) -> None:
        fleet = make_fleet(200, 1)
        city = City(fleet, 1, wib(0))
        dropout = Dropout()
        scope = Scope.of(dropout, 0, city, [d.id for d in fleet], city.start_ms + DAY_MS)
        reports = 1000
        at_ms = np.repeat(city.start_ms + np.arange(reports) * 8_000, len(fleet))
        device = np.tile(np.arange(len(fleet)), reports)
        lost = dropout.lost(scope, device, at_ms, np.zeros(len(fleet), dtype=np.bool_)).reshape(reports, len(fleet))
        assert 0.03 < lost.mean() < 0.05
        begun = lost[1:] & ~lost[:-1]
        assert begun.sum() == pytest.approx(0.002 * lost.size, rel=0.2)
        assert lost.sum() / begun.sum() == pytest.approx(20, rel=0.2)  # 1 / leave reports

    def test_what_is_lost_is_never_sent_and_leaves_gaps_in_seq(self) -> None:
        run, clean = field_with(fault("dropout", enter=0.02)), field_with().items
        lost = {(item.device, item.boot, item.seq): item for item in run.lost}
        assert lost
        assert lost.keys() | run.items.keys() == clean.keys()
        assert not lost.keys() & run.items.keys()
        assert all(item.faults == ["dropout"] for item in run.lost)


class TestDuplicate:
    def test_one_in_a_hundred_is_sent_twice(self) -> None:
        run = field_with(fault("duplicate"))
        again = len(packets_with(run, "duplicate"))
        assert again / len(field_with().packets) == pytest.approx(0.01, abs=0.004)

    def test_the_same_bytes_come_again_within_30_s(self) -> None:
        run = field_with(fault("duplicate", chance=1), 3)
        sent: dict[bytes, list[int]] = defaultdict(list)
        for packet in run.packets:
            sent[packet.topic.encode() + packet.payload].append(packet.send_ms)
        assert {len(times) for times in sent.values()} == {2}
        late = np.array([again - first for first, again in sent.values()])
        assert late.min() > 0
        assert late.max() <= 30_001
        assert late.mean() == pytest.approx(15_000, rel=0.1)


class TestReorder:
    def test_4_in_a_hundred_are_overtaken_by_2_to_5_others(self) -> None:
        run = field_with(fault("reorder"))
        assert run.items.keys() == field_with().items.keys()
        assert len(touched(run, "reorder")) / len(run.items) == pytest.approx(0.04, abs=0.01)
        for i in range(len(run.plan.fleet)):
            order = [packet.items[0] for packet in run.packets if packet.device == i]
            last = max(item.seq for item in order)
            for at, item in enumerate(order):
                if "reorder" in item.faults and item.seq < last - 5:
                    overtaken_by = {other.seq for other in order[:at] if "reorder" not in other.faults}
                    others = overtaken_by & set(range(item.seq + 1, item.seq + 6))
                    delayed = {o.seq for o in order if "reorder" in o.faults} & set(range(item.seq + 1, item.seq + 6))
                    assert len(others | delayed) >= 2
                    assert not overtaken_by & set(range(item.seq + 6, last)), "by five at most"


class TestBackfill:
    def test_what_is_measured_while_cut_off_comes_in_arrays_oldest_first(self) -> None:
        run = field_with(fault("backfill", kind="traffic", from_h=2, until_h=10))
        assert run.items.keys() == field_with().items.keys()
        back = run.plan.start_ms + 10 * HOUR_MS
        for packet in run.packets:
            inside = [2 <= hours_in(run, item) < 10 for item in packet.items]
            if run.plan.fleet[packet.device].kind == "traffic" and any(inside):
                assert all(inside)
                assert len(packet.items) <= 50
                assert back <= packet.send_ms <= back + 300_000
            else:
                assert len(packet.items) == 1
                assert packet.send_ms == packet.items[0].at_ms
        for i, device in enumerate(run.plan.fleet):
            if device.kind == "traffic":
                parts = [p.items for p in run.packets if p.device == i and len(p.items) > 1]
                assert [len(part) for part in parts] == [50, 46]  # 8 h of 5 min
                kept = [item.at_ms for part in parts for item in part]
                assert kept == sorted(kept)

    def test_or_newest_first_in_arrays_of_another_size(self) -> None:
        run = field_with(fault("backfill", kind="water_level", until_h=4, order="newest", per_message=7, spread_s=0))
        for i, device in enumerate(run.plan.fleet):
            if device.kind == "water_level":
                parts = [p for p in run.packets if p.device == i and "backfill" in p.items[0].faults]
                assert [len(part.items) for part in parts] == [7, 7, 7, 3]
                assert {part.send_ms for part in parts} == {run.plan.start_ms + 4 * HOUR_MS}
                kept = [item.at_ms for part in parts for item in part.items]
                assert kept == sorted(kept, reverse=True)

    def test_arrays_of_any_size_allowed_are_within_what_a_server_takes_in(self) -> None:
        run = played(
            written_plan(fault("backfill", until_h=500, per_message=1000), hours=504, panels=(2,), detectors=1)
        )
        most = {run.plan.fleet[p.device].kind: len(p.payload) for p in run.packets if len(p.items) == 1000}
        assert most.keys() == {"streetlight", "water_level", "traffic"}
        assert max(most.values()) < Limits().payload_max_bytes

    def test_spells_of_a_device_end_and_are_sent_each_by_itself(self) -> None:
        run = field_with(fault("backfill", kind="streetlight", per_day=1, hours=[1, 3], spread_s=0), 72)
        assert run.items.keys() == field_with(hours=72).items.keys()
        for packet in run.packets:
            if len(packet.items) > 1:
                assert packet.items[-1].at_ms < packet.send_ms <= packet.items[0].at_ms + 3 * HOUR_MS

    def test_defaults_are_a_long_absence_and_a_slow_return(self) -> None:
        assert (Backfill().hours, Backfill().spread_s, Backfill().per_message) == ((1 / 6, 72.0), 300.0, 50)


class TestReconnectStorm:
    def test_everybody_flushes_within_30_s_oldest_first(self) -> None:
        run = field_with(fault("reconnect_storm", from_h=1.5, until_h=9.5))
        assert run.items.keys() == field_with().items.keys()
        back = run.plan.start_ms + round(9.5 * HOUR_MS)
        storm = [packet for packet in run.packets if "reconnect_storm" in packet.items[0].faults]
        assert not [p for p in run.packets if run.plan.start_ms + 1.5 * HOUR_MS <= p.send_ms < back]
        assert {packet.device for packet in storm} == set(range(len(run.plan.fleet)))
        assert all(back <= packet.send_ms <= back + 30_000 for packet in storm)
        assert max(len(packet.items) for packet in storm) == 50
        for i in range(len(run.plan.fleet)):
            kept = [item.at_ms for packet in storm if packet.device == i for item in packet.items]
            assert kept == sorted(kept)
            assert len({packet.send_ms for packet in storm if packet.device == i}) == 1
        sent = np.array([packet.send_ms - back for packet in storm])
        assert sent.mean() == pytest.approx(15_000, rel=0.3), "spread over the 30 s"


class TestConflict:
    def test_a_second_reading_with_other_values_follows_a_second_later(self) -> None:
        run = field_with(fault("conflict", chance=0.05), 6)
        others = packets_with(run, "conflict")
        assert len(others) / len(field_with(hours=6).packets) == pytest.approx(0.05, abs=0.02)
        places = {(packet.device, packet.items[0].ts_ms) for packet in others}
        pairs: dict[tuple[int, int], list[Packet]] = defaultdict(list)
        for packet in run.packets:
            if (place := (packet.device, packet.items[0].ts_ms)) in places:
                pairs[place].append(packet)
        for first, second in pairs.values():
            assert second.send_ms == first.send_ms + 1_000
            (mine,), (other,) = first.items, second.items
            differ = {name for name in mine.fields if mine.fields[name] != other.fields[name]}
            if other.values != mine.values:
                name, _ = measured(run, mine)
                assert differ == {name}
                assert other.fields[name] - mine.fields[name] == pytest.approx(0.25)
            else:
                assert mine.fields["speed_kmh"] is None, "only a detector without vehicles has nothing else to say"


class TestMalformed:
    def test_one_in_a_thousand_cannot_be_decoded(self) -> None:
        run = field_with(fault("malformed", chance=0.02))
        spoilt = packets_with(run, "malformed")
        assert len(spoilt) / len(run.packets) == pytest.approx(0.02, abs=0.006)
        for packet in spoilt:
            assert packet.reason == "malformed"
            kind = KINDS[run.plan.fleet[packet.device].kind]
            decoded = decode(kind, packet.payload)
            assert decoded.items == []
            assert len(decoded.bad) == 1
        texts = [packet.payload for packet in spoilt]
        assert any(text.startswith(b"ERR") for text in texts)
        assert any(b"kemarin" in text for text in texts)
        assert any(b"2,69" in text for text in texts)
        assert any(not text.endswith(b"}") and text.startswith(b"{") for text in texts)

    @pytest.mark.parametrize("way", DAMAGES)
    @pytest.mark.parametrize("kind", sorted(KINDS))
    def test_every_way_spoils_every_kind(self, way: Any, kind: str) -> None:
        for item in field_with(hours=6).of(kind)[::7]:
            decoded = decode(KINDS[kind], damaged(way, [item.fields]))
            assert (decoded.items, len(decoded.bad)) == ([], 1)
            assert decoded.bad[0].why

    def test_what_is_not_spoilt_is_readable(self) -> None:
        run = field_with(fault("malformed", chance=0.02))
        for packet in run.packets:
            if not packet.reason:
                assert decode(KINDS[run.plan.fleet[packet.device].kind], packet.payload).bad == ()


class TestOversized:
    def test_is_larger_than_a_server_takes_in_and_less_than_a_broker_does(self) -> None:
        run = field_with(fault("oversized", chance=0.01), 6)
        large = packets_with(run, "oversized")
        assert large
        for packet in large:
            assert packet.reason == "too_large"
            assert Limits().payload_max_bytes < 300_000 <= len(packet.payload) < 1_000_000
            assert decode(KINDS[run.plan.fleet[packet.device].kind], packet.payload).bad == (), (
                "but for its size, sound"
            )


class TestUnknownDevice:
    def test_a_stranger_sends_beside_a_registered_device(self) -> None:
        run = field_with(fault("unknown_device", chance=0.05), 6)
        ids = {device.id for device in run.plan.fleet}
        strangers = [packet for packet in run.packets if packet.reason == "unknown_device"]
        assert len(strangers) / len(ids) > 0.5
        for packet in strangers:
            assert packet.device_id not in ids
            assert packet.topic == f"siaga/v1/12.09/{packet.device_id}/readings"
            assert packet.items == ()
        assert run.items.keys() == field_with(hours=6).items.keys(), "nothing of ours is touched"


class TestWrongIdentity:
    @pytest.mark.parametrize(("region", "told"), [("12.08", "12.08"), ("12.09", "12.08"), ("31", "31")])
    def test_publishes_under_another_region(self, region: str, told: str) -> None:
        run = field_with(fault("wrong_identity", chance=0.05, region=region), 3)
        found = [packet for packet in run.packets if packet.reason]
        assert found
        for packet in found:
            assert packet.reason == "identity_mismatch"
            assert packet.topic == f"siaga/v1/{told}/{packet.device_id}/readings"
            assert packet.device_id == run.plan.fleet[packet.device].id

    def test_a_packet_that_is_also_too_large_is_refused_for_that(self) -> None:
        tables = fault("oversized", chance=1) + fault("wrong_identity", chance=1) + fault("unknown_device", chance=1)
        assert {packet.reason for packet in field_with(tables, 1).packets} == {"too_large"}
