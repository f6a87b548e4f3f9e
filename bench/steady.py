"""A steady stream of readings, for benchmarks that last: `python -m bench.steady URL DEVICES RATE` is its process.

It publishes what the lamps measure, as they measure it, until its standard input ends; says every second how many
messages are acknowledged, and at the end, as JSON, how many of each device were.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.ingest.competitor import ROOT, python, stop
from bench.lamps import SEED, lamps
from devices.topics import readings_topic
from runtime.log import setup
from runtime.mqtt_url import parse_url
from simulator.city import City
from simulator.load.payloads import Messages
from simulator.mqtt.publish import Publisher

WINDOW, STEP_S, SAY_S = 5_000, 0.05, 1.0
END_S = 60.0


class Stream:
    """The publishing process, seen from outside."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._last = "0"
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    @property
    def acknowledged(self) -> int:
        """Messages, a second ago at most."""
        return int(self._last)

    def end(self) -> list[int]:
        """Stop publishing; how many readings of each device are acknowledged: all that were published."""
        assert self._process.stdin
        self._process.stdin.close()
        self._listening.join(END_S)
        counts: list[int] = json.loads(self._last)
        return counts

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._last = line


@contextmanager
def stream(url: str, devices: int, rate: float) -> Iterator[Stream]:
    command = python("bench.steady", url, devices, rate)
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Stream(process)
    finally:
        stop(process)


async def _publish(url: str, count: int, rate: float) -> None:
    devices = lamps(count)
    topics = [readings_topic(device.region or "", device.id).encode() for device in devices]
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    publisher = Publisher(parse_url(url), "bench-stream", WINDOW)
    running = asyncio.create_task(publisher.run())
    city = City(devices, SEED, time.time(), rate=rate)
    messages, sent, at_ms, said = Messages(city, 1), [0] * count, city.start_ms, 0.0
    while not ended.is_set():
        now_ms = round(time.time() * 1000)
        due = list(messages.between(at_ms, now_ms))
        await publisher.publish_many((topics[device], payload) for device, payload in due)
        for device, _ in due:
            sent[device] += 1
        at_ms = now_ms
        if time.monotonic() >= said + SAY_S:
            said = time.monotonic()
            print(publisher.acknowledged, flush=True)
        await asyncio.sleep(STEP_S)
    await publisher.drained()
    running.cancel()
    print(json.dumps(sent), flush=True)


if __name__ == "__main__":
    setup("bench", "WARNING")
    asyncio.run(_publish(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
