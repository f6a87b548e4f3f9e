"""The loop on a real database, fed by hand: what is acknowledged is stored, and a poison reading harms no other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from devices.batch import Packet
from ingest import metrics
from ingest.ground import take_up
from ingest.loop import Loop
from runtime.settings import Settings

START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=4)
POISON_W = 666.0
DEADLINE_S = 60


class ByHand:
    """A session whose packets the test hands over."""

    def __init__(self) -> None:
        self.acknowledged: list[Packet] = []
        self.subscribed_since: datetime | None = None
        self.is_let_go = False
        self.let_go_times = 0
        self._queue: asyncio.Queue[list[Packet]] = asyncio.Queue()

    def give(self, packets: list[Packet]) -> None:
        self._queue.put_nowait(packets)

    async def take(self, most: int) -> list[Packet]:
        return await self._queue.get()

    def ready(self, most: int) -> list[Packet]:
        return []

    def acknowledge(self, done: list[Packet]) -> None:
        self.acknowledged += done

    def let_go(self) -> None:
        self.is_let_go = True
        self.let_go_times += 1

    def take_up(self) -> None:
        self.is_let_go = False

    def __getattr__(self, name: str) -> Any:  # whatever else a session can do has nothing to do here
        return lambda *_: None


@pytest.fixture
async def session(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ByHand]:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO device (id, kind, region) SELECT 'lamp-' || n, 'streetlight', '12.09'"
            " FROM generate_series(0, 3) n"
        )
        conn.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF NEW.power_w = {POISON_W} THEN RAISE EXCEPTION 'poison' USING ERRCODE = '22000'; END IF;"
            " RETURN NEW; END $$"
        )
        conn.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON reading_streetlight FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    monkeypatch.setenv("SIAGA_DATABASE_URL", database_url)
    monkeypatch.setenv("SIAGA_BATCH_WAIT_MS", "0")
    monkeypatch.setenv("SIAGA_INGEST_LET_GO_S", "5")
    monkeypatch.setenv("SIAGA_DATABASE_RETRY_MAX_S", "1")
    settings, stop, session = Settings(), asyncio.Event(), ByHand()
    loop = Loop(settings, session, await take_up(settings), stop)  # type: ignore[arg-type]
    task = asyncio.create_task(loop.run())
    yield session
    stop.set()
    session.give([])
    async with asyncio.timeout(DEADLINE_S):
        await task


def packet(device: int, *powers: float, at: int = 0) -> Packet:
    items = [
        {"ts": (START + timedelta(seconds=at + n)).isoformat(), "seq": at + n, "power_w": power}
        for n, power in enumerate(powers)
    ]
    return Packet(f"siaga/v1/12.09/lamp-{device}/readings", json.dumps(items).encode(), datetime.now(UTC))


async def committed(session: ByHand, packets: list[Packet]) -> None:
    session.give(packets)
    wanted = len(session.acknowledged) + len(packets)
    async with asyncio.timeout(DEADLINE_S):
        while len(session.acknowledged) < wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def rows(database_url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url) as conn:
        return conn.execute(query.encode()).fetchall()


async def test_poison_is_found_in_an_array_and_its_neighbours_are_stored(session: ByHand, database_url: str) -> None:
    counted = metrics.QUARANTINED.labels("storage")
    before = counted._value.get()
    sent = [packet(0, 1, 2, POISON_W, 4), packet(1, 5), packet(2, POISON_W), packet(3, 7, 8)]
    await committed(session, sent)
    assert counted._value.get() == before + 2
    assert session.acknowledged == sent
    stored = rows(database_url, "SELECT power_w FROM reading_streetlight ORDER BY 1")
    assert [power for (power,) in stored] == [1, 2, 4, 5, 7, 8]
    kept = rows(database_url, "SELECT device_id, reason, payload, detail FROM quarantine ORDER BY 1")
    assert [(device, reason) for device, reason, _, _ in kept] == [("lamp-0", "storage"), ("lamp-2", "storage")]
    assert all(json.loads(payload)["power_w"] == POISON_W and "poison" in text for _, _, payload, text in kept)
    (counts,) = rows(database_url, "SELECT sum(received), sum(stored), sum(quarantined) FROM ledger")
    assert counts == (8, 6, 2)


async def test_a_batch_is_cut_by_its_bytes_and_all_of_it_is_stored(
    session: ByHand, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [packet(n % 4, *range(100), at=100 * (n // 4)) for n in range(400)]
    assert sum(len(each.payload) for each in sent) < 4 << 20
    monkeypatch.setattr("ingest.loop.MIB", 1 << 14)
    await committed(session, sent)
    assert session.acknowledged == sent
    assert rows(database_url, "SELECT count(*) FROM reading_streetlight") == [(40_000,)]


async def test_a_device_registered_a_moment_ago_is_known(session: ByHand, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("INSERT INTO device (id, kind, region) VALUES ('lamp-9', 'streetlight', '12.09')")
    await committed(session, [packet(9, 1)])
    assert rows(database_url, "SELECT device_id FROM reading_streetlight") == [("lamp-9",)]
    assert rows(database_url, "SELECT count(*) FROM quarantine") == [(0,)]


async def test_a_long_outage_lets_the_broker_go(
    session: ByHand, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every try fails with what is not of the data until the schema is whole again.
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("ALTER TABLE ledger RENAME TO ledger_away")
        session.give([packet(0, 1)])
        async with asyncio.timeout(DEADLINE_S):
            while not session.is_let_go:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert session.acknowledged == []
        conn.execute("ALTER TABLE ledger_away RENAME TO ledger")
    async with asyncio.timeout(DEADLINE_S):
        while not session.acknowledged:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (session.is_let_go, session.let_go_times) == (False, 1)
    assert rows(database_url, "SELECT power_w FROM reading_streetlight") == [(1,)]
