"""The city as a whole: a pure function of fleet, seed and start, and never out of its sensors' ranges."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.engine import Engine, evaluate
from alerts.rule import shipped
from devices.device import Device
from devices.fleet import Fleet
from devices.payload import encode
from devices.quality import Quality
from simulator.city import City, Happenings, Reading
from simulator.fleet import make_fleet
from tests.simulator.field import DAY_S, through_ingest, wib

SMALL = make_fleet(40, 1)
SPAN_MS = 15 * 60_000


def city(seed: int = 1, start: float = wib(19), devices: list[Device] = SMALL) -> City:
    return City(devices, seed, start)


@pytest.fixture(scope="module")
def whole() -> list[Reading]:
    """A quarter of an hour in one window."""
    made = city()
    return made.readings(made.start_ms, made.start_ms + SPAN_MS)


class TestSameSeed:
    def test_gives_the_same_readings(self, whole: list[Reading]) -> None:
        again = city()
        assert again.readings(again.start_ms, again.start_ms + SPAN_MS) == whole

    @settings(max_examples=6)
    @given(st.lists(st.integers(1, SPAN_MS - 1), max_size=8))
    def test_gives_the_same_readings_however_time_is_cut(self, whole: list[Reading], cuts: list[int]) -> None:
        made = city()
        edges = [made.start_ms + x for x in (0, *sorted(cuts), SPAN_MS)]
        parts = [made.readings(a, b) for a, b in pairwise(edges)]
        assert [reading for part in parts for reading in part] == whole

    def test_gives_the_same_readings_in_whatever_order_they_are_asked_for(self, whole: list[Reading]) -> None:
        made = city()
        middle = made.start_ms + SPAN_MS // 2
        after = made.readings(middle, made.start_ms + SPAN_MS)
        assert made.readings(made.start_ms, middle) + after == whole

    def test_gives_the_same_rain_in_long_and_short_windows(self) -> None:
        """A tipping bucket that went on from storms before the window would tip differently in each."""
        gauges = [device for device in SMALL if device.kind == "water_level"]
        made = City(gauges, 1, wib(0), rate=7 / 600, happenings=Happenings(opening=False))
        begin, end = made.start_ms, made.start_ms + 9 * DAY_S * 1000
        long = [r.fields["rain_mm"] for r in made.readings(begin, end)]
        short = [
            r.fields["rain_mm"]
            for at in range(begin, end, DAY_S * 250)
            for r in made.readings(at, min(at + DAY_S * 250, end))
        ]
        assert sum(long) > 20, "nine wet days"
        assert short == long


def test_another_seed_differs(whole: list[Reading]) -> None:
    made = city(seed=2)
    other = made.readings(made.start_ms, made.start_ms + SPAN_MS)
    assert [(r.device, r.ts_ms) for r in other] == [(r.device, r.ts_ms) for r in whole], (
        "pace does not hang on the seed"
    )
    assert sum(a.fields == b.fields for a, b in zip(other, whole, strict=True)) < len(whole) / 20


def test_readings_are_in_order_of_time_and_within_the_window(whole: list[Reading]) -> None:
    ts = np.array([r.ts_ms for r in whole])
    begin = city().start_ms
    assert (np.diff(ts) >= 0).all()
    assert begin <= ts[0]
    assert ts[-1] < begin + SPAN_MS


def test_seq_counts_up_from_0_within_one_boot(whole: list[Reading]) -> None:
    for i in range(len(SMALL)):
        own = [r.fields for r in whole if r.device == i]
        assert [fields["seq"] for fields in own] == list(range(len(own)))
        assert len({fields["boot"] for fields in own}) == 1


def test_a_run_that_starts_later_is_another_boot() -> None:
    one, other = city(), city(start=wib(20))
    boots = [{r.fields["boot"] for r in c.readings(c.start_ms, c.start_ms + 60_000)} for c in (one, other)]
    assert not boots[0] & boots[1]


def test_both_forms_of_time_are_in_the_field_and_say_the_same(whole: list[Reading]) -> None:
    forms = Counter(type(r.fields["ts"]).__name__ for r in whole)
    assert set(forms) == {"int", "datetime"}
    for r in whole:
        ts = r.fields["ts"]
        ms = round(ts.timestamp() * 1000) if isinstance(ts, datetime) else ts
        assert ms == r.ts_ms
        if isinstance(ts, datetime):
            assert json.loads(encode(r.fields))["ts"].endswith("+07:00")


def test_a_gauge_sends_a_level_or_a_distance(whole: list[Reading]) -> None:
    for r in whole:
        if SMALL[r.device].kind == "water_level":
            has_sensor = SMALL[r.device].attributes.get("sensor_to_datum_m") is not None
            assert ("distance_m" in r.fields) is has_sensor
            assert ("level_m" in r.fields) is not has_sensor


@pytest.mark.parametrize("kind", ["streetlight", "water_level", "traffic"])
def test_a_fleet_of_one_kind_works(kind: str) -> None:
    devices = [device for device in SMALL if device.kind == kind]
    made = City(devices, 1, wib(19))
    assert {r.device for r in made.readings(made.start_ms, made.start_ms + 60_000)} == set(range(len(devices)))


def test_a_day_of_200_devices_is_good_in_every_reading() -> None:
    """Every reading is taken by ingest, within its hard ranges, without an unknown field."""
    devices = make_fleet(200, 3)
    made = City(devices, 3, wib(12), rate=0.25)
    batch = through_ingest(devices, made.readings(made.start_ms, made.start_ms + DAY_S * 1000))
    assert batch.quarantined == []
    assert batch.unknown_fields == 0
    assert sum(len(readings) for readings in batch.readings) == pytest.approx(0.25 * DAY_S, rel=0.02)
    for readings in batch.readings:
        assert (readings.qc == Quality.GOOD).all(), readings.kind.name
        for name, metric in readings.kind.metrics.items():
            value = readings.numbers[name][~np.isnan(readings.numbers[name])]
            assert ((value >= metric.low) & (value <= metric.high)).all(), name
            if name not in ("distance_m", "level_m", "headway_s", "speed_kmh", "power_factor"):
                assert len(value) == len(readings), f"{name} is missing somewhere"


# -- the opening -----------------------------------------------------------------------------------------------------


def alerts_of(devices: list[Device], seed: int, start: float, seconds: int = 60) -> list[tuple[str, str, float]]:
    """What the shipped rules raise in the first minute of a demo: device, rule, seconds after the start."""
    made = City(devices, seed, start)
    fleet = Fleet(devices)
    engine = Engine(shipped())
    engine.fit(fleet)
    found = []
    for second in range(seconds):  # as ingest would: some readings, a batch
        at = made.start_ms + 1000 * second
        evaluated = evaluate(engine, fleet, through_ingest(devices, made.readings(at, at + 1000)).readings)
        engine.apply(evaluated)
        found += [
            (t.key.device_id, f"{t.key.rule} {t.what} {t.siaga}", t.event_at.timestamp() - start)
            for t in evaluated.transitions
        ]
    return found


@pytest.mark.parametrize("hour", range(24))
def test_a_fresh_demo_shows_an_alert_within_a_minute_at_any_hour(hour: int) -> None:
    seed, day = 1 + hour % 4, 11 * hour  # other seeds, seasons and tides than the last
    gauges = [device for device in make_fleet(200, seed) if device.kind == "water_level"]
    upper = [step[1:] for step in alerts_of(gauges, seed, wib(hour, day) + 0.25) if step[0] == "wl-buntu-pane"]
    # It rises through Siaga 2 at 40 s, by 0.16 mm a second under 3 mm of waves: Siaga 3 first, as a rule.
    assert upper[0][0] in ("siaga raised 3", "siaga raised 2")
    assert upper[0][1] <= 30


@pytest.mark.parametrize("hour", [3, 8, 13, 18, 23])
def test_within_three_minutes_the_upper_silau_is_at_siaga_2(hour: int) -> None:
    gauges = [device for device in make_fleet(200, 2) if device.kind == "water_level"]
    steps = [what for who, what, _ in alerts_of(gauges, 2, wib(hour, 7 * hour), 180) if who == "wl-buntu-pane"]
    assert steps[-1] in ("siaga worsened 2", "siaga raised 2")


@pytest.mark.parametrize(("size", "hour"), [(1, 3), (8, 9), (200, 14)])
def test_so_does_a_fleet_of_any_size(size: int, hour: int) -> None:
    found = alerts_of(make_fleet(size, 5), 5, wib(hour))
    assert any(who == "wl-buntu-pane" for who, *_ in found)
    assert len({who for who, *_ in found}) <= 10, "a few alerts, not a wall of them"


def test_without_the_opening_the_rivers_keep_their_own_weather() -> None:
    gauges = [device for device in SMALL if device.kind == "water_level"]
    on, off = (City(gauges, 1, wib(9), happenings=Happenings(opening=opening)) for opening in (True, False))
    levels = [
        [r.fields for r in made.readings(made.start_ms, made.start_ms + 60_000) if r.device == 0] for made in (on, off)
    ]
    assert levels[0] != levels[1]
