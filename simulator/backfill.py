"""History of the invented city, so that a fresh installation has charts at once: past readings in arrays, as a device
sends what it kept. At the pace of real devices; the demo's own pace would be a hundred times as much."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from zlib import crc32

import httpx
import numpy as np

from devices.payload import encode
from devices.topics import readings_topic
from simulator.city import Block, City
from simulator.mqtt.publish import Publisher
from simulator.pace import FIELD_PACE_S
from simulator.progress import Progress

PER_MESSAGE = 50
WINDOW_MS = 12 * 3_600_000


async def publish_history(
    city: City, seconds: float, skip: Collection[str], to: Sequence[Publisher], progress: Progress
) -> int:
    """Publish `seconds` of history before the city's start; how many readings. Devices in `skip` have theirs."""
    # The physics of the city to come, so that its charts go on where these end; numbered from where these begin.
    begin_ms, sent = city.start_ms - round(seconds * 1000), 0
    past = city.repaced(begin_ms, FIELD_PACE_S)
    at_ms = begin_ms
    progress.note = lambda: f"history, {(at_ms - begin_ms) / (city.start_ms - begin_ms):.0%}"
    while at_ms < city.start_ms:
        until_ms = min(at_ms + WINDOW_MS, city.start_ms)
        for block in past.blocks(at_ms, until_ms):
            for device, payload, readings in _messages(past, block, skip):
                topic = readings_topic(city.devices[device].region or "", city.devices[device].id)
                await to[crc32(city.devices[device].id.encode()) % len(to)].publish(topic, payload)
                sent += readings
        at_ms = until_ms
    return sent


async def with_history(api_url: str, api_key: str) -> set[str]:
    """Ids of devices that have readings already. Raises httpx.HTTPError."""
    found: set[str] = set()
    params: dict[str, str] = {}
    async with httpx.AsyncClient(
        base_url=api_url, headers={"Authorization": f"Bearer {api_key}"}, timeout=60
    ) as client:
        while True:
            answer = (await client.get("/api/v1/latest", params=params)).raise_for_status().json()
            found |= {item["device_id"] for item in answer["items"]}
            if answer["next_cursor"] is None:
                return found
            params["cursor"] = answer["next_cursor"]


def _messages(city: City, block: Block, skip: Collection[str]) -> Iterator[tuple[int, bytes, int]]:
    """Device, payload and number of readings: arrays of one device's readings in order of time."""
    fields = city.fields(block)
    edges = np.flatnonzero(np.diff(block.device, prepend=-1, append=-1)).tolist()
    for begin, end in pairwise(edges):
        device = int(block.device[begin])
        if city.devices[device].id not in skip:
            for at in range(begin, end, PER_MESSAGE):
                part = fields[at : min(at + PER_MESSAGE, end)]
                yield device, encode(part), len(part)
