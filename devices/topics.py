"""The topic grammar `siaga/v1/{region}/{device_id}/{what}`, used by ingest and simulator alike."""

from __future__ import annotations

import re
from typing import NamedTuple

DEVICE_ID = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
REGION = re.compile(r"^[0-9]{2}(\.[0-9]{2}){0,2}(\.[0-9]{4})?$")
_READINGS = re.compile(r"^siaga/v1/([0-9.]{2,13})/([A-Za-z0-9_-]{1,64})/readings$")


class Topic(NamedTuple):
    region: str
    device_id: str


def readings_topic(region: str, device_id: str) -> str:
    """Where a device publishes its readings (QoS 1, not retained)."""
    return f"siaga/v1/{region}/{device_id}/readings"


def status_topic(region: str, device_id: str) -> str:
    """Where a device keeps `online` or, by its last will, `offline` (retained)."""
    return f"siaga/v1/{region}/{device_id}/status"


def readings_filters(regions: tuple[str, ...]) -> list[str]:
    """What ingest subscribes to. No trailing #: NATS counts such a filter twice against its window."""
    return [readings_topic(region, "+") for region in regions]


def parse_topic(topic: str) -> Topic | None:
    """Region and device of a readings topic; None when it does not follow the grammar."""
    match = _READINGS.match(topic)
    return Topic(*match.groups()) if match else None
