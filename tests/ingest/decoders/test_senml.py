"""SenML: the rules of RFC 8428, with its own examples, and units."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devices.kinds import KINDS
from devices.payload import Decoded
from ingest.decoders.fields import DIAGNOSTIC_UNITS, Taken
from ingest.decoders.senml import SenML, resolved
from ingest.decoders.units import known, scale

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
T = NOW.timestamp()
GAUGE, LAMP = KINDS["water_level"], KINDS["streetlight"]


def read(pack: Any, decoder: SenML | None = None, kind: str = "water_level") -> Decoded:
    return (decoder or SenML()).decode(KINDS[kind], json.dumps(pack).encode(), NOW)


def why(pack: Any) -> str:
    decoded = read(pack)
    assert not decoded.items
    return decoded.bad[0].why


def test_single_datapoint_5_1_1() -> None:
    (record,) = resolved([{"n": "urn:dev:ow:10e2073a01080063", "u": "Cel", "v": 23.1}])
    assert (record.name, record.unit, record.value, record.time) == ("urn:dev:ow:10e2073a01080063", "Cel", 23.1, 0)


def test_multiple_datapoints_5_1_2() -> None:
    pack = [
        {
            "bn": "urn:dev:ow:10e2073a0108006:", "bt": 1.276020076001e09, "bu": "A", "bver": 10,
            "n": "voltage", "u": "V", "v": 120.1,
        },
        {"n": "current", "t": -5, "v": 1.2},
        {"n": "current", "t": -4, "v": 1.3},
        {"n": "current", "t": 0, "v": 1.7},
    ]  # fmt: skip
    fields = {"streetlight": {"voltage_v": Taken("voltage"), "current_a": Taken("current")}}
    decoded = read(pack, SenML(fields), "streetlight")
    assert not decoded.bad
    assert [(i["ts"].timestamp(), i.get("voltage_v"), i["current_a"]) for i in decoded.items] == [
        (1276020076.001, 120.1, 1.7), (1276020071.001, None, 1.2), (1276020072.001, None, 1.3),
    ]  # fmt: skip


def test_resolved_records_5_1_4() -> None:
    records = list(
        resolved(
            [
                {"bn": "urn:dev:ow:10e2073a01080063", "bt": 1320067464, "bu": "%RH", "v": 20},
                {"u": "lon", "v": 24.30621},
                {"t": 60, "v": 20.3},
                {"t": 60, "u": "lat", "v": 60.07965},
            ]
        )
    )
    assert [(r.unit, r.value, r.time) for r in records] == [
        ("%RH", 20, 1320067464), ("lon", 24.30621, 1320067464),
        ("%RH", 20.3, 1320067524), ("lat", 60.07965, 1320067524),
    ]  # fmt: skip


def test_other_types_5_1_5() -> None:
    pack = [
        {"bn": "urn:dev:ow:10e2073a01080063:", "n": "temp", "u": "Cel", "v": 23.1},
        {"n": "label", "vs": "Machine Room"},
        {"n": "open", "vb": False},
        {"n": "nfc-reader", "vd": "aGkgCg"},
    ]
    assert [r.value for r in resolved(pack)] == [23.1, "Machine Room", False]


def test_base_value_is_added_and_units_are_converted() -> None:
    pack = [
        {"bn": "g/", "bt": T, "bv": 1000, "bu": "mm", "n": "level_m", "v": 688},
        {"bv": 0, "n": "temperature_c", "u": "K", "v": 300.15},
        {"n": "seq", "u": "count", "v": 7.0},
        {"n": "boot", "vs": "a1"},
        {"n": "humidity", "u": "%RH", "v": 71},
    ]
    decoded = read(pack)
    (item,) = decoded.items
    assert item["level_m"] == pytest.approx(1.688)
    assert item["temperature_c"] == pytest.approx(27)
    assert (item["seq"], item["boot"], item["ts"], decoded.unknown) == (7, "a1", NOW, 1)


def test_time_relative_to_now_is_refused_unless_allowed() -> None:
    pack = [{"n": "level_m", "u": "m", "v": 1, "t": -60}]
    assert "t: -60 is relative to now" in why(pack)
    (item,) = read(pack, SenML(relative_time=True)).items
    assert item["ts"] == NOW - timedelta(seconds=60)


def test_a_bad_time_does_not_harm_the_others_and_can_be_published_again() -> None:
    pack = [
        {"bn": "g:", "bt": T, "n": "level_m", "u": "m", "v": 1},
        {"n": "level_m", "u": "V", "v": 2, "t": 60},
        {"n": "level_m", "u": "m", "v": 3, "t": 120},
    ]
    decoded = read(pack)
    assert [item["level_m"] for item in decoded.items] == [1, 3]
    (bad,) = decoded.bad
    assert bad.why == "level_m: unit 'V' is a voltage, m is wanted"
    assert json.loads(bad.raw) == [{"n": "g:level_m", "u": "V", "v": 2, "t": T + 60}]


@pytest.mark.parametrize(
    ("pack", "told"),
    [
        ({}, "payload: an array"),
        ([], "payload: an array"),
        ([1], "record 0: an object is needed"),
        ([{"bver": 11, "n": "a", "v": 1}], "record 0: bver is 11, 10 is understood"),
        ([{"n": "a", "v": 1}, {"n": "b", "v": "1"}], "record 1: v: a finite number is needed"),
        ([{"n": "a", "v": 1, "vs": "x"}], "record 0: more than one of v, vs, vb, vd"),
        ([{"n": "a", "v": 1, "key_": 1}], "record 0: key_: must be understood"),
        ([{"v": 1}], "record 0: n: no name"),
        ([{"n": 4, "v": 1}], "record 0: n: text is needed"),
        ([{"n": "a", "vb": 1}], "record 0: vb: true or false is needed"),
        ([{"bn": "x"}], "payload: no record has a value"),
        ([{"n": "level_m", "v": 1, "t": 1e200}], "is no time"),
        ([{"bt": T, "n": "level_m", "v": 1}, {"n": "level_m", "v": 2}], "level_m: told twice for one time"),
        ([{"bt": T, "n": "level_m", "vs": "high"}], "level_m: Input should be a valid number"),
    ],
)
def test_broken_packs_say_which_record_and_field(pack: Any, told: str) -> None:
    assert told in why(pack)


@pytest.mark.parametrize(
    ("value", "sent", "wanted", "expected"),
    [
        (36, "km/h", "m/s", 10),
        (10, "m/s", "km/h", 36),
        (212, "[degF]", "Cel", 100),
        (1.5, "kWh", "W.h", 1500),
        (3600, "J", "W.h", 1),
        (0.5, "1", "%", 50),
        (61, "%RH", "%", 61),
        (3, "count", "{vehicle}", 3),
        (3, "count", "1", 3),
        (-90, "dBW", "dBm", -60),
    ],
)
def test_units(value: float, sent: str, wanted: str, expected: float) -> None:
    by = scale(sent, wanted)
    assert value * by.factor + by.offset == pytest.approx(expected)


def test_every_unit_of_ours_is_known() -> None:
    ours = {metric.unit for kind in KINDS.values() for metric in kind.metrics.values()} | set(DIAGNOSTIC_UNITS.values())
    assert ours <= known()
