"""The primary is killed and the standby promoted: what was acknowledged outlives it only where commits wait for the
standby. By the scripts of deploy/cluster/postgresql, in the order in which an operator runs them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import timedelta

import httpx
import psycopg
import pytest

from api.app import create_app
from devices.batch import Packet
from runtime.settings import Settings
from storage import checkup, keys
from storage.migrate import migrate
from tests.cluster.databases import Pair, caught_up
from tests.cluster.databases import Primary as Machine
from tests.failure.proxy import Proxy
from tests.ingest.listening import until
from tests.storage.world import LAMP, NOW, World, packet

pytestmark = pytest.mark.slow

DATABASE = "siaga"
WAITS = "SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'siaga ingest'"
STORED = "SELECT count(*) FROM reading_streetlight"
KEY = "key-of-an-engineer"


@pytest.fixture
def url(pair: Pair) -> str:
    """Of the database on whichever is the primary."""
    migrate(pair.first.create(DATABASE), lambda line: None)
    return pair.url(DATABASE)


def stored(machine: Machine) -> int:
    with machine.connect(DATABASE) as conn:
        row = conn.execute(STORED).fetchone()
    assert row
    return int(row[0])


def standby_of(machine: Machine) -> tuple[int, bool]:
    """As `siaga doctor` sees it."""
    with machine.connect(DATABASE) as conn:
        found = checkup.server(conn, "UTC")
    return found.standbys, found.waits_for_standby


def reading(number: int) -> list[Packet]:
    return [packet(LAMP.id, {"ts": NOW + timedelta(minutes=number), "seq": number, "power_w": 60.0})]


async def test_what_was_acknowledged_outlives_the_primary(pair: Pair, url: str) -> None:
    pair.first.wait_for("siaga_db_2")
    assert standby_of(pair.first) == (1, True)
    world = await World.make(url, LAMP)
    await world.send(reading(1))
    pair.wire.cut()
    # Written, and not answered: ingest would not acknowledge it.
    sending = asyncio.create_task(world.send(reading(2)))
    with pair.first.connect() as conn:
        await until(lambda: conn.execute(WAITS).rowcount)
    assert not sending.done()
    pair.first.kill()
    with pytest.raises(psycopg.OperationalError):
        await sending
    pair.wire.mend()
    pair.second.promote()
    await world.restart()  # the same URL finds the new primary
    assert stored(pair.second) == 1
    await world.send(reading(2))  # the broker delivers it again
    await world.send(reading(3))
    assert stored(pair.second) == 3
    assert standby_of(pair.second) == (0, False)

    await the_former_primary_comes_back(pair)
    await without_waiting_it_dies_with_the_primary(pair, world)
    await world.ground.close()


async def the_former_primary_comes_back(pair: Pair) -> None:
    """As a standby; what it alone had is kept beside and no longer counts."""
    pair.wire.close()
    pair.wire = Proxy(pair.second.port)
    pair.first.follow(pair.second, "siaga_db_1", pair.wire.port)
    caught_up(pair.second, pair.first)
    assert stored(pair.first) == 3
    assert list(pair.first.folder.glob("18.before-*"))
    assert standby_of(pair.second) == (1, False)


async def without_waiting_it_dies_with_the_primary(pair: Pair, world: World) -> None:
    """Nobody has said for whom the new primary waits, so it waits for nobody."""
    pair.wire.cut()
    await world.send(reading(4))  # answered: ingest acknowledges it, and the broker forgets it
    pair.second.kill()
    pair.wire.mend()
    pair.first.promote()
    assert stored(pair.first) == 3, "the wire was cut, so this was on one disk only"
    await world.restart()


def test_nobody_waits_for_a_standby_that_is_not_there(pair: Pair) -> None:
    with pytest.raises(AssertionError, match="none of siaga_db_3 follows this primary"):
        pair.first.wait_for("siaga_db_3")
    assert "waits for: ANY 1 (siaga_db_3, siaga_db_2)" in pair.first.wait_for("siaga_db_3", "siaga_db_2")
    assert "waits for: no standby" in pair.first.wait_for()
    with pytest.raises(AssertionError, match="recovery is not in progress"):
        pair.first.promote()
    with pytest.raises(AssertionError, match="its server is running"):
        pair.second.copy(pair.first, "siaga_db_2")


@pytest.fixture
def settings(pair: Pair, url: str) -> Settings:
    return Settings(database_url=url, database_read_url=pair.url(DATABASE, reads=True), connection_wait_s=10)


@contextlib.contextmanager
def stopped_replay(machine: Machine) -> Iterator[None]:
    """It receives and does not show it yet, as a standby that is busy."""
    with machine.connect() as conn:
        conn.execute("SELECT pg_wal_replay_pause()")
        yield
        conn.execute("SELECT pg_wal_replay_resume()")


async def test_the_api_reads_from_the_standby_and_writes_to_the_primary(pair: Pair, settings: Settings) -> None:
    with pair.first.connect(DATABASE) as conn:
        conn.execute(
            "INSERT INTO api_key (name, digest, role) VALUES ('an engineer', %s, 'engineer')", (keys.digest(KEY),)
        )
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://siaga", headers={"Authorization": f"Bearer {KEY}"}
        ) as client,
    ):
        caught_up(pair.first, pair.second)
        with stopped_replay(pair.second):
            answer = await client.post("/api/v1/devices/import", content=b"id,kind\nlamp,streetlight\n")
            assert answer.status_code == 200
            assert (await listed(client)) == [], "the standby shows what it has replayed"
        caught_up(pair.first, pair.second)
        assert (await listed(client)) == ["lamp"]
        pair.first.kill()
        pair.second.promote()
        assert (await listed(client)) == ["lamp"]
        answer = await client.post("/api/v1/devices/import", content=b"id,kind\nlamp-2,streetlight\n")
        assert answer.status_code == 200, answer.text
        assert (await listed(client)) == ["lamp", "lamp-2"]


async def listed(client: httpx.AsyncClient) -> list[str]:
    answer = await client.get("/api/v1/devices")
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]
