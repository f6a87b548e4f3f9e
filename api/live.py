"""Live events for browsers (SSE): one follower reads the event log by its cursor and changed latest values.

Every event is encoded once and the same bytes go to all clients that want the same. A client that does not keep up
loses its backlog and gets `reset`: it never slows others or fills memory. Nobody listening: nobody asks the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import psycopg

from api import metrics
from api.alert_item import alert_item, counts_now
from api.context import Pool, utc_now
from api.latest_item import live_item
from api.moved import Moved
from api.reply import encode
from api.wanted import BEAT, About, Wanted, about_alert, about_device, about_latest
from runtime.log import get_logger
from runtime.settings import Settings
from storage import read_alerts, read_latest
from storage.as_json import time_text
from storage.read_ledger import stored_since

log = get_logger(__name__)

# A burst of 10,000 alerts is 20 chunks; between two of them clients that read keep up.
CHUNK = 500
BACKLOG_EVENTS = 4 * CHUNK
BACKLOG_BYTES = 8 * 1024 * 1024
LATEST_S = 1.0
BEAT_S = 5.0
LAG_MAX_S = 86_400.0
# Without any event for this long a comment is sent, so that a dead connection is noticed.
SILENCE_S = 15.0
RETRY_MS = 2_000


class Event(NamedTuple):
    """Bytes for every client; id is the transition's, None for what is not replayed. Without about it is for all."""

    data: bytes
    id: int | None = None
    about: About | None = None


def encode_event(name: str, data: str, event_id: int | None = None, about: About | None = None) -> Event:
    head = f"event: {name}\n" if event_id is None else f"event: {name}\nid: {event_id}\n"
    return Event(f"{head}data: {data}\n\n".encode(), event_id, about)


def mark(cursor: int) -> Event:
    """No event, only an id: a client that leaves alerts out learns how far the log is, and is not reset for nothing."""
    return Event(f"id: {cursor}\n\n".encode(), cursor)


class Client:
    """One open stream: the events it has yet to be sent, bounded in number and bytes."""

    def __init__(self, seen: int, wanted: Wanted) -> None:
        self.seen = seen
        self.wanted = wanted
        self._waiting: deque[Event] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()

    def put(self, event: Event, cursor: int) -> None:
        if self._waiting and (len(self._waiting) >= BACKLOG_EVENTS or self._bytes + len(event.data) > BACKLOG_BYTES):
            metrics.LIVE_RESETS.inc()
            self._waiting.clear()
            self._bytes = 0
            self._append(reset(cursor))
        self._append(event)

    async def take(self) -> list[Event]:
        """What is waiting, once something is; nothing after a long silence or when woken to end."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), SILENCE_S)
        self._wake.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return taken

    def wake(self) -> None:
        self._wake.set()

    def _append(self, event: Event) -> None:
        self._waiting.append(event)
        self._bytes += len(event.data)
        self._wake.set()


def reset(cursor: int) -> Event:
    """Tells a client to load everything again; its id says that it is then up to date until there."""
    return Event(f"event: reset\nid: {cursor}\ndata: {{}}\n\n".encode())


class Live:
    """The follower of one process and the streams it feeds."""

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self.pool = pool
        self.poll_s = settings.live_poll_s
        self.replay_max = settings.live_replay_max
        self.closing = False
        self._clients: set[Client] = set()
        self._wanted = asyncio.Event()
        self._cursor = self._marked = 0
        self._horizon = ""
        self._sent: dict[str, datetime] = {}
        self._beat = Beat()
        self._moved = Moved()
        self._next_latest = self._next_beat = 0.0
        self._error = ""

    async def follow(self) -> None:
        """Run until cancelled."""
        while True:
            await self._wanted.wait()
            try:
                async with self.pool.connection() as conn:
                    await self._look(conn)
                self._error = ""
            except Exception as error:
                # Also what nobody foresaw: with the follower ended, every stream would be mute and look alive.
                metrics.LIVE_ERRORS.inc()
                if (text := str(error) or type(error).__name__) != self._error:
                    self._error = text
                    log.exception("live.failed", error=self._error)
            await asyncio.sleep(self.poll_s)

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        self.closing = True
        for client in self._clients:
            client.wake()

    async def ready(self) -> None:
        """Be up to date with the event log: everything committed from here on reaches whoever joins next."""
        if self._clients:
            return
        async with self.pool.connection() as conn:
            cursor = await read_alerts.last_event(conn)
            horizon = await read_latest.horizon(conn)
        if not self._clients:  # somebody may have joined while we asked
            self._cursor, self._horizon = cursor, horizon
            self._sent.clear()
            self._moved = Moved()
            self._next_latest = self._next_beat = 0.0

    @contextlib.contextmanager
    def joined(self, wanted: Wanted) -> Iterator[Client]:
        client = Client(self._cursor, wanted)
        self._clients.add(client)
        self._wanted.set()
        metrics.LIVE_CLIENTS.inc()
        try:
            yield client
        finally:
            self._clients.discard(client)
            if not self._clients:
                self._wanted.clear()
            metrics.LIVE_CLIENTS.dec()

    async def events(self, client: Client, last_id: int | None) -> AsyncIterator[bytes]:
        """What one client is sent: first what it missed, then what comes; each transition once and in order."""
        # An id without an event: from now on the browser tells us where it was, even if nothing happens before.
        yield f"retry: {RETRY_MS}\nid: {client.seen if last_id is None else last_id}\n\n".encode()
        if last_id is not None:
            async for missed in self._replayed(client, last_id):
                yield missed
        while not self.closing:
            events = await client.take()
            if not events:
                yield b": silence\n\n"
            for event in events:
                if event.id is None:
                    yield event.data
                elif event.id > client.seen:
                    client.seen = event.id
                    yield event.data

    async def _replayed(self, client: Client, last_id: int) -> AsyncIterator[bytes]:
        async with self.pool.connection() as conn:
            newest = await read_alerts.last_event(conn)
            missed = await read_alerts.events_after(conn, last_id, self.replay_max + 1)
        # An id ahead of the log is from a database that has been put back to an earlier state.
        if missed > self.replay_max or last_id > newest:
            metrics.LIVE_RESETS.inc()
            client.seen = newest
            yield reset(newest).data
            return
        client.seen = last_id
        while True:
            async with self.pool.connection() as conn:
                events = await self._alert_events(conn, client.seen)
            for event in events:
                assert event.id is not None
                client.seen = event.id
                if _takes(client, event):
                    yield event.data
            if len(events) < CHUNK:
                break
        if client.wanted.leaves_alerts_out:
            yield mark(client.seen).data

    async def _look(self, conn: psycopg.AsyncConnection[Any]) -> None:
        while events := await self._alert_events(conn, self._cursor):
            for event in events:
                assert event.id is not None
                self._cursor = event.id
                self._send(event)
            metrics.LIVE_EVENTS.labels("alert").inc(len(events))
            if len(events) < CHUNK:
                break
        now = time.monotonic()
        if now >= self._next_latest:
            self._next_latest = now + LATEST_S
            await self._look_at_latest(conn)
            await self._look_at_moved(conn)
        if now >= self._next_beat:
            self._next_beat = now + BEAT_S
            self._send(encode_event("beat", encode(await self._beat.measure(conn)), about=BEAT))
            self._send_mark()
            metrics.LIVE_EVENTS.labels("beat").inc()

    async def _alert_events(self, conn: psycopg.AsyncConnection[Any], after: int) -> list[Event]:
        found = await read_alerts.events(conn, after, CHUNK)
        if not found:
            return []
        counts = await counts_now(conn, utc_now())
        return [
            encode_event(
                "alert",
                encode({"transition": transition, "alert": alert_item(alert), "counts": counts}),
                transition["id"],
                about_alert(alert),
            )
            for transition, alert in found
        ]

    async def _look_at_latest(self, conn: psycopg.AsyncConnection[Any]) -> None:
        # The horizon is taken before the rows: a row committed in between is seen twice rather than never.
        horizon = await read_latest.horizon(conn)
        found = await read_latest.changed_since(conn, self._horizon)
        self._horizon = horizon
        fresh = [item for item in found if self._sent.get(item.device_id) != item.ts]
        if not fresh:
            return
        self._sent.update((item.device_id, item.ts) for item in fresh)
        items = [(about_latest(item), live_item(item)) for item in fresh]
        made: dict[Wanted, Event | None] = {}
        for client in self._clients:
            if client.wanted not in made:
                made[client.wanted] = _latest_event(items, client.wanted)
            event = made[client.wanted]
            if event is not None:
                client.put(event, self._cursor)
        metrics.LIVE_EVENTS.labels("latest").inc(sum(event is not None for event in made.values()))

    async def _look_at_moved(self, conn: psycopg.AsyncConnection[Any]) -> None:
        """Commands and who is connected: as they are now, so of what moved twice within a second the last is told."""
        for topic, row in await self._moved.look(conn, self.replay_max):
            about = about_device(topic, row)
            self._send(encode_event(topic, encode(row), about=about))
            metrics.LIVE_EVENTS.labels(topic).inc()

    def _send(self, event: Event) -> None:
        for client in self._clients:
            if _takes(client, event):
                client.put(event, self._cursor)

    def _send_mark(self) -> None:
        if self._marked != self._cursor:
            self._marked = self._cursor
            event = mark(self._cursor)
            for client in self._clients:
                if client.wanted.leaves_alerts_out:
                    client.put(event, self._cursor)


def _takes(client: Client, event: Event) -> bool:
    return event.about is None or client.wanted.takes(event.about)


def _latest_event(items: Sequence[tuple[About, str]], wanted: Wanted) -> Event | None:
    texts = [text for about, text in items if wanted.takes(about)]
    return encode_event("latest", f'{{"items":[{",".join(texts)}]}}') if texts else None


class Beat:
    """The pulse of the data: how old the newest arrival is, and how many readings a second were stored."""

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._stored = 0
        self._at = 0.0

    async def measure(self, conn: psycopg.AsyncConnection[Any]) -> dict[str, Any]:
        now = utc_now()
        newest = await read_latest.newest_arrival(conn)
        lag_s = None if newest is None else min(max((now - newest).total_seconds(), 0.0), LAG_MAX_S)
        rate = await self._rate(conn, now)
        return {"now": time_text(now), "lag_s": lag_s and round(lag_s, 3), "readings_per_s": rate}

    async def _rate(self, conn: psycopg.AsyncConnection[Any], now: datetime) -> float | None:
        """Readings stored a second since the last beat; None where there is no recent one to compare with."""
        # The ledger counts by hour of the reading, so this hour and the one before hold all live data. Both sums of a
        # difference start at the same hour, also when the hour changes between two beats.
        hour = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
        before = self._since or hour
        stored, stored_next = await stored_since(conn, before, hour)
        at = time.monotonic()
        seconds = at - self._at
        rate = round(max((stored - self._stored) / seconds, 0.0), 1) if self._since and seconds < 4 * BEAT_S else None
        self._since, self._stored, self._at = hour, stored_next, at
        return rate
