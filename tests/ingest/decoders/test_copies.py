"""One radio frame is one reading, however often, through whom and after which restart it is delivered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from devices.batch import Packet
from ingest.decoders.choose import Decoders
from ingest.ground import take_up
from ingest.loop import Loop
from runtime.settings import Settings
from tests.ingest.test_loop import ByHand, committed, rows

DECODERS = Decoders.from_toml('[[source]]\nformat = "chirpstack"\nid_case = "lower"')
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=4)
STORED = "SELECT ts, seq, level_m FROM reading_water_level ORDER BY ts, seq"
LEDGER = "SELECT sum(received)::int, sum(stored)::int, sum(duplicate)::int, sum(conflict)::int FROM ledger"


@asynccontextmanager
async def listening(settings: Settings) -> AsyncIterator[ByHand]:
    """Ingest from its start to its end."""
    stop, session = asyncio.Event(), ByHand()
    loop = Loop(settings, session, await take_up(settings), stop, DECODERS)  # type: ignore[arg-type]
    task = asyncio.create_task(loop.run())
    try:
        yield session
    finally:
        stop.set()
        session.give([])
        async with asyncio.timeout(60):
            await task


@pytest.fixture
def chosen(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("INSERT INTO device (id, kind, region) VALUES ('aabb', 'water_level', '12.09')")
    monkeypatch.setenv("SIAGA_DATABASE_URL", database_url)
    monkeypatch.setenv("SIAGA_BATCH_WAIT_MS", "0")
    return Settings()


def heard(counter: int, level: float, at_s: float, session: str = "0018", **more: Any) -> Packet:
    event = {
        "deduplicationId": f"{counter}-{at_s}",
        "time": (START + timedelta(seconds=at_s)).isoformat(),
        "devAddr": session,
        "fCnt": counter,
        "object": {"level_m": level},
        "rxInfo": [{"rssi": -50 - at_s, "snr": 7}],
    }
    return Packet("application/1/device/AABB/event/up", json.dumps(event | more).encode(), datetime.now(UTC))


async def test_the_same_event_twice_is_a_duplicate(chosen: Settings, database_url: str) -> None:
    async with listening(chosen) as session:
        await committed(session, [heard(1, 1.5, 0), heard(1, 1.5, 0)])
        await committed(session, [heard(1, 1.5, 0)])
    assert rows(database_url, STORED) == [(START, 1, 1.5)]
    assert rows(database_url, LEDGER) == [(3, 1, 2, 0)]


async def test_a_copy_with_another_time_is_a_duplicate_in_one_batch_and_after_a_restart(
    chosen: Settings, database_url: str
) -> None:
    async with listening(chosen) as session:
        await committed(session, [heard(1, 1.5, 0), heard(1, 1.5, 0.25), heard(2, 1.6, 600)])
    async with listening(chosen) as session:
        await committed(session, [heard(1, 1.5, 3), heard(2, 1.6, 598.5), heard(3, 1.7, 1200)])
    at = [START + timedelta(seconds=s) for s in (0, 600, 1200)]
    assert rows(database_url, STORED) == [(at[0], 1, 1.5), (at[1], 2, 1.6), (at[2], 3, 1.7)]
    assert rows(database_url, LEDGER) == [(6, 3, 3, 0)]


async def test_a_copy_with_other_values_waits_for_a_person(chosen: Settings, database_url: str) -> None:
    first, other = heard(1, 1.5, 0), heard(1, 9.5, 1)
    async with listening(chosen) as session:
        await committed(session, [first])
        await committed(session, [other])
    assert rows(database_url, STORED) == [(START, 1, 1.5)]
    assert rows(database_url, "SELECT reason, payload FROM quarantine") == [("conflict", other.payload)]


async def test_another_session_or_much_later_is_another_frame(chosen: Settings, database_url: str) -> None:
    apart = chosen.uplink_copy_s
    async with listening(chosen) as session:
        await committed(session, [heard(1, 1.5, 0), heard(1, 1.6, 1, "0019")])
        await committed(session, [heard(1, 1.7, apart + 1)])
    assert [level for _, _, level in rows(database_url, STORED)] == [1.5, 1.6, 1.7]
    assert rows(database_url, LEDGER) == [(3, 3, 0, 0)]
