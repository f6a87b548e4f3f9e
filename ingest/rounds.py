"""What ingest does beside the stream, at its times: new devices and rules, replays, HTTP, silence, a word to the
worker."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from alerts.engine import Evaluated
from alerts.silence import find_silent, is_stream_silent, pace_in_service_s
from devices.batch import Batch
from ingest.counts import Counts
from ingest.decoders.choose import Decoders
from ingest.ground import Ground
from ingest.inbox import Store, take_posted
from ingest.intake import Limits
from ingest.leave import Leaving
from ingest.mqtt import Session
from ingest.replay import replay_waiting
from runtime.settings import Settings
from storage import inbox
from storage.ingest_session import Stream, committed

Write = Callable[[Ground, Batch, Evaluated], Awaitable[object]]


class Rounds:
    """Looks around when it is time; write and store commit what was found, and store also halves what is refused."""

    def __init__(
        self,
        settings: Settings,
        session: Session,
        limits: Limits,
        decoders: Decoders,
        counts: Counts,
        write: Write,
        store: Store,
    ) -> None:
        self._settings, self._session, self._limits, self._decoders = settings, session, limits, decoders
        self._counts, self._write, self._store = counts, write, store
        self._leaving = Leaving(session, settings.ingest_client_id)
        self._next_devices = self._next_silent = self._next_inbox = 0.0
        self._told_committed: datetime | None = None  # what ingest_session says
        self._stream_silent = False
        self._stream_back: datetime | None = None

    @property
    def _regions(self) -> list[str] | None:
        """Whose readings are ours; None: all."""
        return None if "+" in self._settings.regions else list(self._settings.regions)

    @property
    def due_in_s(self) -> float:
        """When to look again."""
        return min(self._next_silent, self._next_devices, self._next_inbox) - time.monotonic()

    async def look(self, ground: Ground) -> None:
        """Do what is due. Raises psycopg.Error."""
        now = time.monotonic()
        if now >= self._next_devices:
            self._next_devices = now + self._settings.fleet_reload_s
            await ground.look_for_devices()
            await ground.look_for_rules()
            await self._say_committed(ground)
            await self._leaving.look(ground)
            if await self._replay(ground):  # the rest at once, but what arrives has its turn between
                self._next_devices = now
            await inbox.forget(ground.conn, datetime.now(UTC), timedelta(hours=self._settings.inbox_keep_h))
        if now >= self._next_inbox:
            self._next_inbox = now + self._settings.inbox_poll_s
            if await take_posted(ground, self._limits, self._regions, self._store):
                self._next_inbox = now
        # While we cannot hear nobody is silent.
        if now >= self._next_silent and (since := self._session.subscribed_since) is not None:
            await self._look_for_silence(ground, since)
        if now >= self._next_silent:
            self._next_silent = now + self._settings.stale_check_s

    async def _look_for_silence(self, ground: Ground, since: datetime) -> None:
        """Devices that fell silent. Of a stream that is silent as a whole the worker tells, once: not each device, and
        when it is back every device has its time to speak."""
        now = datetime.now(UTC)
        was_silent = self._stream_silent
        heard = max(since, self._counts.committed_at or since)
        self._stream_silent = is_stream_silent(ground.engine, ground.fleet, now, heard, self._settings.stream_silent_s)
        if was_silent and not self._stream_silent:
            self._stream_back = now
        if not self._stream_silent:
            silent = find_silent(ground.engine, ground.fleet, now, max(since, self._stream_back or since))
            if silent.transitions:
                await self._write(ground, Batch([], [], 0), silent)

    async def _say_committed(self, ground: Ground) -> None:
        """Let the worker's watchdog see that the stream flows."""
        at = self._counts.committed_at
        if at is not None and at != self._told_committed:
            pace_s = pace_in_service_s(ground.engine, ground.fleet)
            await committed(ground.conn, Stream(self._settings.ingest_client_id, at, pace_s))
            self._told_committed = at

    async def _replay(self, ground: Ground) -> bool:
        """Quarantine entries that somebody has asked to replay; whether more may wait."""
        most = self._settings.replay_batch
        told = self._counts.written
        return await replay_waiting(ground, self._limits, self._regions, most, told, self._decoders) == most
