"""The body of POST /readings: an array, one object, or lines of them (NDJSON), as topics and payloads.

What cannot be a reading of any device is no error of the request: it goes to quarantine as it would over MQTT.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from api.problems import wrong_field
from devices.topics import is_device_id, readings_topic

JSON = "application/json"
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")


class Item(NamedTuple):
    """One reading as it was sent, but for its device; None where it names none."""

    device: str | None
    payload: bytes


def items(body: bytes, in_lines: bool, most: int) -> list[Item]:
    """What was sent, in order. Raises 422."""
    found = _of_lines(body) if in_lines else _of_json(body)
    if not found:
        raise wrong_field("body", "has no readings; at least one is needed")
    if len(found) > most:
        raise wrong_field("body", f"{len(found)} readings are more than {most} (SIAGA_POST_ITEMS_MAX)")
    return found


def topic(item: Item, regions: Mapping[str, str | None], home: str) -> str:
    """Where the device would publish it; '' of no device. Who is not registered is thought to be in `home`."""
    return "" if item.device is None else readings_topic(region(item, regions, home), item.device)


def region(item: Item, regions: Mapping[str, str | None], home: str) -> str:
    return (item.device and regions.get(item.device)) or home


def _of_lines(body: bytes) -> list[Item]:
    return [_line(line) for line in body.split(b"\n") if line.strip()]


def _line(line: bytes) -> Item:
    try:
        return _item(from_json(line, allow_inf_nan=True))
    except ValueError:
        return Item(None, line.strip())


def _of_json(body: bytes) -> list[Item]:
    try:
        told = from_json(body, allow_inf_nan=True)
    except ValueError as error:
        raise wrong_field("body", f"is no JSON: {error}") from None
    return [_item(each) for each in (told if isinstance(told, list) else [told])]


def _item(told: Any) -> Item:
    device = told.get("device") if isinstance(told, dict) else None
    if not isinstance(device, str) or not is_device_id(device):
        return Item(None, _text(told))
    return Item(device, _text({name: value for name, value in told.items() if name != "device"}))


def _text(value: Any) -> bytes:
    return to_json(value, inf_nan_mode="constants")
