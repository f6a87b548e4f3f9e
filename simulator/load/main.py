"""`siaga simulate --load`: as many readings a second as asked for, from one process per core, and how long they take.

The fleet is registered first where SIAGA_API_URL and SIAGA_API_KEY are set. Every process has its own connections and
its own share of devices and rate (load/worker.py); probes (load/probe.py) measure what only a reader of the API can
see.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from devices.device import Device
from runtime.mqtt_url import parse_url
from runtime.stop import stop_event
from simulator.feed import DRAIN_AFTER_STOP_S
from simulator.fleet import make_fleet
from simulator.load.latency import Histogram, table
from simulator.load.probe import Probes
from simulator.load.worker import Share, Told
from simulator.mqtt.packets import PACKET_IDS
from simulator.pace import schedule
from simulator.regions import dealt
from simulator.register import PER_REQUEST, RegisterError, register

EVERY_S = 5.0
BATCH_MAX = 1_000  # what ingest takes in one payload unless SIAGA_ARRAY_MAX says more
# After its drain a process that still has not ended is killed.
END_S = DRAIN_AFTER_STOP_S + 5.0


@dataclass(frozen=True)
class LoadOptions:
    """rate: readings a second of all devices; batch: readings of one device in a message; seconds None: until stopped.

    connections and in_flight (messages) are over all processes; processes None: one a core. probes_per_s: 0 for none.
    """

    mqtt_url: str = field(repr=False)
    devices: int = 50_000
    rate: float = 20_000.0
    batch: int = 1
    connections: int = 4
    in_flight: int = 5_000
    seconds: float | None = None
    processes: int | None = None
    seed: int = 1
    regions: tuple[str, ...] = ("12.09",)
    client_id: str = "siaga-load"
    api_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    probes_per_s: float = 2.0
    log_level: str = "INFO"


def run_load(options: LoadOptions, say: Callable[[str], None] = print) -> bool:
    """Run a load; True when everything published was acknowledged.

    Raises ValueError naming the option and its limit, RateError, RegisterError.
    """
    return asyncio.run(_Load(options, say).run())


def shares(options: LoadOptions, devices: Sequence[Device]) -> list[Share]:
    """The share of every process. Raises ValueError naming the option, RateError when a rate cannot be reached."""
    parse_url(options.mqtt_url)
    count = min(options.processes or os.cpu_count() or 1, len(devices))
    connections = max(options.connections, count)  # a process has one at least
    for name, value, least, most in (
        ("--batch", options.batch, 1, BATCH_MAX),
        ("--processes", count, 1, 1_000),
        ("--in-flight", options.in_flight, connections, connections * (PACKET_IDS - 1)),
    ):
        if not least <= value <= most:
            raise ValueError(f"{name} {value:,}: {least:,} to {most:,} with {connections} connections")
    made = []
    for number in range(count):
        kinds = [device.kind for device in devices[number::count]]
        rate = options.rate * len(kinds) / len(devices)
        schedule(kinds, rate)
        own = connections // count + (number < connections % count)
        made.append(
            Share(
                number=number,
                of=count,
                mqtt_url=options.mqtt_url,
                client_id=f"{options.client_id}-{number + 1}",
                devices=options.devices,
                seed=options.seed,
                regions=options.regions,
                rate=rate,
                batch=options.batch,
                connections=own,
                in_flight=max(options.in_flight * own // connections, own),
                seconds=options.seconds,
                log_level=options.log_level,
            )
        )
    return made


class Worker:
    """A process of a load, as the one that started it sees it."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._process: asyncio.subprocess.Process | None = None
        self.told = Told()

    async def run(self) -> int:
        """Start it and listen to it until it ends; its exit code, 0 when all it published was acknowledged."""
        # A session of its own: Ctrl-C is for us, and we tell it to stop.
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "simulator.load.worker",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(asdict(self._share)).encode() + b"\n")
            async for line in process.stdout:
                self.told = Told(**json.loads(line))
            return await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def stop(self) -> None:
        """Ask it to publish no more and to end."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()


class _Load:
    """One run: what its parts share."""

    def __init__(self, options: LoadOptions, say: Callable[[str], None]) -> None:
        self._options, self._say = options, say

    async def run(self) -> bool:
        stop = stop_event()
        options = self._options
        fleet = await asyncio.to_thread(make_fleet, options.devices, options.seed, options.regions[0])
        fleet = dealt(fleet, options.regions)
        workers = [Worker(share) for share in shares(options, fleet)]
        await self._register(fleet, stop)
        self._introduce(len(workers))
        probes = self._probes()
        probing = None if probes is None else asyncio.create_task(probes.run())
        codes = await self._until_all_ended(workers, stop)
        if probes is not None and probing is not None:
            probes.stop()
            await probing
        return self._account(workers, codes, probes)

    async def _register(self, fleet: Sequence[Device], stop: asyncio.Event) -> None:
        url, key = self._options.api_url, self._options.api_key
        if not (url and key):
            self._say("the fleet is not registered: without SIAGA_API_URL and SIAGA_API_KEY readings of devices that")
            self._say("nobody has imported (siaga devices import) go to quarantine as unknown_device")
            return
        for at in range(0, len(fleet), PER_REQUEST):
            if stop.is_set():
                raise RegisterError("stopped while the fleet was being registered")
            await register(url, key, fleet[at : at + PER_REQUEST])
            self._say(f"registered {min(at + PER_REQUEST, len(fleet)):,} of {len(fleet):,} devices")

    def _introduce(self, processes: int) -> None:
        options = self._options
        self._say(
            f"{options.devices:,} devices, {options.rate:,.1f} readings/s in {options.rate / options.batch:,.1f} msg/s"
            f" from {processes} processes, seed {options.seed}"
        )
        if options.batch > 1:
            span_s = options.batch * options.devices / options.rate
            self._say(f"a message holds {options.batch} readings of one device, about {span_s:,.1f} s of its life")

    def _probes(self) -> Probes | None:
        options = self._options
        if not (options.api_url and options.api_key) or options.probes_per_s <= 0:
            return None
        return Probes(
            options.mqtt_url, f"{options.client_id}-probe", options.api_url, options.api_key, options.regions[0],
            options.probes_per_s,
        )  # fmt: skip

    async def _until_all_ended(self, workers: Sequence[Worker], stop: asyncio.Event) -> list[int]:
        """Exit codes. A stop, or one worker that fails, stops all: less than the load asked for measures nothing."""
        running = [asyncio.create_task(worker.run()) for worker in workers]
        telling = asyncio.create_task(self._tell(workers))
        stopping = asyncio.create_task(stop.wait())
        try:
            waiting: set[asyncio.Task[Any]] = {*running, stopping}
            while len(waiting) > 1 and not stopping.done():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if any(task.result() for task in done):
                    break
            for worker in workers:
                worker.stop()
            ended, _ = await asyncio.wait(running, timeout=END_S)
            return [task.result() if task in ended else -signal.SIGKILL for task in running]
        finally:
            for task in (*running, telling, stopping):
                task.cancel()
            await asyncio.wait(running)

    async def _tell(self, workers: Sequence[Worker]) -> None:
        """A line every few seconds, until cancelled."""
        began = at = time.monotonic()
        before = _total(workers)
        while True:
            await asyncio.sleep(EVERY_S)
            now, total = time.monotonic(), _total(workers)
            seconds = now - at
            parts = [
                f"{now - began:5.0f} s",
                f"{(total.readings - before.readings) / seconds:,.0f} readings/s",
                f"published {(total.published - before.published) / seconds:,.0f} msg/s",
                f"acknowledged {(total.acknowledged - before.acknowledged) / seconds:,.0f} msg/s",
                f"in flight {total.published - total.acknowledged:,}",
                f"lag {total.lag_s:.1f} s",
                f"{total.away} connections down" if total.away else "",
            ]
            self._say("  ".join(part for part in parts if part))
            at, before = now, total

    def _account(self, workers: Sequence[Worker], codes: Sequence[int], probes: Probes | None) -> bool:
        """Say what became of it all."""
        total = _total(workers)
        waits = Histogram()
        for worker in workers:
            waits.merge(worker.told.histogram())
        rows = {"publish → ack": waits}
        if probes is None:
            self._say("no probes of commits, alerts and SSE: they need SIAGA_API_URL and SIAGA_API_KEY")
        else:
            rows |= probes.rows()
        for line in (*table(rows), *(probes.notes() if probes else ())):
            self._say(line)
        failed = [f"process {number} ended with {code}" for number, code in enumerate(codes, 1) if code]
        missing = total.published - total.acknowledged + (probes.unacknowledged if probes else 0)
        text = (
            f"published {total.published:,} messages with {total.readings:,} readings, acknowledged "
            f"{total.acknowledged:,}, {total.reconnections} reconnections"
        )
        if missing or failed:
            self._say(f"Ended: {text}. NOT acknowledged: {missing:,}. {', '.join(failed)}".rstrip())
            return False
        self._say(f"Done: {text}. Every message was acknowledged by the broker.")
        return True


def _total(workers: Sequence[Worker]) -> Told:
    told = [worker.told for worker in workers]
    return Told(
        published=sum(each.published for each in told),
        acknowledged=sum(each.acknowledged for each in told),
        readings=sum(each.readings for each in told),
        lag_s=max(each.lag_s for each in told),
        reconnections=sum(each.reconnections for each in told),
        away=sum(each.away for each in told),
    )
