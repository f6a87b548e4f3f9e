"""The AsyncAPI 3.0 document of the MQTT side, from the declarations of the kinds. A new kind is in it by itself.

Its schemas refuse nothing that intake takes. A hard range is no `minimum` and `maximum`: a value outside is stored and
flagged, and a sender that checks before it sends would keep from us what we want to see. So ranges are `x-hard-range`,
units `x-unit` (UCUM), and both are said in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from devices import asyncapi_talk as talk
from devices.diagnostics import WORDS
from devices.kind import Kind, Metric
from devices.topics import DEVICE_ID, REGION, readings_topic

ASYNCAPI = "3.0.0"
BINDING = "0.2.0"
# That of the topics: siaga/v1/.
VERSION = "1"
CHANNEL = "readings"
TS = "2026-11-24T19:10:00+07:00"
TS_LATER = "2026-11-24T19:20:00+07:00"
DESCRIPTION = """What devices publish, and Siaga stores. MQTT 3.1.1, QoS 1, not retained: a device keeps a reading until
the broker has acknowledged it, and the broker until Siaga has committed it.

A device must be registered first (`siaga devices import`, `POST /api/v1/devices/import`); which message it sends is
decided by the kind it is registered as. What cannot become a reading is kept in quarantine with the reason."""
FIELDS = {
    "ts": "when it was measured: RFC 3339 with an offset, or epoch milliseconds. The only field that must be there.",
    "seq": "counts up by one per reading within one boot, from 0; with it a missing reading can be named",
    "boot": "names the run of numbers that seq belongs to; a device that goes on counting keeps it",
    "fw": "firmware version",
}


class Limits(NamedTuple):
    """Of one payload, as intake has them."""

    array_max: int
    payload_max_bytes: int


def document(kinds: Iterable[Kind], limits: Limits) -> dict[str, Any]:
    """The whole document."""
    kinds = list(kinds)
    return {
        "asyncapi": ASYNCAPI,
        "info": {"title": "Siaga: devices over MQTT", "version": VERSION, "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {"broker": _server()},
        "channels": {CHANNEL: _channel(kinds), **talk.channels(_parameters(), kinds)},
        "operations": {
            "receiveReadings": {
                "action": "receive",
                "summary": "Take in readings, and store them.",
                "channel": {"$ref": f"#/channels/{CHANNEL}"},
                "messages": [{"$ref": f"#/channels/{CHANNEL}/messages/{kind.name}"} for kind in kinds],
                "bindings": {"mqtt": {"qos": 1, "retain": False, "bindingVersion": BINDING}},
            },
            **talk.operations(kinds),
        },
        "components": {
            "messages": {kind.name: _message(kind, limits) for kind in kinds} | talk.messages(kinds),
            "schemas": {kind.name: item_schema(kind) for kind in kinds},
            "securitySchemes": {
                "userPassword": {"type": "userPassword", "description": "as the broker knows the device or gateway"}
            },
        },
    }


def item_schema(kind: Kind) -> dict[str, Any]:
    """The JSON Schema of one reading as a device sends it."""
    schema = kind.one.json_schema()
    # The validator's own order differs from run to run.
    names = [name for name in ("ts", "seq", "boot", *kind.numbers, "fw") if name in schema["properties"]]
    schema["title"] = kind.label.en
    schema["description"] = "Unknown fields are counted and left out; null and absent are the same."
    schema["properties"] = {name: _field(kind, name, schema["properties"][name]) for name in names}
    return schema


def example(kind: Kind, ts: str, seq: int) -> dict[str, Any]:
    """A reading that intake stores: as the kind declares it, else its main metric in the middle of its range."""
    primary = kind.metrics[kind.primary]
    middle = {primary.name: round((primary.low + primary.high) / 2, primary.decimals)}
    values = kind.example or ({} if primary.derived else middle)
    return {"ts": ts, "seq": seq, "boot": "a1b2", **values, "battery_v": WORDS["battery_v"].example}


def _server() -> dict[str, Any]:
    return {
        "host": "{host}",
        "protocol": "mqtt",
        "protocolVersion": "3.1.1",
        "description": "The installation's broker. The client id is the device's or the gateway's own.",
        "variables": {"host": {"default": "localhost:1883", "description": "host and port of the broker"}},
        "security": [{"$ref": "#/components/securitySchemes/userPassword"}],
    }


def _channel(kinds: Iterable[Kind]) -> dict[str, Any]:
    return {
        "address": readings_topic("{region}", "{device_id}"),
        "title": "Readings of one device",
        "parameters": _parameters(),
        "messages": {kind.name: {"$ref": f"#/components/messages/{kind.name}"} for kind in kinds},
    }


def _parameters() -> dict[str, Any]:
    return {
        # AsyncAPI 3 has no schema for parameters.
        "region": {
            "description": "Kemendagri code of where the device is registered: province to village",
            "examples": ["12.09"],
            "x-pattern": REGION.pattern,
        },
        "device_id": {
            "description": "the id under which the device is registered",
            "examples": ["sl-0001"],
            "x-pattern": DEVICE_ID.pattern,
        },
    }


def _message(kind: Kind, limits: Limits) -> dict[str, Any]:
    item = {"$ref": f"#/components/schemas/{kind.name}"}
    one, later = example(kind, TS, 991), example(kind, TS_LATER, 992)
    return {
        "name": kind.name,
        "title": kind.label.en,
        "summary": f"One reading, or an array of them; expected every {kind.interval_s:g} s.",
        "description": f"At most {limits.array_max} readings (SIAGA_ARRAY_MAX) and {limits.payload_max_bytes} bytes"
        " (SIAGA_PAYLOAD_MAX_BYTES). One bad item of an array never harms the others.",
        "contentType": "application/json",
        "payload": {"oneOf": [item, {"type": "array", "items": item, "minItems": 1, "maxItems": limits.array_max}]},
        "examples": [
            {"name": "one", "summary": "as it is measured", "payload": one},
            {"name": "many", "summary": "from a gateway, or after an outage", "payload": [one, later]},
        ],
        "x-kind": kind.name,
    }


def _field(kind: Kind, name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in schema.items() if key != "title"}
    if name in FIELDS:
        return kept | {"description": FIELDS[name]}
    if name in kind.metrics:
        return kept | _of_metric(kind.metrics[name])
    words = WORDS[name]
    return kept | {"title": words.label.en, "description": f"in {words.sign.en}; optional", "x-unit": words.unit}


def _of_metric(metric: Metric) -> dict[str, Any]:
    sign = metric.sign.en if metric.sign else metric.unit
    unit = "" if sign == "1" else f"in {sign}; "
    return {
        "title": metric.label.en,
        "description": f"{unit}outside {metric.low:g} … {metric.high:g} it is stored with qc 4, kept out of aggregates"
        " and alerts",
        "x-unit": metric.unit,
        "x-hard-range": [metric.low, metric.high],
    }
