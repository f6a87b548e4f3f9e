"""Runs against a broker: an invented city, a scenario, a recorded file. Each says whether all was acknowledged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import httpx

from devices.device import Device
from runtime.mqtt_url import Broker
from runtime.settings import Settings
from runtime.stop import stop_event
from simulator import feed
from simulator.backfill import publish_history, with_history
from simulator.mqtt.publish import Publisher
from simulator.obey import obeying
from simulator.plan import Plan
from simulator.play import Player
from simulator.progress import Progress
from simulator.register import RegisterError, register
from simulator.replay import rows
from simulator.replay_map import ReplayMap
from simulator.truth.folder import Clock
from simulator.truth.record import Record

# The server's SIAGA_LIVE_WINDOW_S, and a minute for packets on their way.
LATE_AFTER_MS = (900 + 60) * 1000
LIVE_WITHIN_MS = 60_000


@dataclass(frozen=True)
class Wanted:
    """What the command line asks of a run. plan_at: the plan, given the epoch s at which it begins where that is now.

    client_id: two runs at once must differ in it, or the broker would end the one for the other. speed: None is as
    fast as it goes. backfill_s: history before it, if any; live: something after that.
    """

    client_id: str
    fleet: Sequence[Device]
    plan_at: Callable[[float], Plan]
    speed: float | None
    truth: Path | None = None
    may_lose_s: float = 0.0
    backfill_s: float | None = None
    live: bool = True


@dataclass(frozen=True)
class Recorded:
    """A recorded file to replay. speed as above, of the times in the file."""

    client_id: str
    fleet: Sequence[Device]
    path: Path
    map: ReplayMap
    speed: float | None


class Run:
    """One run of some fleet."""

    def __init__(
        self,
        settings: Settings,
        broker: Broker,
        connections: int,
        in_flight: int,
        say: Callable[[str], None],
        fleet_file: Path | None,
    ) -> None:
        self._settings, self._broker = settings, broker
        self._connections, self._in_flight = connections, in_flight
        self._say, self._fleet_file = say, fleet_file

    async def play(self, wanted: Wanted) -> bool:
        """A plan to its end, or until a stop signal. Raises ValueError where a truth could not be told."""
        stop = stop_event()
        await self._register(wanted.fleet, stop)
        now = time.time()
        plan = wanted.plan_at(now)
        record = None
        if wanted.truth is not None:
            clock = _clock(plan, wanted.speed, round(now * 1000))
            record = Record(wanted.truth, plan, clock, round(now * 1000), wanted.may_lose_s)
        self._say(f"{plan.scenario}: {len(plan.fleet):,} devices, {plan.city.pace.rate:.1f} msg/s, seed {plan.seed}")
        async with feed.publishers(self._broker, wanted.client_id, self._connections, self._in_flight) as to:
            progress, player = Progress(to, self._say), Player(plan, wanted.speed, to, record)

            async def run() -> None:
                if wanted.backfill_s is not None:
                    await self._backfill(plan, wanted.backfill_s, to, progress)
                if wanted.live:
                    # A run that tells the truth obeys nobody: what comes of it is known beforehand.
                    own = (self._broker, wanted.client_id, plan)
                    async with nullcontext() if record else obeying(*own, lambda: player.at_ms):
                        await player.run(progress)

            try:
                await feed.until_stopped(run(), to, stop, progress)
                self._say(progress.summary())
                told = record is None or wanted.truth is None or self._tell(record, player.at_ms, wanted.truth)
                return told and progress.published == progress.acknowledged
            finally:
                if record:
                    record.close()

    async def file(self, wanted: Recorded) -> bool:
        """Every row of a recorded file."""
        stop, path, plan = stop_event(), wanted.path, wanted.map
        await self._register(wanted.fleet, stop)
        self._say(f"{len(wanted.fleet):,} devices from {path}, region {plan.region}")
        async with feed.publishers(self._broker, wanted.client_id, self._connections, self._in_flight) as to:
            progress = Progress(to, self._say)
            work = feed.replay(rows(path, plan), plan.region, to, wanted.speed, progress)
            refused = await feed.until_stopped(work, to, stop, progress)
            self._say(progress.summary())
            if refused:
                self._say(
                    f"{refused:,} rows were NOT sent: they are no readings by this map (the first are in the log)."
                )
            return refused == 0 and progress.published == progress.acknowledged

    async def _backfill(self, plan: Plan, seconds: float, to: Sequence[Publisher], progress: Progress) -> None:
        there = await self._with_history()
        sent = await publish_history(plan.city, seconds, there, to, progress)
        had = f"; {len(there):,} devices had readings already" if there else ""
        self._say(f"history: {sent:,} readings published{had}")

    def _tell(self, record: Record, end_ms: int, folder: Path) -> bool:
        """Write the truth; whether what the scenario expects is in it."""
        unmet = record.finish(end_ms)
        counts = ", ".join(f"{n:,} {outcome}" for outcome, n in record.outcomes.items() if n)
        self._say(f"truth in {folder}: {counts}. Compare: siaga verify --truth {folder}")
        for line in unmet:
            self._say(f"NOT as the scenario says: {line}")
        return not unmet

    async def _with_history(self) -> set[str]:
        url, key = self._settings.api_url, self._settings.api_key
        if not (url and key):
            return set()
        try:
            return await with_history(url, key.get_secret_value())
        except httpx.HTTPError as error:
            raise RegisterError(f"{url} does not tell which devices have readings: {error}") from None

    async def _register(self, fleet: Sequence[Device], stop: asyncio.Event) -> None:
        url, key = self._settings.api_url, self._settings.api_key
        if url and key:
            asked = asyncio.ensure_future(register(url, key.get_secret_value(), fleet))
            stopping = asyncio.ensure_future(stop.wait())
            await asyncio.wait([asked, stopping], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not asked.done():
                asked.cancel()
                raise RegisterError("stopped while waiting for the API")
            counts = asked.result()
            self._say("registered: " + ", ".join(f"{n:,} {what}" for what, n in counts.items()))
        else:
            file = self._fleet_file or "fleet.csv"
            first = "" if self._fleet_file else " (write it with --fleet-out fleet.csv)"
            self._say(f"register the fleet with: siaga devices import {file}{first}")


def _clock(plan: Plan, speed: float | None, now_ms: int) -> Clock:
    """Whether all of a run is past or all of it live: between the two nobody can say which alerts must page."""
    if speed == 1 and abs(plan.start_ms - now_ms) < LIVE_WITHIN_MS:
        return "live"
    if plan.end_ms + LATE_AFTER_MS <= now_ms:
        return "past"
    raise ValueError(
        "--truth: a run must be past as a whole (end more than 16 min ago: an earlier --start, or a shorter --for) "
        "or live as a whole (--speed 1 --start now)"
    )
