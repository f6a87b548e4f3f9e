"""Registry checks: every wrong field is named with its limit, and what is right comes back in its declared types."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from devices.device import Device, check

GAUGE = Device(
    "wl-1", "water_level", "Silau", "12.09", "12.09.19", 2.98, 99.63,
    {"river": "Silau", "sensor_to_datum_m": 8.0, "siaga_3_m": 2.0, "siaga_2_m": 2.8, "siaga_1_m": 3.6},
)  # fmt: skip


def wrong(device: Device) -> dict[str, str]:
    found = check(device)
    assert not isinstance(found, Device), found
    return {error.field: error.message for error in found}


def gauge(**attributes: Any) -> Device:
    return replace(GAUGE, attributes={**GAUGE.attributes, **attributes})


def test_a_right_device_comes_back() -> None:
    found = check(GAUGE)
    assert isinstance(found, Device)
    assert replace(found, attributes={}) == replace(GAUGE, attributes={})
    assert found.attributes == {**GAUGE.attributes, "official": False}


def test_only_id_and_kind_are_needed() -> None:
    assert check(Device("a", "streetlight")) == Device("a", "streetlight")


def test_checking_twice_changes_nothing() -> None:
    once = check(gauge(valid_from="2026-01-01"))
    assert isinstance(once, Device)
    assert check(once) == once


def test_attributes_given_as_text_get_their_types() -> None:
    found = check(gauge(siaga_3_m="1.9", official="true", valid_from="2026-01-31"))
    assert isinstance(found, Device)
    assert found.attributes["siaga_3_m"] == 1.9
    assert found.attributes["official"] is True
    assert found.attributes["valid_from"] == "2026-01-31"


@pytest.mark.parametrize(
    ("change", "field", "told"),
    [
        ({"id": ""}, "id", "1 to 64"),
        ({"id": "x" * 65}, "id", "64"),
        ({"id": "wl 1"}, "id", "letters, digits, _ or -"),
        ({"id": "wl-1\n"}, "id", "letters, digits, _ or -"),
        ({"region": "1209"}, "region", "12.09"),
        ({"region": "12.09\n"}, "region", "12.09"),
        ({"district": "12.09.190"}, "district", "12.09.19"),
        ({"name": "x" * 201}, "name", "200"),
        ({"name": "a\x00b"}, "name", "NUL"),
        ({"lat": None}, "lat", "go together"),
        ({"lon": None}, "lat", "go together"),
        ({"lat": 90.1}, "lat", "-90..90"),
        ({"lat": float("nan")}, "lat", "-90..90"),
        ({"lon": -180.5}, "lon", "-180..180"),
        ({"lon": float("inf")}, "lon", "-180..180"),
        ({"kind": "lamp"}, "kind", "streetlight, traffic, water_level"),
        ({"attributes": {"nominal_w": 90}}, "nominal_w", "not permitted"),
        ({"attributes": {"siaga_3_m": "2,69"}}, "siaga_3_m", "number"),
        ({"attributes": {"siaga_3_m": "nan"}}, "siaga_3_m", "finite"),
        ({"attributes": {"siaga_3_m": 101}}, "siaga_3_m", "100"),
        ({"attributes": {"sensor_to_datum_m": -51}}, "sensor_to_datum_m", "-50"),
        ({"attributes": {"river": "x" * 65}}, "river", "64"),
        ({"attributes": {"river": "Si\x00lau"}}, "river", "NUL"),
        ({"attributes": {"valid_from": "31/01/2026"}}, "valid_from", "date"),
        ({"attributes": {"official": "maybe"}}, "official", "boolean"),
    ],
)
def test_a_wrong_field_is_named_with_its_limit(change: dict[str, Any], field: str, told: str) -> None:
    found = wrong(replace(GAUGE, **change))
    assert list(found) == [field]
    assert told in found[field]


@pytest.mark.parametrize(
    ("kind", "attributes", "told"),
    [
        ("streetlight", {"nominal_w": 0}, "greater than 0"),
        ("streetlight", {"nominal_w": 1001}, "1000"),
        ("streetlight", {"feeder": "x" * 65}, "64"),
        ("traffic", {"lane": 0}, "1"),
        ("traffic", {"lane": 21}, "20"),
        ("traffic", {"lane": 1.5}, "integer"),
        ("traffic", {"free_flow_kmh": 0}, "greater than 0"),
        ("traffic", {"free_flow_kmh": 201}, "200"),
        ("traffic", {"direction": "x" * 33}, "32"),
    ],
)
def test_limits_of_the_other_kinds_attributes(kind: str, attributes: dict[str, Any], told: str) -> None:
    found = wrong(Device("a", kind, attributes=attributes))
    assert list(found) == list(attributes)
    assert told in found[next(iter(attributes))]


@pytest.mark.parametrize(
    "levels",
    [
        {"siaga_3_m": 2.8},
        {"siaga_2_m": 3.6},
        {"siaga_2_m": None, "siaga_1_m": 2.0},
        {"siaga_1_m": 1.0},
    ],
)
def test_thresholds_must_rise(levels: dict[str, Any]) -> None:
    assert "siaga_3_m < siaga_2_m < siaga_1_m" in wrong(gauge(**levels))["attributes"]


def test_a_station_may_have_only_some_thresholds() -> None:
    assert isinstance(check(gauge(siaga_2_m=None, siaga_1_m=None)), Device)
    assert isinstance(check(gauge(siaga_2_m=None)), Device)


def test_all_wrong_fields_are_told_at_once() -> None:
    device = replace(gauge(siaga_3_m="x", river="y" * 99), id="", region="?", lat=91, lon=181, name="z" * 201)
    assert set(wrong(device)) == {"id", "region", "lat", "lon", "name", "siaga_3_m", "river"}
