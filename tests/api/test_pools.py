"""Readers and writers have connections of their own: slow queries hold up no operator."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import psycopg
import pytest

from runtime.settings import Settings

PROBLEM = "application/problem+json"
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'rollup_traffic_1h'::regclass"


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(database_url=database_url, live_poll_s=0.05, read_connections=3, connection_wait_s=0.2)


async def fill(viewer: httpx.AsyncClient, db: psycopg.Connection, number: int) -> list[asyncio.Task[httpx.Response]]:
    """Queries that wait for a lock, which holds as long as the transaction of this connection."""
    db.execute("BEGIN; LOCK TABLE rollup_traffic_1h IN ACCESS EXCLUSIVE MODE")
    reading = [asyncio.create_task(viewer.get("/api/v1/metrics/traffic")) for _ in range(number)]
    async with asyncio.timeout(30):
        while db.execute(WAITING).fetchone() != (number,):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return reading


async def test_slow_readers_hold_up_no_operator(
    viewer: httpx.AsyncClient, client: Any, town: Any, db: psycopg.Connection, settings: Settings
) -> None:
    town.device("lane", "traffic")
    town.device("lamp")
    alert = town.alert("lamp")
    reading = await fill(viewer, db, settings.read_connections)
    try:
        refused = await viewer.get("/api/v1/devices")
        assert refused.status_code == 503
        assert refused.headers["content-type"] == PROBLEM
        assert "3 queries are under way (SIAGA_READ_CONNECTIONS)" in refused.json()["detail"]
        acked = await client("operator").post(f"/api/v1/alerts/{alert}/ack", headers={"If-Match": "*"})
        assert acked.status_code == 200
        body = b"id,kind\nlamp-9,streetlight\n"
        assert (await client("engineer").post("/api/v1/devices/import", content=body)).status_code == 200
        signed_in = await client(None).post("/api/v1/session", json={"key": "key-of-the-viewer"})
        assert signed_in.status_code == 200
        assert (await client(None).get("/readyz")).json()["parts"] == []
    finally:
        db.execute("ROLLBACK")
    assert [(await answer).status_code for answer in reading] == [200, 200, 200]
    assert (await viewer.get("/api/v1/devices")).status_code == 200


async def test_a_reader_cannot_write(app: Any) -> None:
    async with app.state.context.reads.connection() as conn:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            await conn.execute("DELETE FROM device")
    async with app.state.context.writes.connection() as conn:
        await conn.execute("DELETE FROM device")


@pytest.mark.parametrize("pool", ["reads", "writes"])
async def test_both_have_the_statement_timeout(app: Any, pool: str, settings: Settings) -> None:
    async with getattr(app.state.context, pool).connection() as conn:
        row = await (await conn.execute("SHOW statement_timeout")).fetchone()
    assert row == (f"{settings.statement_timeout_s}s",)
