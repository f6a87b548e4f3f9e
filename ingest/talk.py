"""Beside the stream of readings: devices are heard (status, results) and told (commands), by the one ingest process of
their regions. It takes no part in the hot loop: MQTT sessions, connections to the database and pauses are its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

from devices.batch import Packet
from devices.topics import result_filters, status_filters
from ingest import metrics
from ingest.hear import Outcome, hear_results, hear_status
from ingest.mqtt import Session
from ingest.tell import TellError, tell
from runtime.log import get_logger
from runtime.mqtt_url import Broker
from runtime.settings import Settings, require
from runtime.stop import sleep_until
from storage import commands
from storage.connect import conninfo

log = get_logger(__name__)

Conn = psycopg.AsyncConnection[Any]
Hear = Callable[[Conn, Sequence[Packet]], Awaitable[dict[Outcome, int]]]

PACKETS_AT_ONCE, PACKETS_HELD, BYTES_HELD = 1_000, 5_000, 4 << 20
# A connection each: one of TLS costs some 20 ms, and nobody waits longer than that for those before.
TOLD_AT_ONCE = 200
PAUSE_FIRST_S = 0.2
CONNECTIONS = 3
WAIT_S = 3.0


class Talk:
    """Two sessions that hear, and connections that tell."""

    def __init__(self, settings: Settings, broker: Broker, session_id: str) -> None:
        self._settings, self._broker = settings, broker
        self._name = session_id
        self._regions = None if "+" in settings.regions else list(settings.regions)
        self._stop = asyncio.Event()
        self._troubles: dict[str, str] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Hear and tell until asked to stop."""
        url = require(self._settings.database_url, "SIAGA_DATABASE_URL")
        pool: AsyncConnectionPool[Conn] = AsyncConnectionPool(
            conninfo(url, "ingest talk"), kwargs={"autocommit": True}, min_size=1, max_size=CONNECTIONS,
            timeout=WAIT_S, check=AsyncConnectionPool.check_connection, open=False, name="talk",
            # As for the pools of the API: a promoted database is found within this.
            reconnect_timeout=WAIT_S,
        )  # fmt: skip
        await pool.open()
        # Two sessions: NATS counts the filters of one together, and three regions fill it (deploy/nats/siaga.conf).
        status = self._session("status", status_filters(self._settings.regions))
        results = self._session("results", result_filters(self._settings.regions))
        over = asyncio.Event()  # the sessions outlive what hears, so that the last packets are acknowledged
        listening = [asyncio.create_task(each.run(over)) for each in (status, results)]
        working = [
            asyncio.create_task(self._hear("status", status, hear_status, pool)),
            asyncio.create_task(self._hear("result", results, hear_results, pool)),
            asyncio.create_task(self._tell(pool)),
        ]
        stopping = asyncio.create_task(stop.wait())
        try:
            # None of them ends by itself: where one does, it is by a bug, and the process had better begin anew.
            await asyncio.wait([stopping, *listening, *working], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            self._stop.set()
            for session in (status, results):
                session.wake()
            await asyncio.wait(working, timeout=WAIT_S)
            over.set()
            for task in working:
                task.cancel()
            ended = await asyncio.gather(*listening, *working, return_exceptions=True)
            await pool.close(1.0)
        for error in ended:
            if isinstance(error, Exception):
                raise error

    def _session(self, what: str, filters: list[str]) -> Session:
        return Session(self._broker, f"{self._name}-{what}", filters, PACKETS_HELD, BYTES_HELD)

    async def _hear(self, what: str, session: Session, hear: Hear, pool: AsyncConnectionPool[Conn]) -> None:
        while not self._stop.is_set():
            packets = await session.take(PACKETS_AT_ONCE)
            if not packets:
                continue

            async def take_over(conn: Conn, packets: list[Packet] = packets) -> None:
                for outcome, number in (await hear(conn, packets)).items():
                    metrics.SAID.labels(what, outcome).inc(number)

            if await self._kept(what, pool, take_over):
                session.acknowledge(packets)

    async def _tell(self, pool: AsyncConnectionPool[Conn]) -> None:
        pause_s = PAUSE_FIRST_S
        while not self._stop.is_set():
            found: list[commands.Due] = []

            async def look(conn: Conn, found: list[commands.Due] = found) -> None:
                home, now = self._settings.region, datetime.now(UTC)
                found += await commands.due(conn, self._regions, home, now, TOLD_AT_ONCE)

            if not await self._kept("command", pool, look):
                return
            try:
                done = await self._told(found)
            except TellError as error:
                self._complain("tell", "commands.not_sent", str(error))
                await sleep_until(self._stop, pause_s)
                pause_s = min(pause_s * 2, self._settings.command_poll_s * 20)
                continue
            self._troubles.pop("tell", None)
            pause_s = PAUSE_FIRST_S
            if done:
                await self._kept("command", pool, partial(_are_sent, done))
                metrics.TOLD.inc(len(done))
                log.info("commands.sent", count=len(done))
            if len(found) < TOLD_AT_ONCE:
                await sleep_until(self._stop, self._settings.command_poll_s)

    async def _told(self, found: list[commands.Due]) -> list[str]:
        if not found:
            return []
        return await asyncio.to_thread(tell, self._broker, f"{self._name}-commands", found, lambda: datetime.now(UTC))

    async def _kept(self, what: str, pool: AsyncConnectionPool[Conn], work: Callable[[Conn], Awaitable[None]]) -> bool:
        """Do what needs the database, as often as it takes. False when asked to stop before it was done."""
        pause_s = PAUSE_FIRST_S
        while True:
            try:
                async with pool.connection() as conn:
                    await work(conn)
            except psycopg.Error as error:
                self._complain(what, "talk.database_away", str(error).strip() or type(error).__name__)
            else:
                self._troubles.pop(what, None)
                return True
            if await sleep_until(self._stop, pause_s):
                return False
            pause_s = min(pause_s * 2, self._settings.database_retry_max_s)

    def _complain(self, what: str, event: str, text: str) -> None:
        """An error repeats in the log only if its text changed."""
        if self._troubles.get(what) != text:
            self._troubles[what] = text
            log.error(event, what=what, error=text)


async def _are_sent(ids: Sequence[str], conn: Conn) -> None:
    await commands.sent(conn, ids, datetime.now(UTC))
