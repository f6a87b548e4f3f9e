"""POST /readings on the real API, with what ingest is made of beside it: stored like MQTT's, once, or not at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from api import inbox_shapes
from devices.batch import Batch
from ingest.ground import Ground
from ingest.inbox import take_posted
from ingest.loop import Loop
from runtime.settings import Settings
from storage import inbox
from tests.storage.world import World

POST = "/api/v1/readings"
MINUTE = timedelta(minutes=1)


def reading(device: str = "wl-1", ago: int = 1, **values: Any) -> dict[str, Any]:
    at = datetime.now(UTC).replace(second=0, microsecond=0) - ago * MINUTE
    return {"device": device, "ts": at.isoformat(), "level_m": 2.6} | values


@pytest.fixture
def engineer(client: Any) -> httpx.AsyncClient:
    made: httpx.AsyncClient = client("engineer")
    return made


@pytest.fixture
async def ingest(database_url: str, settings: Settings, app: Any, town: Any) -> AsyncIterator[World]:
    """The hot loop's own way to store, asked each 10 ms; a gauge is registered."""
    town.gauge("wl-1")
    world = await World.make(database_url)
    loop = Loop(world.settings, None, world.ground, asyncio.Event())  # type: ignore[arg-type]
    stop = asyncio.Event()

    async def serve() -> None:
        while not stop.is_set():
            if not await take_posted(world.ground, world.limits, None, loop._store):
                await asyncio.sleep(0.01)

    task = asyncio.create_task(serve())
    yield world
    stop.set()
    await task
    await world.ground.close()


async def post(engineer: httpx.AsyncClient, *items: Any, **more: Any) -> dict[str, Any]:
    answer = await engineer.post(POST, json=list(items), **more)
    assert answer.status_code == 200, answer.text
    inbox_shapes.Posted.model_validate_json(answer.content)
    told: dict[str, Any] = answer.json()
    return told


async def test_each_ends_as_something_and_says_as_what(engineer: httpx.AsyncClient, ingest: World, db: Any) -> None:
    ahead = (datetime.now(UTC) + timedelta(hours=7)).isoformat()
    told = await post(
        engineer,
        reading(ago=2, seq=1, boot="a"),
        reading(ago=2, seq=1, boot="a"),
        reading(ago=2, level_m=1.6),
        reading(ts=ahead),
        reading("nobody"),
        reading(ago=3, level_m="high"),
        "lost",
        {"ts": ahead},
        [reading()],
        reading(ago=1),
    )
    counts = {name: number for name, number in told.items() if name != "items"}
    assert counts == {"received": 10, "stored": 2, "duplicate": 1, "conflict": 1, "quarantined": 6}
    assert [(item["outcome"], item.get("reason")) for item in told["items"]] == [
        ("stored", None), ("duplicate", None), ("conflict", None), ("quarantined", "future_timestamp"),
        ("quarantined", "unknown_device"), ("quarantined", "malformed"), ("quarantined", "malformed"),
        ("quarantined", "malformed"), ("quarantined", "malformed"), ("stored", None),
    ]  # fmt: skip
    assert "level_m" in told["items"][5]["detail"]
    assert told["items"][6]["detail"].startswith("device: ")
    rows = db.execute("SELECT sum(received), sum(stored), sum(duplicate), sum(conflict), sum(quarantined) FROM ledger")
    assert rows.fetchone() == (10, 2, 1, 1, 6)
    assert db.execute("SELECT count(*) FROM quarantine").fetchone() == (7,)
    assert db.execute("SELECT count(*) FROM alert WHERE rule LIKE 'siaga%'").fetchone() == (1,)
    assert db.execute("SELECT payload FROM quarantine WHERE reason = 'unknown_device'").fetchone() != (None,)


async def test_lines_are_taken_one_by_one(engineer: httpx.AsyncClient, ingest: World, db: Any) -> None:
    lines = "\n".join([json.dumps(reading(ago=2)), "{broken", "", json.dumps(reading(ago=1))]) + "\n"
    answer = await engineer.post(POST, content=lines, headers={"Content-Type": "application/x-ndjson"})
    assert [item["outcome"] for item in answer.json()["items"]] == ["stored", "quarantined", "stored"]
    assert db.execute("SELECT payload, topic FROM quarantine").fetchone() == (b"{broken", "POST /api/v1/readings")


async def test_what_the_database_refuses_is_found_and_its_neighbours_are_stored(
    engineer: httpx.AsyncClient, ingest: World, db: psycopg.Connection
) -> None:
    db.execute(
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.level_m = 7 THEN RAISE EXCEPTION 'poison' USING ERRCODE = '22000'; END IF; RETURN NEW; END $$"
    )
    db.execute("CREATE TRIGGER refuse BEFORE INSERT ON reading_water_level FOR EACH ROW EXECUTE FUNCTION refuse()")
    try:
        told = await post(engineer, *(reading(ago=n, level_m=float(n)) for n in (8, 7, 6)))
    finally:
        db.execute("DROP TRIGGER refuse ON reading_water_level")
    assert [(each["outcome"], each.get("reason")) for each in told["items"]] == [
        ("stored", None), ("quarantined", "storage"), ("stored", None),
    ]  # fmt: skip


async def test_the_same_key_is_done_once_and_another_body_is_refused(
    engineer: httpx.AsyncClient, ingest: World, db: Any
) -> None:
    item, key = reading(), {"Idempotency-Key": "batch-7"}
    first, *again = await asyncio.gather(*(post(engineer, item, headers=key) for _ in range(5)))
    assert first["stored"] == 1
    assert again == [first] * 4
    assert db.execute("SELECT sum(received) FROM ledger").fetchone() == (1,)
    other = await engineer.post(POST, json=[reading(ago=5)], headers=key)
    assert other.status_code == 422
    assert other.json()["errors"][0]["field"] == "Idempotency-Key"
    assert (await post(engineer, item))["duplicate"] == 1


async def test_without_ingest_it_is_503_and_nothing_is_left(
    engineer: httpx.AsyncClient, town: Any, db: psycopg.Connection
) -> None:
    town.gauge("wl-1")
    answer = await engineer.post(POST, json=[reading()])
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "nothing was stored" in answer.json()["detail"]
    assert db.execute("SELECT count(*) FROM inbox").fetchone() == (0,)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(
        database_url=database_url, live_poll_s=0.05, page_max=1000, metrics_max=5000, post_wait_s=0.5, inbox_max=2
    )


async def test_an_ingest_that_does_not_come_to_it_leaves_nothing(
    engineer: httpx.AsyncClient, database_url: str, town: Any, db: psycopg.Connection
) -> None:
    town.gauge("wl-1")
    world = await World.make(database_url)  # holds the lock of ingest, and does nothing
    answers = await asyncio.gather(*(engineer.post(POST, json=[reading(ago=n)]) for n in range(6)))
    assert {answer.status_code for answer in answers} == {503}
    assert db.execute("SELECT count(*) FROM inbox").fetchone() == (0,)
    await world.ground.close()


async def test_done_at_the_last_moment_is_answered(
    engineer: httpx.AsyncClient, database_url: str, town: Any, db: psycopg.Connection
) -> None:
    """The time is over while ingest is at it: the API waits for the commit and tells it."""
    town.gauge("wl-1")
    world = await World.make(database_url)
    loop = Loop(world.settings, None, world.ground, asyncio.Event())  # type: ignore[arg-type]
    waiting = "SELECT true FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DELETE FROM inbox%'"

    async def late(ground: Ground, batch: Batch) -> Sequence[Any]:
        while not db.execute(waiting).fetchone():  # noqa: ASYNC110  # another session's wait has no event
            await asyncio.sleep(0.01)
        return await loop._store(ground, batch)

    asked = asyncio.create_task(engineer.post(POST, json=[reading()]))
    while not asked.done() and not await take_posted(world.ground, world.limits, None, late):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert (await asked).json()["stored"] == 1
    await world.ground.close()


async def test_one_request_is_for_one_ingest_process(
    engineer: httpx.AsyncClient, database_url: str, town: Any, db: psycopg.Connection
) -> None:
    """Half of it could else be stored; and no process takes what is not all its own."""
    town.gauge("wl-1")
    town.gauge("wl-2", region="12.10")
    one = await World.make(database_url, ingest_client_id="one", ingest_regions="12.09")
    two = await World.make(database_url, ingest_client_id="two", ingest_regions="12.10")
    both = await engineer.post(POST, json=[reading("wl-1"), reading("wl-2")])
    assert both.status_code == 422
    assert "12.09 and 12.10" in both.json()["detail"]
    row = inbox.Request("a", None, b"", ["12.10"], [""], [b"x"], datetime.now(UTC))
    assert await inbox.post(two.conn, row, 9) is not None
    assert not await inbox.is_waiting(one.conn, ["12.09"])
    assert await inbox.is_waiting(two.conn, ["12.10"])
    await one.ground.close()
    assert (await engineer.post(POST, json=[reading("wl-1")])).status_code == 503
    await two.ground.close()


@pytest.mark.parametrize(
    ("content", "media", "status", "told"),
    [
        (b"[", "application/json", 422, "JSON"),
        (b"[]", "application/json", 422, "at least one"),
        (b"\n\n", "application/x-ndjson", 422, "at least one"),
        (b"[" + b"1," * 5000 + b"1]", "application/json", 422, "SIAGA_POST_ITEMS_MAX"),
        (b"device,ts\n", "text/csv", 415, "text/csv"),
    ],
)
async def test_a_body_that_is_none_is_refused_whole(
    engineer: httpx.AsyncClient, content: bytes, media: str, status: int, told: str
) -> None:
    answer = await engineer.post(POST, content=content, headers={"Content-Type": media})
    assert answer.status_code == status
    assert told in answer.json()["detail"]


async def test_only_an_engineer_may(client: Any) -> None:
    assert (await client("operator").post(POST, json=[reading()])).status_code == 403


async def test_who_is_limited_to_regions_posts_for_devices_there(
    engineer: httpx.AsyncClient, ingest: World, town: Any, db: psycopg.Connection
) -> None:
    town.gauge("wl-2", region="12.10")
    db.execute("UPDATE api_key SET regions = '{12.09}' WHERE role = 'engineer'")
    told = await post(engineer, reading("wl-1"), reading("wl-2"), headers={"Idempotency-Key": "mine"})
    assert [item.get("reason", "stored") for item in told["items"]] == ["stored", "identity_mismatch"]
    db.execute("UPDATE api_key SET regions = '{12.10}' WHERE role = 'engineer'")
    answer = await engineer.post(POST, json=[reading("wl-1")])
    assert answer.status_code == 403, "as far as they know the device is of the region at home, which is not theirs"
    assert (await post(engineer, reading("wl-2")))["stored"] == 1


async def test_answers_are_kept_for_who_may_ask_again(engineer: httpx.AsyncClient, ingest: World, db: Any) -> None:
    await post(engineer, reading(ago=1))
    await post(engineer, reading(ago=2), headers={"Idempotency-Key": "a"})
    kept = []
    for age in (timedelta(0), timedelta(hours=1), timedelta(hours=25)):
        async with await psycopg.AsyncConnection.connect(ingest.url, autocommit=True) as conn:
            await inbox.forget(conn, datetime.now(UTC) + age, timedelta(hours=24))
        kept.append([key for (key,) in db.execute("SELECT key FROM inbox ORDER BY id").fetchall()])
    assert kept == [[None, "a"], ["a"], []]
