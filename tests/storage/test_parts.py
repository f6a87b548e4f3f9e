"""How the parts are, and what ingest had heard when it ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from storage import parts
from storage.connect import connect, connect_async, conninfo
from storage.parts import How
from storage.resume import heard
from tests.storage.waiting import until
from tests.storage.world import GAUGE, LAMP, NOW, World, packet

Conn = psycopg.AsyncConnection[Any]


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator[Conn]:
    async with await connect_async(database_url, "test") as conn:
        yield conn


async def states(conn: Conn) -> dict[str, tuple[str, str, bool]]:
    rows = await (await conn.execute(parts.ALL, (parts.FRESH_S,))).fetchall()
    return {name: (state, detail, fresh) for name, state, detail, _, fresh, _ in rows}


async def test_a_beat_is_the_newest_word_of_a_part(database_url: str, conn: Conn) -> None:
    with connect(database_url, "test") as sync:
        parts.beat(sync, "broker", "starting")
        parts.beat(sync, "broker", "up", "NATS")
        parts.beat(sync, "worker", "degraded", "late")
        assert await states(conn) == {"broker": ("up", "NATS", True), "worker": ("degraded", "late", True)}
        await conn.execute("UPDATE part SET beat_at = now() - interval '11 s' WHERE name = 'worker'")
        assert (await states(conn))["worker"] == ("degraded", "late", False)
        parts.keep_only(sync, ["broker"])
        assert set(await states(conn)) == {"broker"}
        parts.leave(sync, "broker")
        assert await states(conn) == {}


async def test_a_part_beats_until_it_ends(database_url: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "BEAT_S", 0.02)
    stop = asyncio.Event()
    how: list[parts.State] = ["starting"]
    beating = asyncio.create_task(
        parts.keep_beating(database_url, "ingest", lambda: How(how[0], "x", {"lag_s": 0.5}), stop)
    )

    async def there() -> bool:
        return (await states(conn)).get("ingest") == (how[0], "x", True)

    await until(there)
    how[0] = "up"
    await until(there)
    assert await (await conn.execute("SELECT facts FROM part")).fetchall() == [({"lag_s": 0.5},)]
    stop.set()
    await beating
    assert await states(conn) == {}


@pytest.mark.two_sessions
async def test_a_part_goes_on_beating_after_a_lost_connection(
    database_url: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "BEAT_S", 0.02)
    stop = asyncio.Event()
    beating = asyncio.create_task(parts.keep_beating(database_url, "ingest", lambda: How("up"), stop))

    async def there() -> bool:
        return "ingest" in await states(conn)

    await until(there)
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'siaga ingest beat'"
    assert await (await conn.execute(cut)).fetchall() == [(True,)]
    await conn.execute("DELETE FROM part")
    await until(there)
    stop.set()
    await beating


async def test_what_was_heard(world: World) -> None:
    old = NOW - timedelta(days=1)
    await world.send([packet(LAMP.id, {"ts": NOW}, at=NOW), packet(GAUGE.id, {"ts": old, "level_m": 1}, at=NOW)])
    assert sorted(one[:4] for one in await heard(world.conn)) == [
        ("gauge", old, None, "water_level"),
        ("lamp", NOW, NOW, "streetlight"),
    ]


async def test_a_connection_speaks_utc_and_tells_its_name(conn: Conn) -> None:
    row = await (
        await conn.execute("SELECT current_setting('TimeZone'), current_setting('application_name')")
    ).fetchone()
    assert row == ("UTC", "siaga test")
    assert conn.autocommit


@pytest.mark.two_sessions
def test_a_statement_timeout_reaches_the_server(database_url: str) -> None:
    url = conninfo(database_url, "test", statement_timeout_s=0.05)
    with psycopg.connect(url) as conn, pytest.raises(psycopg.errors.QueryCanceled):
        conn.execute("SELECT pg_sleep(30)")
