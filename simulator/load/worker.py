"""One process of a load: its share of the fleet, made and published as fast as its share of the rate asks for.

Started by load/main.py, which gives it a Share as one JSON line on standard input and reads a Told a second from its
standard output. It ends when its time is over, on SIGTERM, or when that input ends: also when whoever started it
was killed. Everything that was published is waited for, after a stop for DRAIN_AFTER_STOP_S.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from devices.topics import readings_topic
from runtime.log import setup
from runtime.mqtt_url import parse_url
from runtime.stop import stop_event
from simulator.city import City
from simulator.feed import DRAIN_AFTER_STOP_S, drain, publishers
from simulator.fleet import make_fleet
from simulator.load.latency import Histogram
from simulator.load.payloads import Messages
from simulator.mqtt.publish import Publisher
from simulator.regions import dealt

TICK_S = 0.02
AT_ONCE = 10_000  # readings made in one step while catching up: 25 ms of work
TELL_S = 1.0


@dataclass(frozen=True)
class Share:
    """Devices number, number + of, … of the fleet; rate: readings a second of these; seconds None: until stopped."""

    number: int
    of: int
    mqtt_url: str = field(repr=False)
    client_id: str
    devices: int
    seed: int
    regions: tuple[str, ...]
    rate: float
    batch: int
    connections: int
    in_flight: int
    seconds: float | None
    log_level: str


@dataclass(frozen=True)
class Told:
    """Where a process is. readings are those published; waits: bucket → messages, given at the end."""

    published: int = 0
    acknowledged: int = 0
    readings: int = 0
    lag_s: float = 0.0
    reconnections: int = 0
    away: int = 0  # connections that are down
    waits: dict[int, int] | None = None
    longest_s: float = 0.0

    def histogram(self) -> Histogram:
        made = Histogram(greatest_s=self.longest_s)
        for bucket, number in (self.waits or {}).items():
            made.counts[int(bucket)] = number
        return made


class Lane:
    """One connection with the moments at which its messages were due to leave, until they are acknowledged."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._given: dict[int, float] = {}
        self._waits: list[float] = []
        publisher.on_acknowledged = self._acknowledged

    async def send(self, messages: list[tuple[bytes, bytes]]) -> None:
        """Waiting for room in the window is part of how long a message takes."""
        first = self._publisher.published
        self._given.update(dict.fromkeys(range(first, first + len(messages)), time.perf_counter()))
        await self._publisher.publish_many(messages)

    def waits(self) -> list[float]:
        """Seconds from send to acknowledgement, of messages acknowledged since the last call."""
        taken, self._waits = self._waits, []
        return taken

    def _acknowledged(self, number: int) -> None:
        self._waits.append(time.perf_counter() - self._given.pop(number))


class Work:
    """The share's city on its connections."""

    def __init__(self, share: Share, to: list[Publisher]) -> None:
        self._share, self._publishers = share, to
        self._lanes = [Lane(publisher) for publisher in to]
        fleet = dealt(make_fleet(share.devices, share.seed, share.regions[0]), share.regions)
        devices = fleet[share.number :: share.of]
        self._topics = [readings_topic(d.region or "", d.id).encode() for d in devices]
        self._city = City(devices, share.seed, time.time(), rate=share.rate)
        self._messages = Messages(self._city, share.batch)
        self._cursor = self._city.start_ms
        self._waits = Histogram()

    async def run(self) -> None:
        """Publish what is due, until the time is over; what a broker that was away held up is made up for."""
        share = self._share
        until_ms = None if share.seconds is None else self._city.start_ms + round(1000 * share.seconds)
        step_ms = max(int(1000 * AT_ONCE / share.rate), 1)
        while until_ms is None or self._cursor < until_ms:
            upto = min(int(time.time() * 1000), self._cursor + step_ms)
            if until_ms is not None:
                upto = min(upto, until_ms)
            if upto > self._cursor:
                await self._publish(upto)
            if time.time() * 1000 - self._cursor < 1000 * TICK_S:
                await asyncio.sleep(TICK_S)

    def told(self, at_end: bool = False) -> Told:
        for lane in self._lanes:
            self._waits.add(lane.waits())
        counts, published = self._waits.counts, sum(p.published for p in self._publishers)
        return Told(
            published=published,
            acknowledged=sum(p.acknowledged for p in self._publishers),
            readings=published * self._share.batch,
            lag_s=max(time.time() - self._cursor / 1000, 0.0),
            reconnections=sum(max(p.connections - 1, 0) for p in self._publishers),
            away=sum(not p.connected for p in self._publishers),
            waits={int(b): int(counts[b]) for b in counts.nonzero()[0]} if at_end else None,
            longest_s=self._waits.greatest_s,
        )

    async def _publish(self, upto: int) -> None:
        lanes: list[list[tuple[bytes, bytes]]] = [[] for _ in self._lanes]
        for device, payload in self._messages.between(self._cursor, upto):
            lanes[device % len(lanes)].append((self._topics[device], payload))  # a device keeps its connection
        await asyncio.gather(*(lane.send(messages) for lane, messages in zip(self._lanes, lanes, strict=True)))
        self._cursor = upto


async def work(share: Share) -> bool:
    """The whole of it; True when everything published was acknowledged."""
    stop = stop_event()
    _stop_at_end_of_input(stop)
    async with publishers(parse_url(share.mqtt_url), share.client_id, share.connections, share.in_flight) as to:
        here = Work(share, to)
        telling = asyncio.create_task(_tell(here))
        running = asyncio.create_task(here.run())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            running.cancel()
            await asyncio.wait([running])
            draining = asyncio.create_task(drain(to))
            await asyncio.wait([draining, stopping], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait([draining], timeout=DRAIN_AFTER_STOP_S)
            draining.cancel()
        finally:
            for task in (running, stopping, telling):
                task.cancel()
        last = here.told(at_end=True)
        _say(asdict(last))
        return last.published == last.acknowledged


def _stop_at_end_of_input(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def ended() -> None:  # nothing more is ever written to it
        loop.remove_reader(sys.stdin.fileno())
        stop.set()

    loop.add_reader(sys.stdin.fileno(), ended)


async def _tell(here: Work) -> None:
    while True:
        await asyncio.sleep(TELL_S)
        _say(asdict(here.told()))


def _say(told: dict[str, Any]) -> None:
    print(json.dumps(told), flush=True)


def main() -> None:
    share = Share(**json.loads(sys.stdin.readline()))
    setup(f"load-{share.number + 1}", share.log_level)
    try:
        done = asyncio.run(work(share))
    except BrokenPipeError:  # nobody reads any more
        done = False
    sys.exit(0 if done else 1)


if __name__ == "__main__":
    main()
