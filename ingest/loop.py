"""The hot loop: packets → batch → transitions → one commit → acknowledgement.

Promise: a packet is acknowledged only after what became of it is committed, and committing it twice changes nothing.
While one batch is committed the next is received and decoded; at most two batches are decoded at any time.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

import psycopg

from alerts.engine import Evaluated, evaluate
from devices.batch import Batch, Packet, Quarantined, Readings
from devices.checks import check
from devices.checks_memory import Learnt
from devices.fleet import Fleet
from ingest.counts import Counts
from ingest.decoders.choose import NATIVE_ONLY, Decoders
from ingest.ground import Ground, take_up
from ingest.intake import Limits, take_in
from ingest.mqtt import Session
from ingest.rounds import Rounds
from ingest.trouble import is_of_the_data
from runtime.log import get_logger
from runtime.settings import Settings
from runtime.stop import sleep_until
from storage.ingest_session import StandbyError
from storage.uplinks import settle
from storage.write import Written

log = get_logger(__name__)

PAUSE_FIRST_S = 0.2
STANDBY_PATIENCE_S = 10.0
# A batch waits once; if that makes it such a part of the largest, four times at most.
FAST, WAITS = 10, 4
DETAIL_MAX = 500
MIB = 1 << 20


class _Prepared(NamedTuple):
    """Packets and what they hold, as far as a fleet knows their devices."""

    packets: list[Packet]
    fleet: Fleet
    batch: Batch


class Loop:
    """Takes from the session and commits, one batch at a time."""

    def __init__(
        self,
        settings: Settings,
        session: Session,
        ground: Ground,
        stop: asyncio.Event,
        decoders: Decoders = NATIVE_ONLY,
    ) -> None:
        self._settings, self._session, self._stop = settings, session, stop
        self._ground: Ground | None = ground
        self._fleet = ground.fleet
        self._limits = Limits.of(settings)
        self._decoders = decoders
        self._taken: deque[Packet] = deque()  # from the session, not yet in a batch
        self._oldest: datetime | None = None  # arrival of what is being committed
        self.counts = Counts()
        self._rounds = Rounds(settings, session, self._limits, decoders, self.counts, self._write, self._store)
        self.trouble = ""  # why nothing is committed just now

    @property
    def devices(self) -> int:
        """How many devices are known."""
        return len(self._fleet)

    @property
    def lag_s(self) -> float:
        """From arrival to commit: of the last batch, or of the one that is still being tried."""
        trying_s = (datetime.now(UTC) - self._oldest).total_seconds() if self._oldest else 0.0
        return max(self.counts.lag_s, trying_s)

    async def run(self) -> None:
        """Until asked to stop. Raises StandbyError or ClashError when another process has taken over."""
        preparing = asyncio.create_task(self._prepare())
        try:
            while not self._stop.is_set():
                done, _ = await asyncio.wait([preparing], timeout=max(self._rounds.due_in_s, 0))
                if not done:
                    await self._keep(self._rounds.look)
                    continue
                prepared, preparing = preparing.result(), asyncio.create_task(self._prepare())
                self._oldest = prepared.packets[0].received_at if prepared.packets else None
                if prepared.packets and await self._keep(partial(self._commit, prepared)):
                    self._session.acknowledge(prepared.packets)
                    self._oldest = None
                if self._rounds.due_in_s <= 0:
                    await self._keep(self._rounds.look)
        finally:
            preparing.cancel()
            if self._ground is not None:
                await self._ground.close()

    async def _prepare(self) -> _Prepared:
        """Decode what has arrived, while the batch before is being committed."""
        packets = await self._next()
        return _Prepared(packets, self._fleet, take_in(packets, self._fleet, self._limits, self._decoders))

    async def _next(self) -> list[Packet]:
        """What has arrived, bounded in packets and bytes; nothing when woken to stop."""
        most = self._settings.batch_max
        if not self._taken:
            self._taken += await self._session.take(most)
            await self._wait_for_more(most)
        elif len(self._taken) < most:
            self._taken += self._session.ready(most - len(self._taken))
        # Decoded, a byte of JSON takes about ten: arrays of a thousand readings must not multiply by 5,000 packets.
        packets, size = [], 0
        while self._taken and size < self._settings.batch_max_mb * MIB:
            packets.append(self._taken.popleft())
            size += len(packets[-1].payload)
        return packets

    async def _wait_for_more(self, most: int) -> None:
        """500 small commits a second cost a whole core; waiting a moment makes them 30, and nobody notices.

        Where packets come fast it is worth to wait on: a commit costs 6 ms of CPU, and 10 µs a packet.
        """
        wait_s = self._settings.batch_wait_ms / 1000
        for _ in range(WAITS if wait_s else 0):
            if len(self._taken) >= most:
                return
            await asyncio.sleep(wait_s)
            self._taken += self._session.ready(most - len(self._taken))
            if len(self._taken) < most / FAST:
                return

    async def _keep(self, work: Callable[[Ground], Awaitable[None]]) -> bool:
        """Do what needs the database, as often as it takes. False when asked to stop before it was done."""
        pause_s, began = PAUSE_FIRST_S, time.monotonic()
        while True:
            try:
                if self._ground is None:
                    self._ground = await take_up(self._settings, self._decoders.filters())
                await work(self._ground)
                self._fleet = self._ground.fleet
            except psycopg.Error as error:
                await self._let_go(error)
                # A connection that does not read costs the broker memory and may be cut in the middle of a packet.
                if time.monotonic() - began > self._settings.ingest_let_go_s and not self._session.is_let_go:
                    self._session.let_go()
                if await sleep_until(self._stop, pause_s):
                    return False
                pause_s = min(pause_s * 2, self._settings.database_retry_max_s)
            except StandbyError:
                # The server may hold the lock for our own lost connection a little longer.
                if time.monotonic() - began > STANDBY_PATIENCE_S:
                    raise
                if await sleep_until(self._stop, PAUSE_FIRST_S):
                    return False
            else:
                if self.trouble:
                    log.info("database.back")
                    self.trouble = ""
                if self._session.is_let_go:
                    self._session.take_up()
                return True

    async def _commit(self, prepared: _Prepared, ground: Ground) -> None:
        began = time.perf_counter()
        packets, fleet, batch = prepared
        # A device may publish the moment after it was registered: ask before it is called unknown.
        if any(each.reason == "unknown_device" for each in batch.quarantined):
            await ground.look_for_devices()
        if fleet is not ground.fleet:  # numbers of devices belong to their fleet
            batch = take_in(packets, ground.fleet, self._limits, self._decoders)
        await self._store(ground, batch)
        self.counts.batch(packets, batch, time.perf_counter() - began, datetime.now(UTC))

    async def _store(self, ground: Ground, batch: Batch) -> list[Written]:
        """Commit a batch; what the database refuses is found by halving, and its neighbours are stored."""
        try:
            readings = [await self._settled(ground, each) for each in batch.readings]
            checked = check(ground.memory, ground.fleet, readings)
            evaluated = evaluate(ground.engine, ground.fleet, checked.readings)
            return [await self._write(ground, replace(batch, readings=checked.readings), evaluated, checked.learnt)]
        except psycopg.Error as error:
            if not is_of_the_data(error) or not batch.readings:
                raise
            if batch.size > 1:
                return [written for half in batch.halves() for written in await self._store(ground, half)]
            return await self._store(ground, _poison(batch, error))

    async def _settled(self, ground: Ground, readings: Readings) -> Readings:
        """Copies of one radio frame under one time."""
        if not self._decoders:
            return readings
        senders = [self._decoders.of(packet.topic) for packet in readings.packet]
        rows = [row for row, sender in enumerate(senders) if sender is not None and sender.is_uplink]
        return await settle(ground.conn, readings, rows, self._settings.uplink_copy_s)

    async def _write(
        self, ground: Ground, batch: Batch, evaluated: Evaluated, learnt: Sequence[Learnt] = ()
    ) -> Written:
        written = await ground.writer.write(batch, evaluated, datetime.now(UTC), learnt)
        ground.engine.apply(evaluated)
        ground.memory.apply(learnt)
        self.counts.written(written)
        return written

    async def _let_go(self, error: psycopg.Error) -> None:
        """Give up the connection: whether the last commit took place can only be read from the database."""
        text = str(error).strip() or type(error).__name__
        if text != self.trouble:  # an error repeats in the log only if its text changed
            log.error("database.away", error=text)
        self.trouble = text
        if self._ground is not None:
            await self._ground.close()
            self._ground = None


def _poison(batch: Batch, error: psycopg.Error) -> Batch:
    """One reading that the database refuses, as a quarantine entry."""
    readings = batch.readings[0]
    packet = readings.packet[0]
    detail = f"{error.sqlstate}: {error}"[:DETAIL_MAX]
    log.error("reading.refused_by_database", topic=packet.topic, error=detail)
    entry = Quarantined(
        "storage", readings.device_id[0], packet.topic, readings.payload(0), detail, packet.received_at,
        readings.ts(0),
    )  # fmt: skip
    return Batch([], [entry], 0)
