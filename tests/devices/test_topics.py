"""The topic grammar: what is a device id, a region, a readings topic, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.topics import (
    filters_meet,
    is_device_id,
    is_region,
    parse_topic,
    readings_filters,
    readings_topic,
    status_topic,
)

GOOD_REGIONS = ["12", "12.09", "12.09.19", "12.09.19.1001"]
BAD_REGIONS = [
    "", "1", "123", "1209", "12.", ".12", "12.9", "12.09.", "12..09", "12.1001", "12.09.1001", "12.09.19.100",
    "12.09.19.10011", "12.09.19.1001.01", "12.09.19.19", "12-09", "ab.cd", "12.09\n", " 12.09", "12.09 ", "+", "#",
    "１２.09", "..", "....",
]  # fmt: skip
GOOD_IDS = ["a", "pju-0001", "WL_Silau", "0", "-", "_", "x" * 64]
BAD_IDS = ["", "x" * 65, "a b", "a/b", "a.b", "a+b", "a#", "a*", "a>", "a\n", "\na", "pju–1", "é", "a\x00", "$SYS"]


@pytest.mark.parametrize("code", GOOD_REGIONS)
def test_a_region_is_a_province_regency_district_or_village(code: str) -> None:
    assert is_region(code)


@pytest.mark.parametrize("code", BAD_REGIONS)
def test_what_is_no_region(code: str) -> None:
    assert not is_region(code)
    assert parse_topic(f"siaga/v1/{code}/pju-1/readings") is None


@pytest.mark.parametrize("text", GOOD_IDS)
def test_a_device_id_is_1_to_64_letters_digits_underscores_or_hyphens(text: str) -> None:
    assert is_device_id(text)


@pytest.mark.parametrize("text", BAD_IDS)
def test_what_is_no_device_id(text: str) -> None:
    assert not is_device_id(text)
    assert parse_topic(f"siaga/v1/12.09/{text}/readings") is None


@pytest.mark.parametrize("region", GOOD_REGIONS)
@pytest.mark.parametrize("device_id", GOOD_IDS)
def test_a_readings_topic_is_read_back(region: str, device_id: str) -> None:
    topic = readings_topic(region, device_id)
    assert topic == f"siaga/v1/{region}/{device_id}/readings"
    assert parse_topic(topic) == (region, device_id)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "siaga/v1/12.09/pju-1",
        "siaga/v1/12.09/pju-1/status",
        "siaga/v1/12.09/pju-1/readings/",
        "siaga/v1/12.09/pju-1/readings\n",
        "siaga/v1/12.09/pju-1/x/readings",
        "siaga/v1//pju-1/readings",
        "siaga/v1/pju-1/readings",
        "siaga/v2/12.09/pju-1/readings",
        "/siaga/v1/12.09/pju-1/readings",
        "Siaga/v1/12.09/pju-1/readings",
        "siaga/v1/12.09/pju-1/Readings",
    ],
)
def test_what_is_no_readings_topic(topic: str) -> None:
    assert parse_topic(topic) is None


@given(st.text(max_size=80))
def test_parsing_never_raises_and_what_it_accepts_it_can_write(topic: str) -> None:
    found = parse_topic(topic)
    assert found is None or readings_topic(*found) == topic


def test_status_has_a_topic_of_its_own() -> None:
    assert status_topic("12.09", "pju-1") == "siaga/v1/12.09/pju-1/status"


def test_filters_name_regions_and_end_without_a_hash() -> None:
    assert readings_filters(("12.09", "31")) == ["siaga/v1/12.09/+/readings", "siaga/v1/31/+/readings"]
    assert readings_filters(("+",)) == ["siaga/v1/+/+/readings"]


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("siaga/v1/+/+/readings", "siaga/v1/12.09/+/readings", True),
        ("siaga/v1/12.09/+/readings", "siaga/v1/12.09/+/readings", True),
        ("siaga/v1/12.09/+/readings", "siaga/v1/12.10/+/readings", False),
        ("siaga/v1/12/+/readings", "siaga/v1/12.09/+/readings", False),
        ("siaga/v1/+/+/readings", "application/+/device/+/event/up", False),
        ("siaga/#", "siaga/v1/12.09/+/readings", True),
        ("siaga/#", "siaga", True),
        ("+/b", "a/+", True),
        ("a/b/c", "a/b", False),
        ("a/+", "a", False),
        ("#", "a/b", True),
    ],
)
def test_filters_that_match_the_same_topic(one: str, other: str, meet: bool) -> None:
    assert filters_meet(one, other) is meet
    assert filters_meet(other, one) is meet
