"""Publishing with QoS 1 from one process on one core, until the last acknowledgement.

First with readings that the city makes meanwhile: what a load can reach. Then with payloads made before, beside stock
paho sending the same. The broker (NATS, file store) has another core where there is one.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from bench.measure import Figure
from devices.topics import readings_topic
from runtime.mqtt_url import parse_url
from simulator.city import City
from simulator.fleet import make_fleet
from simulator.load.payloads import Messages
from simulator.mqtt.publish import Publisher
from tests.servers import Nats

DEVICES, RATE, SEED, ROUNDS = 50_000, 20_000.0, 1, 3
BEFORE = "stock paho, payloads made before the clock starts"
WINDOW = 5_000
STEP = 2_000  # readings made at a time; between two steps the socket has its turn
# Readings in a message → readings published in a round.
BATCHES = {1: 60_000, 50: 600_000}

Message = tuple[bytes, bytes]


def run() -> list[Figure]:
    fleet = make_fleet(DEVICES, SEED)
    topics = [readings_topic(device.region or "", device.id).encode() for device in fleet]
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="siaga-bench-") as folder:
        nats = Nats(Path(folder) / "nats")
        nats.start()
        try:
            for each, readings in BATCHES.items():
                city = City(fleet, SEED, time.time() - readings / RATE, rate=RATE)
                figures += _figures(nats, city, topics, each, readings)
        finally:
            nats.stop()
    return figures


def _figures(nats: Nats, city: City, topics: Sequence[bytes], each: int, readings: int) -> list[Figure]:
    made, sent, reference = [], [], []
    for _ in range(ROUNDS):
        before = list(_steps(city, topics, each, readings))
        with _cores_apart(nats):
            reference.append(_reference(nats.url, [message for step in before for message in step], each))
            sent.append(asyncio.run(_ours(nats.url, before, each)))
            made.append(asyncio.run(_ours(nats.url, _steps(city, topics, each, readings), each)))
    return [
        Figure(f"made and published, {each} a message", "readings/s", max(made), max(reference), BEFORE),
        Figure(f"published, {each} a message", "readings/s", max(sent), max(reference), BEFORE),
    ]


def _steps(city: City, topics: Sequence[bytes], each: int, readings: int) -> Iterator[list[Message]]:
    """What the city sends until about so many readings, as fast as it is asked for."""
    messages, at_ms, step_ms = Messages(city, each), city.start_ms, round(1000 * STEP / RATE)
    while at_ms < city.start_ms + 1000 * readings / RATE:
        yield [(topics[device], payload) for device, payload in messages.between(at_ms, at_ms + step_ms)]
        at_ms += step_ms


async def _ours(url: str, steps: Iterable[list[Message]], each: int) -> float:
    """Readings a second, from the first step asked for to the last acknowledgement."""
    publisher = Publisher(parse_url(url), "bench-ours", WINDOW)
    task = asyncio.create_task(publisher.run())
    while not publisher.connected:  # noqa: ASYNC110  # it has no event for it
        await asyncio.sleep(0.01)
    began = time.perf_counter()
    for step in steps:
        await publisher.publish_many(step)
        await asyncio.sleep(0)
    await publisher.drained()
    seconds = time.perf_counter() - began
    task.cancel()
    return publisher.acknowledged * each / seconds


def _reference(url: str, messages: Sequence[Message], each: int) -> float:
    """Readings a second of stock paho."""
    broker = parse_url(url)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bench-reference", clean_session=False)
    client.username_pw_set(broker.username, broker.password)
    # Its own window looks through all messages that wait for every acknowledgement; so ours is kept here, too.
    client.max_inflight_messages_set(0)
    client.max_queued_messages_set(0)
    acknowledged: list[Any] = []
    client.on_publish = lambda *_: acknowledged.append(None)
    client.connect(broker.host, broker.port)
    client.loop_start()
    while not client.is_connected():
        time.sleep(0.01)
    texts = [(topic.decode(), payload) for topic, payload in messages]
    began = time.perf_counter()
    for number, (topic, payload) in enumerate(texts):
        while number - len(acknowledged) >= WINDOW:
            time.sleep(0.0005)
        client.publish(topic, payload, qos=1)
    while len(acknowledged) < len(texts):
        time.sleep(0.001)
    seconds = time.perf_counter() - began
    client.disconnect()
    client.loop_stop()
    return len(texts) * each / seconds


@contextmanager
def _cores_apart(nats: Nats) -> Iterator[None]:
    """One core for us and another for the broker, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, cores[:1])
        for thread in Path(f"/proc/{nats.pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores[1:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
