"""The hot loop: packets → batch → transitions → one commit → acknowledgement.

Promise: a packet is acknowledged only after what became of it is committed, and committing it twice changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import psycopg

from alerts.engine import Evaluated, evaluate
from alerts.silence import find_silent
from devices.batch import Batch, Packet, Quarantined
from devices.topics import parse_topic
from ingest.counts import Counts
from ingest.ground import Ground, StandbyError, take_up
from ingest.intake import STRANGER, Limits, take_in
from ingest.mqtt import Received, Session
from ingest.trouble import is_of_the_data
from runtime.log import get_logger
from runtime.settings import Settings
from runtime.stop import sleep_until

log = get_logger(__name__)

PAUSE_FIRST_S = 0.2
STANDBY_PATIENCE_S = 10.0
DETAIL_MAX = 500


class Loop:
    """Takes from the session and commits, one batch at a time."""

    def __init__(self, settings: Settings, session: Session, ground: Ground, stop: asyncio.Event) -> None:
        self._settings, self._session, self._stop = settings, session, stop
        self._ground: Ground | None = ground
        self._limits = Limits.of(settings)
        self._next_devices = self._next_silent = 0.0
        self.counts = Counts()
        self.trouble = ""  # why nothing is committed just now

    async def run(self) -> None:
        """Until asked to stop. Raises StandbyError when another process has taken over."""
        while not self._stop.is_set():
            if self._due_in_s() <= 0:
                await self._keep([])
            received = await self._next()
            if received and await self._keep([each.packet for each in received]):
                self._session.acknowledge(received)
        if self._ground is not None:
            await self._ground.close()

    async def _next(self) -> list[Received]:
        """What has arrived; nothing when it is time to look around, or when woken to stop."""
        most = self._settings.batch_max
        try:
            async with asyncio.timeout(max(self._due_in_s(), 0.0)):
                received = await self._session.take(most)
        except TimeoutError:
            return []
        if len(received) < most and self._settings.batch_wait_ms:
            # 500 small commits a second cost a whole core; waiting a moment makes them 30, and nobody notices.
            await asyncio.sleep(self._settings.batch_wait_ms / 1000)
            received += self._session.ready(most - len(received))
        return received

    async def _keep(self, packets: Sequence[Packet]) -> bool:
        """Commit what these packets hold; without packets, look around. False when asked to stop before that."""
        pause_s, began = PAUSE_FIRST_S, time.monotonic()
        while True:
            try:
                if self._ground is None:
                    self._ground = await take_up(self._settings)
                await (self._commit(self._ground, packets) if packets else self._look_around(self._ground))
            except psycopg.Error as error:
                if packets and is_of_the_data(error):
                    return await self._isolate(packets, error)
                await self._let_go(error)
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
                return True

    async def _commit(self, ground: Ground, packets: Sequence[Packet]) -> None:
        began = time.perf_counter()
        batch = take_in(packets, ground.fleet, self._limits)
        # A device may publish the moment after it was registered: ask before it is called unknown.
        if any(each.reason == "unknown_device" for each in batch.quarantined) and await ground.look_for_devices():
            batch = take_in(packets, ground.fleet, self._limits)
        await self._write(ground, batch, evaluate(ground.engine, ground.fleet, batch.readings))
        self.counts.batch(len(packets), batch.unknown_fields, time.perf_counter() - began)

    async def _write(self, ground: Ground, batch: Batch, evaluated: Evaluated) -> None:
        written = await ground.writer.write(batch, evaluated, datetime.now(UTC))
        ground.engine.apply(evaluated)
        self.counts.written(written)

    def _due_in_s(self) -> float:
        """When to look around again."""
        return min(self._next_silent, self._next_devices) - time.monotonic()

    async def _look_around(self, ground: Ground) -> None:
        """At their times: devices that were registered, devices that fell silent."""
        now = time.monotonic()
        if now >= self._next_devices:
            self._next_devices = now + self._settings.fleet_reload_s
            await ground.look_for_devices()
        # While we cannot hear nobody is silent.
        if now >= self._next_silent and (since := self._session.subscribed_since) is not None:
            silent = find_silent(ground.engine, ground.fleet, datetime.now(UTC), since)
            if silent.transitions:
                await self._write(ground, Batch([], [], 0), silent)
        if now >= self._next_silent:
            self._next_silent = now + self._settings.stale_check_s

    async def _isolate(self, packets: Sequence[Packet], error: psycopg.Error) -> bool:
        """The database refuses something in here: find the packet by halving, and keep it in quarantine."""
        if len(packets) > 1:
            middle = len(packets) // 2
            return await self._keep(packets[:middle]) and await self._keep(packets[middle:])
        (packet,) = packets
        topic = parse_topic(packet.topic)
        device = self._ground.fleet.get(topic.device_id) if self._ground and topic else None
        entry = Quarantined(
            "storage", device.id if device else STRANGER, packet.topic, packet.payload,
            f"{error.sqlstate}: {error}"[:DETAIL_MAX], packet.received_at, packet.received_at,
        )  # fmt: skip
        log.error("packet.refused_by_database", topic=packet.topic, error=entry.detail)
        assert self._ground is not None
        await self._write(self._ground, Batch([], [entry], 0), Evaluated([], {}, {}, {}))
        return True

    async def _let_go(self, error: psycopg.Error) -> None:
        """Give up the connection: whether the last commit took place can only be read from the database."""
        text = str(error).strip() or type(error).__name__
        if text != self.trouble:  # an error repeats in the log only if its text changed
            log.error("database.away", error=text)
        self.trouble = text
        if self._ground is not None:
            await self._ground.close()
            self._ground = None
