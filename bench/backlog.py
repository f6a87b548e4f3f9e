"""A backlog in the broker: a persistent session that is not there, and what is published for it meanwhile.

`python -m bench.backlog URL FILE` is the process that publishes: a line a message, topic, tab, payload.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from bench.lamps import Message
from runtime.log import setup
from runtime.mqtt_url import parse_url
from simulator.mqtt.publish import Publisher

FILTER = "siaga/v1/+/+/readings"
WINDOW = 5_000  # messages in flight
STEP = 1_000  # messages between two turns of the socket
PUBLISH_S = 600.0  # a deadline for what hangs
AGAIN_S = 0.5
WAIT_S = 30.0


class Written(NamedTuple):
    """A file of messages."""

    file: Path
    packets: int
    readings: int
    bytes: int


def write(file: Path, messages: Iterable[Message]) -> Written:
    packets = readings = size = 0
    with file.open("wb") as out:
        for message in messages:
            out.write(b"%b\t%b\n" % (message.topic.encode(), message.payload))
            packets, readings, size = packets + 1, readings + message.readings, size + len(message.payload)
    return Written(file, packets, readings, size)


def subscribe(url: str, client_id: str) -> None:
    """Have the broker keep what comes for this session. Raises RuntimeError when it will not."""
    client = _client(url, client_id, clean=False)
    answered: list[Any] = []
    client.on_subscribe = lambda *arguments: answered.append(arguments[3])
    connected: list[Any] = []
    client.on_connect = lambda *_: connected.append(None)
    _until(client, connected, "CONNACK")
    client.subscribe(FILTER, qos=1)
    _until(client, answered, "SUBACK")
    if any(code.is_failure for code in answered[0]):
        raise RuntimeError(f"the broker refuses to subscribe {client_id} to {FILTER}")
    client.disconnect()


def forget(url: str, client_id: str) -> None:
    """Have the broker forget the session and what it holds for it."""
    client = _client(url, client_id, clean=True)
    answered: list[Any] = []
    client.on_connect = lambda *_: answered.append(None)
    _until(client, answered, "CONNACK")
    client.disconnect()


def publish(url: str, file: Path) -> None:
    """Publish a file of messages from another process; all are acknowledged when this returns."""
    subprocess.run([sys.executable, "-m", "bench.backlog", url, str(file)], check=True, timeout=PUBLISH_S)


def _client(url: str, client_id: str, clean: bool) -> paho.Client:
    broker = parse_url(url)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=clean)
    client.username_pw_set(broker.username, broker.password)
    client.connect(broker.host, broker.port)
    return client


def _until(client: paho.Client, answered: list[Any], what: str) -> None:
    """Until it is answered. NATS turns away a client id whose last connection has only just ended: try again."""
    deadline = time.monotonic() + WAIT_S
    while not answered:
        if client.loop(0.1) and what == "CONNACK":
            time.sleep(AGAIN_S)
            client.reconnect()
        if time.monotonic() > deadline:
            raise RuntimeError(f"the broker has sent no {what} for {WAIT_S:.0f} s")


async def _publish(url: str, file: Path) -> None:
    publisher = Publisher(parse_url(url), "bench-publisher", WINDOW)
    running = asyncio.create_task(publisher.run())
    with file.open("rb") as lines:
        while step := list(_step(lines)):
            await publisher.publish_many(step)
            await asyncio.sleep(0)
    await publisher.drained()
    running.cancel()


def _step(lines: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    for _, line in zip(range(STEP), lines, strict=False):
        topic, _, payload = line[:-1].partition(b"\t")
        yield topic, payload


if __name__ == "__main__":
    setup("bench", "WARNING")
    asyncio.run(_publish(sys.argv[1], Path(sys.argv[2])))
