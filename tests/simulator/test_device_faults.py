"""Faults of clocks, memories and sensors: each does what it says. test_faults.py sees that none is left out."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest

from devices.kinds import KINDS
from devices.payload import decode
from simulator.faults.values import COUNTERS, NOISE, SPAN
from tests.simulator.faulty import changed, difference, fault, field_with, hours_in, measured, touched
from tests.simulator.offline import HOUR_MS


class TestReboot:
    def test_begins_new_boots_that_count_from_0(self) -> None:
        run = field_with(fault("reboot", times=3, share=0.5))
        boots: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for packet in run.packets:
            (item,) = packet.items
            boots[item.device][item.boot].append(item.seq)
        numbers = [len(own) for own in boots.values()]
        assert sum(number > 1 for number in numbers) == round(0.5 * len(boots))
        assert max(numbers) == 4
        for own in boots.values():
            for seqs in own.values():
                assert seqs == list(range(len(seqs)))
        assert len({boot for own in boots.values() for boot in own}) == sum(numbers), "no two boots have the same id"
        assert len(touched(run, "reboot")) == sum(numbers) - len(boots), "the first reading of each is marked"

    def test_in_its_hours(self) -> None:
        run = field_with(fault("reboot", from_h=5, until_h=6))
        assert len(touched(run, "reboot")) == len(run.plan.fleet)
        for item in touched(run, "reboot").values():
            assert 5 <= hours_in(run, item) < 6 + 0.25  # the next report after it


class TestCounterReset:
    def test_counters_of_lamps_count_from_0_again(self) -> None:
        run = field_with(fault("counter_reset", from_h=9))
        clean = field_with().items
        assert changed(run).keys() <= set(COUNTERS)
        for device in {item.device for item in run.of("streetlight")}:
            own = [item for item in run.of("streetlight") if item.device == device]
            after = [item for item in own if hours_in(run, item) >= 9]
            assert all("counter_reset" in item.faults for item in after)
            assert after[0].fields["energy_wh"] < 50, "W.h within the first quarter of an hour"
            for name in COUNTERS:
                grown = [b.fields[name] - a.fields[name] for a, b in pairwise(after)]
                as_ever = [
                    clean[b.device, b.boot, b.seq].fields[name] - clean[a.device, a.boot, a.seq].fields[name]
                    for a, b in pairwise(after)
                ]
                assert min(grown) >= 0
                assert grown == pytest.approx(as_ever, abs=0.011)


class TestClockSkew:
    def test_everyday_clocks_are_some_seconds_off_and_drift(self) -> None:
        run = field_with(fault("clock_skew"))
        assert run.items.keys() == field_with().items.keys()
        off = defaultdict(list)
        for item in run.items.values():
            off[item.device].append((item.at_ms, item.ts_ms - item.at_ms))
        first = np.array([own[0][1] for own in off.values()])
        assert np.abs(first).max() <= 15_000 + 100
        assert 2_000 < first.std() < 8_000
        for own in off.values():
            (begin, a), (end, b) = own[0], own[-1]
            assert b - a == pytest.approx(20e-6 * (end - begin), abs=2)

    def test_local_time_told_as_utc_is_seven_hours_ahead(self) -> None:
        run = field_with(fault("clock_skew", offset_s=25_200, spread_s=0, drift_ppm=0, from_h=1), 3)
        for item in run.items.values():
            assert item.ts_ms - item.at_ms == (25_200_000 if hours_in(run, item) >= 1 else 0)

    def test_the_wire_says_what_the_clock_says(self) -> None:
        run = field_with(fault("clock_skew", offset_s=25_200), 3)
        for packet in run.packets[::5]:
            (item,) = decode(KINDS[run.plan.fleet[packet.device].kind], packet.payload).items
            ts = item["ts"]
            assert (ts if isinstance(ts, int) else round(ts.timestamp() * 1000)) == packet.items[0].ts_ms
            assert packet.send_ms == packet.items[0].at_ms, "it is sent when it was measured all the same"


class TestClockLost:
    def test_counts_from_1970(self) -> None:
        run = field_with(fault("clock_lost", from_h=2, until_h=3), 6)
        lost = touched(run, "clock_lost")
        assert lost
        for item in lost.values():
            assert item.ts_ms == item.at_ms - (run.plan.start_ms + 2 * HOUR_MS)
            assert 0 <= item.ts_ms < HOUR_MS


# -- of the sensor ---------------------------------------------------------------------------------------------------


class TestSpike:
    def test_one_in_a_thousand_jumps(self) -> None:
        run = field_with(fault("spike"), 72)
        assert len(touched(run, "spike")) / len(run.items) == pytest.approx(0.001, abs=0.0007)

    def test_by_half_to_three_times_the_usual_span_and_a_distance_shrinks(self) -> None:
        run = field_with(fault("spike", chance=0.05))
        hit, names = touched(run, "spike"), set()
        for key, item in hit.items():
            name, sign = measured(run, item)
            if item.fields[name] not in (None, 0.0):  # nothing on the road; a distance that would be below nothing
                by = sign * difference(run, key, name) / SPAN[name]
                assert 0.5 - 1e-3 <= by <= 3 + 1e-3
                names.add(name)
        assert names == {"level_m", "distance_m", "power_w", "speed_kmh"}
        moved = changed(run)
        assert moved.keys() == names
        assert set().union(*moved.values()) <= hit.keys()


class TestStuck:
    def test_a_gauge_repeats_its_level_while_its_rain_bucket_goes_on(self) -> None:
        rain = "[[storm]]\nat_h = 4\nhours = 4\ndepth_mm = 120\n"
        run = field_with(rain + fault("stuck", kind="water_level", from_h=6, until_h=12))
        for i, device in enumerate(run.plan.fleet):
            if device.kind == "water_level":
                own = [item for item in run.of("water_level") if item.device == i]
                name, _ = measured(run, own[0])
                held = {item.fields[name] for item in own if 6 <= hours_in(run, item) < 12}
                assert len(held) == 1
                assert len({item.fields[name] for item in own}) > 20
        wet = [item.fields["rain_mm"] for item in run.of("water_level") if "stuck" in item.faults]
        assert len(set(wet)) > 3

    @pytest.mark.parametrize("kind", ["streetlight", "traffic"])
    def test_of_a_lamp_or_a_detector_everything_stands_still(self, kind: str) -> None:
        run = field_with(fault("stuck", kind=kind, from_h=16, until_h=20))
        held: dict[int, set[str]] = defaultdict(set)
        for item in run.of(kind):
            if 16 <= hours_in(run, item) < 20:
                held[item.device].add(repr([v for n, v in item.fields.items() if n not in ("ts", "seq", "boot")]))
                assert "stuck" in item.faults
        assert held
        assert {len(values) for values in held.values()} == {1}


class TestBlind:
    def test_a_detector_sees_an_empty_road(self) -> None:
        run = field_with(fault("blind", from_h=8, until_h=12))
        clean = field_with().items
        hit = touched(run, "blind")
        assert {run.plan.fleet[item.device].kind for item in hit.values()} == {"traffic"}
        for key, item in hit.items():
            assert 8 <= hours_in(run, item) < 12
            told = {name: item.fields[name] for name in ("count", "speed_kmh", "headway_s", "occupancy_pct")}
            assert told == {"count": 0, "speed_kmh": None, "headway_s": None, "occupancy_pct": 0}
            assert item.fields["period_s"] == clean[key].fields["period_s"]
        assert {key for keys in changed(run).values() for key in keys} <= hit.keys()


class TestDrift:
    def test_a_level_drifts_by_millimetres_a_day_and_the_rest_by_percents(self) -> None:
        run = field_with(fault("drift", level_mm_per_day=48, pct_per_day=10))
        clean = field_with().items
        assert changed(run).keys() <= {"level_m", "distance_m", "power_w", "speed_kmh"}
        for key, item in run.items.items():
            name, sign = measured(run, item)
            if item.fields[name] is not None:
                gone = hours_in(run, item) / 24
                wanted = gone * 0.048 if name in ("level_m", "distance_m") else gone * 0.1 * clean[key].fields[name]
                assert sign * difference(run, key, name) == pytest.approx(wanted, abs=0.0011)

    def test_by_default_slowly(self) -> None:
        run = field_with(fault("drift", kind="water_level"))
        last = max(run.of("water_level"), key=lambda item: item.at_ms)
        name, sign = measured(run, last)
        assert sign * difference(run, (last.device, last.boot, last.seq), name) == pytest.approx(0.003, abs=0.0011)


class TestDatumShift:
    def test_a_gauge_stands_higher_from_then_on(self) -> None:
        run = field_with(fault("datum_shift", from_h=12))
        assert changed(run).keys() == {"level_m", "distance_m"}
        for key, item in run.items.items():
            if run.plan.fleet[item.device].kind == "water_level":
                name, sign = measured(run, item)
                wanted = 0.15 if hours_in(run, item) >= 12 else 0.0
                assert sign * difference(run, key, name) == pytest.approx(wanted, abs=1e-6)
                assert ("datum_shift" in item.faults) == (wanted > 0)


class TestNoiseBurst:
    def test_noise_is_ten_times_as_strong_and_without_bias(self) -> None:
        run = field_with(fault("noise_burst"))
        assert changed(run).keys() <= {"level_m", "distance_m", "power_w", "speed_kmh"}
        shaken = defaultdict(list)
        for key, item in run.items.items():
            name, _ = measured(run, item)
            if item.fields[name]:  # not below 0
                shaken[name].append(difference(run, key, name) / NOISE[name])
        for name, sizes in shaken.items():
            assert 3 < np.abs(sizes).max() <= 40.1
            if name in ("level_m", "distance_m"):  # power and speed cannot go below 0
                assert np.std(sizes) == pytest.approx(10, rel=0.1), name
                assert abs(np.mean(sizes)) < 1, name

    def test_in_its_spells_only(self) -> None:
        run = field_with(fault("noise_burst", devices="wl-pulau-rakyat", from_h=3, until_h=7))
        hit = touched(run, "noise_burst")
        assert {run.plan.names[item.device] for item in hit.values()} == {"wl-pulau-rakyat"}
        assert changed(run)["distance_m"] <= hit.keys()
        assert all(3 <= hours_in(run, item) < 7 for item in hit.values())
        assert len(hit) == 4 * 6


class TestSentinel:
    def test_a_number_nothing_or_words_instead_of_a_measurement(self) -> None:
        run = field_with(fault("sentinel", chance=0.05))
        hit = touched(run, "sentinel")
        assert len(hit) / len(run.items) == pytest.approx(0.05, abs=0.01)
        told = set()
        for item in hit.values():
            name, _ = measured(run, item)
            told.add(item.fields[name])
            assert item.unreadable == (item.fields[name] == "No Sensor")
        assert told == {0.0, 65535.0, -9999.0, "No Sensor", None}
        assert set().union(*changed(run).values()) <= hit.keys()

    def test_words_cannot_be_decoded_and_numbers_are_out_of_range(self) -> None:
        run = field_with(fault("sentinel", chance=1, values=["No Sensor"]), 1)
        for packet in run.packets:
            kind = KINDS[run.plan.fleet[packet.device].kind]
            (bad,) = decode(kind, packet.payload).bad
            assert "should be a valid number" in bad.why
        for value in (65535.0, -9999.0):
            run = field_with(fault("sentinel", chance=1, values=[value]), 1)
            assert {item.qc for item in run.items.values()} == {4}

    def test_two_in_a_thousand(self) -> None:
        run = field_with(fault("sentinel"), 72)
        assert len(touched(run, "sentinel")) / len(run.items) == pytest.approx(0.002, abs=0.001)
