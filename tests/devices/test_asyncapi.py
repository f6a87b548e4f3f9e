"""The AsyncAPI document: valid, true to what intake does, and with every kind that there is."""

from __future__ import annotations

import json
from typing import Annotated, Any

import jsonschema_rs
import pytest

from devices.asyncapi import Limits, document, example, item_schema
from devices.diagnostics import WORDS
from devices.kind import DIAGNOSTICS, Attributes, Kind, Label, Metric, Reading
from devices.kinds import KINDS
from devices.payload import decode
from devices.topics import parse_topic, readings_filters
from tests.asyncapi_specs import schema

LIMITS = Limits(array_max=1000, payload_max_bytes=262_144)


class Air(Reading):
    pm25_ug_m3: Annotated[float | None, Metric("ug/m3", 0, 1000, Label("Debu halus", "Fine dust"))] = None
    dust_sum: Annotated[float | None, Metric("1", 0, 9, Label("Jumlah", "Sum"), derived=True)] = None


AIR = Kind("air", Label("Udara", "Air"), Air, Attributes, 600, "pm25_ug_m3")


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return document(KINDS.values(), LIMITS)


def test_it_keeps_the_schema_of_asyncapi(made: dict[str, Any]) -> None:
    validator = jsonschema_rs.validator_for(schema())
    assert list(validator.iter_errors(made)) == []
    assert not validator.is_valid(made | {"channels": {"readings": {"adress": "x"}}})


def test_every_reference_leads_somewhere(made: dict[str, Any]) -> None:
    found = _references(made)
    assert len(found) > 3 * len(KINDS)
    for reference in found:
        place: Any = made
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_the_address_is_what_ingest_reads(made: dict[str, Any]) -> None:
    channel = made["channels"]["readings"]
    named = {name: parameter["examples"][0] for name, parameter in channel["parameters"].items()}
    assert parse_topic(channel["address"].format(**named)) == (named["region"], named["device_id"])
    assert channel["address"].format(region="+", device_id="+") in readings_filters(("+",))
    assert made["operations"]["receiveReadings"]["bindings"]["mqtt"] == {
        "qos": 1, "retain": False, "bindingVersion": "0.2.0",
    }  # fmt: skip


def test_every_kind_has_a_message_with_every_field_of_its_payload(made: dict[str, Any]) -> None:
    beside = {name for channel in ("status", "command", "result") for name in made["channels"][channel]["messages"]}
    assert made["components"]["messages"].keys() - beside == KINDS.keys()
    assert len(made["operations"]["receiveReadings"]["messages"]) == len(KINDS)
    for kind in KINDS.values():
        properties = made["components"]["schemas"][kind.name]["properties"]
        assert set(properties) == kind.wire_fields
        for name, metric in kind.metrics.items():
            if not metric.derived:
                assert properties[name]["x-unit"] == metric.unit
                assert properties[name]["x-hard-range"] == [metric.low, metric.high]
                assert properties[name]["title"] == metric.label.en
        assert all(properties[name]["description"] for name in properties)
        assert all(properties[name]["x-unit"] == WORDS[name].unit for name in DIAGNOSTICS)


def test_limits_are_those_of_intake() -> None:
    payload = document(KINDS.values(), Limits(7, 2048))["components"]["messages"]["traffic"]
    assert payload["payload"]["oneOf"][1]["maxItems"] == 7
    assert "2048 bytes" in payload["description"]


def test_a_new_kind_is_there_by_itself() -> None:
    made = document([*KINDS.values(), AIR], LIMITS)
    assert jsonschema_rs.validator_for(schema()).is_valid(made)
    (one, _) = made["components"]["messages"]["air"]["examples"]
    assert one["payload"]["pm25_ug_m3"] == 500
    assert "dust_sum" not in made["components"]["schemas"]["air"]["properties"]
    assert not decode(AIR, json.dumps(one["payload"]).encode()).bad


def test_an_example_with_a_field_that_no_payload_has_is_refused() -> None:
    with pytest.raises(ValueError, match="'dust_sum', which no payload has"):
        Kind("air", Label("Udara", "Air"), Air, Attributes, 600, "pm25_ug_m3", example={"dust_sum": 1})


@pytest.mark.parametrize(
    ("change", "taken"),
    [
        ({}, True),
        ({"ts": 1_764_000_000_000}, True),
        ({"ts": 1_764_000_000_000.5}, True),
        ({"ts": "2026-11-24T19:10+07:00"}, True),
        ({"level_m": 9_999}, True),  # beyond its hard range: stored, and flagged
        ({"level_m": None, "unheard_of": [1]}, True),
        ({"level_m": "2,69"}, False),
        ({"ts": "2026"}, False),
        ({"ts": None}, False),
        ({"seq": -1}, False),
        ({"seq": 1.5}, False),
        ({"boot": "x" * 65}, False),
        ({"fw": "a\x00"}, False),
    ],
)
def test_the_schema_and_the_decoder_agree(change: dict[str, Any], taken: bool) -> None:
    kind = KINDS["water_level"]
    item = example(kind, "2026-11-24T19:10:00+07:00", 1) | change
    assert jsonschema_rs.validator_for(item_schema(kind)).is_valid(item) is taken
    assert bool(decode(kind, json.dumps(item).encode()).bad) is not taken


def test_it_is_the_same_every_time() -> None:
    """Also between processes, whose sets have another order."""
    names = list(item_schema(KINDS["traffic"])["properties"])
    assert names == ["ts", "seq", "boot", *(n for n in KINDS["traffic"].numbers if n != "flow_vph"), "fw"]


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if "$ref" in value else set()
        return own.union(*map(_references, value.values()))
    return set().union(*map(_references, value)) if isinstance(value, list) else set()
