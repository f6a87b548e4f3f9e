"""The live stream over TCP, as a browser has it: connections that break lose no event and repeat none."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
import uvicorn

from api.app import create_app
from runtime.settings import Settings
from storage import event_log
from tests.api.conftest import KEYS

pytestmark = pytest.mark.slow

EVENTS, RECONNECTS, WRITERS = 10_000, 50, 4
INSERT = """
INSERT INTO transition (alert_id, what, to_severity, event_at, detected_at)
SELECT %s, 'raised', 0, now(), now() FROM generate_series(1, %s)
"""


@pytest.fixture
async def port(settings: Settings, db: psycopg.Connection) -> AsyncIterator[int]:
    """A real server on a port of its own."""
    app = create_app(settings)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=1))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve([listener]))
        yield listener.getsockname()[1]
        server.should_exit = True
        await serving


async def connect(port: int, last_id: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /api/v1/stream?topic=alert HTTP/1.1\r\nHost: siaga\r\nAuthorization: Bearer {KEYS['viewer']}\r\n"
        f"Last-Event-ID: {last_id}\r\n\r\n".encode()
    )
    assert b" 200 " in await reader.readline()
    while (await reader.readline()).strip():
        pass
    return reader, writer


async def read(reader: asyncio.StreamReader, at_most: int) -> list[int]:
    """Ids of so many events, in the order they came. Raises AssertionError for a reset."""
    ids: list[int] = []
    named = None
    while len(ids) < at_most:
        line = (await reader.readline()).strip()
        assert line != b"event: reset"
        if line.startswith(b"event: "):
            named = line[7:]
        elif line.startswith(b"id: ") and named == b"alert":
            ids.append(int(line[4:]))
            named = None
    return ids


def write(url: str, alert: int, number: int, seed: int) -> None:
    """So many transitions in transactions of all sizes, beside others that do the same."""
    chance = random.Random(seed)
    with psycopg.connect(url, autocommit=True) as conn:
        while number:
            part = min(chance.choice((1, 3, 20, 100)), number)
            with conn.transaction():
                conn.execute(event_log.LOCK)
                conn.execute(INSERT, (alert, part))
            number -= part


async def test_50_broken_connections_during_10000_events_lose_and_repeat_none(
    port: int, town: Any, database_url: str
) -> None:
    town.device("lamp")
    alert = town.alert("lamp")
    start = town.transition(alert)
    writing = [asyncio.to_thread(write, database_url, alert, EVENTS // WRITERS, seed) for seed in range(WRITERS)]
    everything = asyncio.gather(*writing)
    seen: list[int] = [start]
    chance = random.Random(7)
    for left in range(RECONNECTS, -1, -1):
        reader, writer = await connect(port, seen[-1])
        wanted = 1 + EVENTS - len(seen)
        seen += await read(reader, chance.randint(0, 2 * wanted // (left + 1)) if left else wanted)
        writer.transport.abort()  # no goodbye, and whatever is on the way is lost
    await everything
    told = [n for (n,) in town.conn.execute("SELECT id FROM transition WHERE id >= %s ORDER BY id", (start,))]
    assert len(seen) == EVENTS + 1
    assert seen == told
