"""kill -9 of the real ingest while it works on what came over HTTP: nothing or everything, and the answer with it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import psycopg
import pytest

from devices.topics import readings_topic
from storage import inbox
from storage.connect import connect_async
from storage.fleet import import_devices
from tests.ingest.test_replay import Ingest
from tests.storage.waiting import until
from tests.storage.world import GAUGE, REGION
from tests.worker.killed import HOLD, LET_GO, WAIT, WAITING

MANY = 50


def request() -> inbox.Request:
    now = datetime.now(UTC)
    times = [(now - timedelta(seconds=n)).isoformat() for n in range(MANY)]
    payloads = [json.dumps({"ts": at, "level_m": 2.6}).encode() for at in times]
    return inbox.Request("anna", "k", b"d", [REGION], [readings_topic(REGION, GAUGE.id)] * MANY, payloads, now)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "when", "server"),
    [("ledger", "IMMEDIATE", "notices"), ("inbox", "DEFERRED", "notices"), ("inbox", "DEFERRED", "goes on")],
)
async def test_kill_9_stores_nothing_or_everything_and_answers_once(
    database_url: str, tmp_path: Path, table: str, when: str, server: Literal["notices", "goes on"]
) -> None:
    async with await connect_async(database_url, "test") as conn, await connect_async(database_url, "test") as other:
        await import_devices(conn, [GAUGE])
        number = await inbox.post(conn, request(), 10)
        assert number is not None
        await other.execute(WAIT.format(table, when).encode())
        await other.execute(HOLD)
        ingest = Ingest(database_url, tmp_path / "log")
        try:
            await until(lambda: _rows(conn, WAITING))
            ((pid,),) = await _rows(conn, WAITING)
        finally:
            ingest.kill()
        assert await _done(conn) == (0, 0, 0)
        if server == "notices":
            await other.execute("SELECT pg_terminate_backend(%s, 60000)", (pid,))
        await other.execute(LET_GO)
        await other.execute(f"DROP TRIGGER wait ON {table}".encode())
        ingest = Ingest(database_url, tmp_path / "log")
        try:
            await until(lambda: inbox.answer(conn, number))
        finally:
            ingest.kill()
        told = json.loads(await inbox.answer(conn, number) or "")
        assert (told["received"], told["stored"], told["duplicate"]) == (MANY, MANY, 0)
        assert await _done(conn) == (MANY, MANY, 1)
        # Who was not answered, as the API was killed too, asks again and is told the same.
        assert await inbox.post(conn, request(), 10) == number
        assert await inbox.answer(conn, number) == json.dumps(told, separators=(",", ":"))


async def _done(conn: psycopg.AsyncConnection[Any]) -> tuple[Any, ...]:
    """Readings, what the ledger says is stored, and requests that are answered."""
    query = "SELECT (SELECT count(*) FROM reading_water_level), (SELECT coalesce(sum(stored), 0)::int FROM ledger),"
    return (await _rows(conn, query + " (SELECT count(*) FROM inbox WHERE done_at IS NOT NULL)"))[0]


async def _rows(conn: psycopg.AsyncConnection[Any], query: str) -> list[tuple[Any, ...]]:
    return await (await conn.execute(query.encode())).fetchall()
