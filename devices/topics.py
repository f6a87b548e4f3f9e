"""The topic grammar `siaga/v1/{region}/{device_id}/{what}`, used by ingest and simulator alike."""

from __future__ import annotations

import re
from typing import NamedTuple

# The patterns are also given to pydantic and OpenAPI. In Python ask is_device_id and is_region: `match` would let a
# line feed pass at the end.
DEVICE_ID = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
# Province, regency, district, village: 12, 12.09, 12.09.19, 12.09.19.1001.
REGION = re.compile(r"^[0-9]{2}(\.[0-9]{2}(\.[0-9]{2}(\.[0-9]{4})?)?)?$")
_DEVICE = rf"siaga/v1/(?P<region>{REGION.pattern[1:-1]})/(?P<device>{DEVICE_ID.pattern[1:-1]})"
_READINGS = re.compile(rf"{_DEVICE}/readings")
_OTHER = re.compile(rf"{_DEVICE}/(?P<what>status|command|command/result)")


NATIVE = "siaga/v1/"


class Topic(NamedTuple):
    region: str
    device_id: str


def is_device_id(text: str) -> bool:
    return DEVICE_ID.fullmatch(text) is not None


def is_region(text: str) -> bool:
    return REGION.fullmatch(text) is not None


def readings_topic(region: str, device_id: str) -> str:
    """Where a device publishes its readings (QoS 1, not retained)."""
    return f"siaga/v1/{region}/{device_id}/readings"


def status_topic(region: str, device_id: str) -> str:
    """Where a device keeps `online` or, by its last will, `offline` (retained)."""
    return f"siaga/v1/{region}/{device_id}/status"


def command_topic(region: str, device_id: str) -> str:
    """Where a device is told what to do (QoS 1, not retained)."""
    return f"siaga/v1/{region}/{device_id}/command"


def result_topic(region: str, device_id: str) -> str:
    """Where a device answers a command (QoS 1, not retained)."""
    return f"siaga/v1/{region}/{device_id}/command/result"


def readings_filters(regions: tuple[str, ...]) -> list[str]:
    """What ingest subscribes to. No trailing #: NATS counts such a filter twice against its window."""
    return [readings_topic(region, "+") for region in regions]


def status_filters(regions: tuple[str, ...]) -> list[str]:
    """What ingest subscribes to, to know who is connected."""
    return [status_topic(region, "+") for region in regions]


def result_filters(regions: tuple[str, ...]) -> list[str]:
    """What ingest subscribes to, for answers to commands."""
    return [result_topic(region, "+") for region in regions]


def filters_meet(one: str, other: str) -> bool:
    """Whether there are topics that match both of two MQTT topic filters."""
    left, right = one.split("/"), other.split("/")
    for a, b in zip(left, right, strict=False):
        if "#" in (a, b):
            return True
        if a != b and "+" not in (a, b):
            return False
    # a/# matches a as well.
    longer, shorter = sorted((left, right), key=len, reverse=True)
    return len(longer) == len(shorter) or longer[len(shorter)] == "#"


def parse_topic(topic: str) -> Topic | None:
    """Region and device of a readings topic; None when it does not follow the grammar."""
    match = _READINGS.fullmatch(topic)
    return Topic(match["region"], match["device"]) if match else None


def parse_other(topic: str) -> tuple[Topic, str] | None:
    """Region and device of a topic beside readings, and which: status, command or command/result; None of any other."""
    match = _OTHER.fullmatch(topic)
    return (Topic(match["region"], match["device"]), match["what"]) if match else None
