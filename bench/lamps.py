"""The devices and messages of the ingest benchmarks: lamps of the simulator's city, as the field sends them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from devices.device import Device
from devices.payload import encode
from devices.topics import readings_topic
from simulator.city import City
from simulator.fleet import Sizes, build
from storage.connect import connect_async
from storage.fleet import import_devices

SEED = 1
PANEL = 100  # lamps
# Readings lie in the last five minutes: all live, none late, however long a round takes (the live window is 15).
SPAN_S = 300.0
WINDOW_MS = 10_000


class Message(NamedTuple):
    topic: str
    payload: bytes
    readings: int


def lamps(count: int) -> list[Device]:
    """A city of nothing but lamps, full panels first."""
    panels = (PANEL,) * (count // PANEL) + ((count % PANEL,) if count % PANEL else ())
    return build(Sizes(0, 0, panels), SEED)


def register(url: str, devices: Sequence[Device]) -> None:
    async def registered() -> None:
        async with await connect_async(url, "bench") as conn:
            await import_devices(conn, list(devices))

    asyncio.run(registered())


def messages(devices: Sequence[Device], readings: int, each: int, until_s: float) -> Iterator[Message]:
    """About so many readings of the time before until_s (epoch s), as packets with `each` of one device, in order.

    Every device tells as many as the others; its last packet may hold fewer than `each`.
    """
    city = City(devices, SEED, until_s - SPAN_S, rate=readings / SPAN_S)
    topics = [readings_topic(device.region or "", device.id) for device in devices]
    kept: list[list[dict[str, Any]]] = [[] for _ in devices]
    end_ms = city.start_ms + round(SPAN_S * 1000)
    for t0_ms in range(city.start_ms, end_ms, WINDOW_MS):
        for reading in city.readings(t0_ms, min(t0_ms + WINDOW_MS, end_ms)):
            mine = kept[reading.device]
            mine.append(reading.fields)
            if len(mine) == each:
                yield _message(topics[reading.device], mine, each)
                mine.clear()
    for topic, rest in zip(topics, kept, strict=True):
        if rest:
            yield _message(topic, rest, each)


def _message(topic: str, fields: list[dict[str, Any]], each: int) -> Message:
    return Message(topic, encode(fields[0] if each == 1 else fields), len(fields))
