"""Replay on a real database: stored and closed together or not at all, refused again and not lost, never twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devices.batch import Packet
from devices.device import Device
from devices.quality import Reason
from ingest.replay import replay_waiting
from storage.connect import connect_async
from storage.fleet import import_devices
from storage.quarantine_act import Order, act
from tests.servers import free_port
from tests.storage.waiting import until
from tests.storage.world import GAUGE, LAMP, World, packet

HOUR = timedelta(hours=1)
ARRIVED = datetime.now(UTC).replace(minute=30, second=0, microsecond=0) - 5 * HOUR
SEVEN_H_S = 25_200.0
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    made = await World.make(database_url, LAMP, GAUGE)
    yield made
    await made.ground.close()


async def ask(world: World, shift_s: float = 0.0) -> list[int]:
    """Ask for a replay of everything that may be."""
    ids = [number for (number,) in await world.rows("SELECT id FROM quarantine ORDER BY id")]
    done = await act(world.conn, ids, Order("replay", "anna", ARRIVED, shift_s=shift_s))
    return [each.id for each in done if each.problem is None]


async def replay(world: World, most: int = 100) -> int:
    await world.ground.look_for_devices()
    return await replay_waiting(world.ground, world.limits, None, most, lambda _: None)


def sent(device: Device, at: datetime, **values: Any) -> Packet:
    return packet(device.id, {"ts": at, **values}, at=ARRIVED)


async def totals(world: World) -> dict[datetime, tuple[int, ...]]:
    return {at: line for at, line in (await world.ledger(GAUGE.id)).items() if any(line)}


async def test_local_time_sent_as_utc_is_put_right(world: World) -> None:
    at = ARRIVED - timedelta(seconds=2, milliseconds=3)
    await world.send([sent(GAUGE, at + 7 * HOUR, seq=4, boot="a", level_m=2.6)], now=ARRIVED)
    hour = ARRIVED.replace(minute=0)
    assert await totals(world) == {hour: (1, 0, 0, 0, 1)}
    await ask(world, -SEVEN_H_S)
    assert await replay(world) == 1
    row = await world.rows("SELECT ts, received_at, seq, boot, level_m, qc_reason FROM reading_water_level")
    assert row == [(at, ARRIVED, 4, "a", 2.6, row[0][5])]
    assert row[0][5] & Reason.LATE
    assert await totals(world) == {hour: (1, 1, 0, 0, 0)}
    assert await world.rows("SELECT what, who, shift_s, outcome FROM quarantine_event ORDER BY id") == [
        ("replay", "anna", -SEVEN_H_S, None),
        ("replayed", "ingest", -SEVEN_H_S, {"stored": 1, "duplicate": 0, "conflict": 0, "quarantined": 0}),
    ]
    assert await world.one("SELECT state FROM quarantine") == "replayed"


async def test_a_flood_of_yesterday_pages_nobody(world: World) -> None:
    """The alert is there with its true time, and historical; what is old never moves a live one."""
    await world.send([sent(GAUGE, ARRIVED + 7 * HOUR, level_m=3.4)], now=ARRIVED)
    await ask(world, -SEVEN_H_S)
    await replay(world)
    assert await world.rows("SELECT DISTINCT historical FROM alert WHERE rule LIKE 'siaga%%'") == [(True,)]
    assert await world.one("SELECT count(*) FROM notice_outbox") == 0


async def test_what_fails_the_same_way_is_open_again_and_counts_once(world: World) -> None:
    await world.send([sent(GAUGE, ARRIVED + 7 * HOUR, level_m=1), sent(GAUGE, ARRIVED, level_m="x")], now=ARRIVED)
    before = await totals(world)
    await ask(world)
    assert await replay(world) == 2
    assert await totals(world) == before
    assert await world.rows("SELECT state, count FROM quarantine") == [("open", 1)] * 2
    assert await world.one("SELECT count(*) FROM reading_water_level") == 0
    assert await world.one("SELECT count(*) FROM quarantine_event WHERE what = 'reopened'") == 2


async def test_a_conflict_stays_one_and_with_a_shift_becomes_a_reading(world: World) -> None:
    at = ARRIVED - timedelta(minutes=1)
    await world.send([sent(GAUGE, at, level_m=1), sent(GAUGE, at, level_m=2)], now=ARRIVED)
    hour = at.replace(minute=0)
    assert await totals(world) == {hour: (2, 1, 0, 1, 0)}
    await ask(world)
    await replay(world)
    assert await totals(world) == {hour: (2, 1, 0, 1, 0)}
    await ask(world, 60)
    await replay(world)
    assert await totals(world) == {hour: (2, 2, 0, 0, 0)}


async def test_an_array_of_a_stranger_after_it_is_registered(world: World) -> None:
    """Every item becomes what it is; the bad one is an entry of its own that knows where it comes from."""
    new = Device("new", "water_level", region="12.09")
    items = [{"ts": ARRIVED - timedelta(seconds=n), "level_m": 1.0} for n in range(3)]
    await world.send([packet("new", *items, {"ts": "soon"}, at=ARRIVED)], now=ARRIVED)
    async with await connect_async(world.url, "test") as conn:
        await import_devices(conn, [new])
    (entry,) = await ask(world)
    await replay(world)
    assert await world.one("SELECT count(*) FROM reading_water_level WHERE device_id = 'new'") == 3
    query = "SELECT device_id, reason, state, replay_of FROM quarantine ORDER BY id"
    assert await world.rows(query) == [
        ("?", "unknown_device", "replayed", None),
        ("new", "malformed", "open", entry),
    ]
    query = "SELECT device_id, sum(received)::int, sum(stored)::int, sum(quarantined)::int FROM ledger"
    query += " GROUP BY 1 ORDER BY 1"
    assert await world.rows(query) == [("?", 0, 0, 0), ("new", 4, 3, 1)]


async def test_replayed_again_after_the_reading_came_by_itself(world: World) -> None:
    at = ARRIVED - timedelta(minutes=3)
    await world.send([sent(GAUGE, at + 7 * HOUR, level_m=1)], now=ARRIVED)
    await world.send([sent(GAUGE, at, level_m=1)], now=ARRIVED)
    await ask(world, -SEVEN_H_S)
    await replay(world)
    assert await totals(world) == {at.replace(minute=0): (2, 1, 1, 0, 0)}
    assert await replay(world) == 0
    assert await ask(world) == []


async def test_killed_in_the_middle_is_nothing_or_everything(world: World) -> None:
    """The transaction fails at its last statement: no reading, still waiting, ledger as it was."""
    await world.send([sent(GAUGE, ARRIVED + 7 * HOUR, level_m=1)], now=ARRIVED)
    await ask(world, -SEVEN_H_S)
    before = await world.everything("ledger", "quarantine", "reading_water_level", "quarantine_event")
    await world.conn.execute(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
    )
    await world.conn.execute(
        "CREATE TRIGGER die BEFORE INSERT ON quarantine_event FOR EACH ROW WHEN (NEW.what = 'replayed')"
        " EXECUTE FUNCTION die()"
    )
    with pytest.raises(psycopg.OperationalError):
        await replay(world)
    await world.restart()
    await world.conn.execute("DROP TRIGGER die ON quarantine_event")
    assert await world.everything("ledger", "quarantine", "reading_water_level", "quarantine_event") == before
    assert await replay(world) == 1
    assert await world.one("SELECT count(*) FROM reading_water_level") == 1


async def test_what_the_database_refuses_is_open_again_and_the_next_is_stored(world: World) -> None:
    await world.send([sent(GAUGE, ARRIVED + n * HOUR, level_m=n) for n in (7, 8)], now=ARRIVED)
    await world.conn.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.level_m = 7 THEN RAISE EXCEPTION 'poison' USING ERRCODE = '22000'; END IF; RETURN NEW; END $$"
    )
    await world.conn.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON reading_water_level FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    await ask(world, -9 * 3600)
    assert await replay(world) == 2
    assert await world.rows("SELECT state, detail LIKE '%%poison%%' FROM quarantine ORDER BY state") == [
        ("open", True),
        ("replayed", False),
    ]


async def test_bounded_and_oldest_first(world: World) -> None:
    await world.send([sent(GAUGE, ARRIVED + 7 * HOUR + n * timedelta(minutes=1), level_m=1) for n in range(5)])
    await ask(world, -SEVEN_H_S - 600)
    assert [await replay(world, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert await world.one("SELECT count(*) FROM reading_water_level") == 5


class Ingest:
    """The real process. It needs no broker for this: nobody listens where it looks for one."""

    def __init__(self, database_url: str, log: Path) -> None:
        env = {
            **os.environ, "SIAGA_DATABASE_URL": database_url, "SIAGA_MQTT_URL": f"mqtt://127.0.0.1:{free_port()}",
            "SIAGA_FLEET_RELOAD_S": "1", "SIAGA_REPLAY_BATCH": "10",
        }  # fmt: skip
        with log.open("ab") as out:
            command = [sys.executable, "-m", "siaga", "ingest"]
            self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=out)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.mark.slow
async def test_kill_9_in_the_middle_of_many(world: World, tmp_path: Path) -> None:
    """Each entry waits or is done, readings and ledger with it; started again, all are done once."""
    many = 200
    ahead = [sent(GAUGE, ARRIVED + 7 * HOUR - timedelta(seconds=n), seq=n, boot="a", level_m=1.0) for n in range(many)]
    await world.send(ahead, now=ARRIVED)
    # A pause in each transaction: the kill must come while there is something left.
    await world.conn.execute(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN NEW;"
        " END $$"
    )
    await world.conn.execute(
        "CREATE TRIGGER dawdle BEFORE INSERT ON quarantine_event FOR EACH ROW WHEN (NEW.what = 'replayed')"
        " EXECUTE FUNCTION dawdle()"
    )
    await ask(world, -SEVEN_H_S)
    await world.ground.close()  # its lock is for ingest now
    async with await connect_async(world.url, "test") as conn:

        async def states() -> dict[str, int]:
            cursor = await conn.execute("SELECT state, count(*) FROM quarantine GROUP BY state")
            return dict(await cursor.fetchall())

        async def done() -> list[Any]:
            """Readings, lines of the ledger and events: what every entry that is done has left behind, once."""
            cursor = await conn.execute(
                "SELECT (SELECT count(*) FROM reading_water_level),"
                " (SELECT sum(stored) FROM ledger WHERE device_id = %s), (SELECT sum(quarantined) FROM ledger),"
                " (SELECT count(*) FROM quarantine_event WHERE what = 'replayed')",
                (GAUGE.id,),
            )
            return list((await cursor.fetchone()) or ())

        ingest = Ingest(world.url, tmp_path / "log")
        try:
            await until(lambda: _at_least(states, 30))
        finally:
            ingest.kill()
        await until(lambda: _left(conn))  # the server may still be at what the killed process sent last
        ended = (await states())["replayed"]
        print(f"killed after {ended} of {many}")
        assert await states() == {"replaying": many - ended, "replayed": ended}
        assert ended < many
        assert await done() == [ended, ended, many - ended, ended]
        await conn.execute("DROP TRIGGER dawdle ON quarantine_event")
        ingest = Ingest(world.url, tmp_path / "log")
        try:
            await until(lambda: _at_least(states, many))
        finally:
            ingest.kill()
        assert await done() == [many, many, 0, many]
    await world.restart()


async def _at_least(states: Any, number: int) -> bool:
    return bool((await states()).get("replayed", 0) >= number)


async def _left(conn: psycopg.AsyncConnection[Any]) -> bool:
    query = "SELECT FROM pg_stat_activity WHERE application_name = 'siaga ingest' AND datname = current_database()"
    return not await (await conn.execute(query)).fetchall()
