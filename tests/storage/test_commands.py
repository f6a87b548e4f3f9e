"""Commands, who is connected, and lives of devices, as they are kept: each step once, whoever takes it again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devices.batch import Packet
from devices.commands import Answer
from devices.topics import result_topic, status_topic
from ingest.hear import hear_results, hear_status
from storage import commands, life
from storage.commands import Asked
from storage.life import Step
from tests.storage.world import GAUGE, LAMP, NOW, REGION, World, minutes, packet

pytestmark = pytest.mark.same_tables

SECOND = timedelta(seconds=1)
NOBODY = "0d6a3b52-5b0e-4c55-9a43-2f6f0f1f7a11"


def now() -> datetime:
    return datetime.now(UTC)


def asked(ahead: timedelta = timedelta(minutes=5), **more: Any) -> Asked:
    at = now()
    return Asked("dim", {"level_pct": 50.0}, "budi", at, at + ahead, **more)


async def queue(world: World, **more: Any) -> str:
    made, is_new = await commands.ask(world.conn, LAMP.id, asked(**more))
    assert is_new
    return str(made)


async def state(world: World, command: str) -> Any:
    return (await world.rows("SELECT state, error, sent_at, ended_at FROM command WHERE id = %s", command))[0]


def result(command: str, ok: bool = True, device: str = LAMP.id, region: str = REGION, error: str = "") -> Packet:
    text = f'{{"id": "{command}", "ok": {str(ok).lower()}' + (f', "error": "{error}"' if error else "") + "}"
    return Packet(result_topic(region, device), text.encode(), now())


def status(payload: bytes, device: str = LAMP.id, region: str = REGION, at: datetime | None = None) -> Packet:
    return Packet(status_topic(region, device), payload, at or now())


async def due(world: World, regions: list[str] | None = None, at: datetime | None = None) -> list[str]:
    return [each.told.id for each in await commands.due(world.conn, regions, REGION, at or now(), 10)]


async def test_a_command_goes_its_way_and_each_step_counts_once(world: World) -> None:
    made = await queue(world)
    (each,) = await commands.due(world.conn, None, REGION, now(), 10)
    assert (each.topic, each.told.id) == (f"siaga/v1/{REGION}/lamp/command", made)
    await commands.sent(world.conn, [made], now())
    assert (await state(world, made))[0] == "sent"
    assert await due(world) == []
    heard = result(made, ok=False, error="relay")
    assert (await hear_results(world.conn, [heard]))["taken"] == 1
    before = await state(world, made)
    assert before[:2] == ("failed", "relay")
    # Delivered again, and something else said of the same; marked as sent by who was slower than the device.
    again = await hear_results(world.conn, [heard, result(made)])
    assert (again["taken"], again["same"]) == (0, 2)
    await commands.sent(world.conn, [made], now())
    assert await commands.expire(world.conn, now() + timedelta(hours=1)) == 0
    assert await state(world, made) == before


async def test_an_answer_that_is_quicker_than_the_broker_counts(world: World) -> None:
    made = await queue(world)
    await hear_results(world.conn, [result(made)])
    done, _, sent_at, ended_at = await state(world, made)
    assert (done, sent_at) == ("done", ended_at)


async def test_what_nobody_answers_expires_and_is_never_sent(world: World) -> None:
    made = await queue(world, ahead=SECOND)
    later = now() + 2 * SECOND
    assert await due(world, at=later) == []
    assert await commands.expire(world.conn, later) == 1
    assert (await state(world, made))[0] == "expired"
    # The device had it all the same, and its answer is the truth.
    await hear_results(world.conn, [result(made)])
    assert (await state(world, made))[0] == "done"


async def test_only_the_device_that_was_told_can_answer(world: World) -> None:
    made = await queue(world)
    told = await hear_results(
        world.conn,
        [
            result(made, device=GAUGE.id),
            result(NOBODY),
            result(made, region="12.71"),
            result(made, device="stranger"),
            result("7"),
            Packet("siaga/v1/12.09/lamp/command/other", b"{}", now()),
        ],
    )
    assert told == {
        "taken": 0, "same": 0, "malformed": 2, "unknown_device": 1, "identity_mismatch": 1, "unknown_command": 2,
    }  # fmt: skip
    assert (await state(world, made))[0] == "queued"


async def test_the_same_key_is_the_same_command(world: World) -> None:
    made = await queue(world, key="once")
    again, is_new = await commands.ask(world.conn, LAMP.id, asked(key="once"))
    assert (str(again), is_new) == (made, False)
    with pytest.raises(commands.KeyUsedError):
        await commands.ask(world.conn, LAMP.id, asked(key="once")._replace(args={"level_pct": 20.0}))
    assert await world.one("SELECT count(*) FROM command") == 1


async def test_each_ingest_process_tells_its_own_regions(world: World) -> None:
    made = await queue(world)
    assert await due(world, ["12.71"]) == []
    assert await due(world, ["12.71", REGION]) == [made]


async def test_a_device_is_online_until_it_says_otherwise(world: World) -> None:
    first = now()
    assert (await hear_status(world.conn, [status(b"online", at=first)]))["taken"] == 1
    # Retained, it comes again with each connection of ours.
    again = await hear_status(world.conn, [status(b"online", at=first + SECOND)])
    assert (again["taken"], again["same"]) == (0, 1)
    query = "SELECT online, since, heard_at, changes FROM presence"
    assert await world.rows(query) == [(True, first, first + SECOND, 0)]
    await hear_status(world.conn, [status(b"offline", at=first + 2 * SECOND)])
    assert await world.rows(query) == [(False, first + 2 * SECOND, first + 2 * SECOND, 1)]


async def test_a_device_that_flaps_fills_nothing(world: World) -> None:
    at = now()
    await hear_status(world.conn, [status(b"online", at=at)])
    flapping = [status((b"offline", b"online")[n % 2], at=at + n * SECOND) for n in range(500)]
    told = await hear_status(world.conn, flapping)
    assert (told["taken"], told["same"]) == (0, 500)
    assert await world.rows("SELECT online, since, changes FROM presence") == [(True, at, 0)]


async def test_who_says_nothing_of_use_is_counted(world: World) -> None:
    told = await hear_status(
        world.conn,
        [status(b"up"), status(b"online", "stranger"), status(b"online", region="12.71"), status(b"\xff" * 9)],
    )
    assert told == {"taken": 0, "same": 0, "malformed": 2, "unknown_device": 1, "identity_mismatch": 1}
    assert await world.one("SELECT count(*) FROM presence") == 0


async def test_a_status_that_is_cleared_is_forgotten(world: World) -> None:
    await hear_status(world.conn, [status(b"online")])
    await hear_status(world.conn, [status(b"")])
    assert await world.one("SELECT count(*) FROM presence") == 0


async def set_life(world: World, what: Any, at: datetime) -> None:
    async with world.conn.transaction():
        await life.set_step(world.conn, Step(GAUGE.id, what, at, "budi", "test"), now())


async def test_a_retired_device_is_watched_by_nobody_and_what_it_sends_is_stored(world: World) -> None:
    async def levels(minute: int, level_m: float) -> None:
        for n in range(3):
            at = NOW + minutes(minute + n)
            await world.send([packet(GAUGE.id, {"ts": at, "level_m": level_m}, at=at)], at)

    await levels(0, 2.7)
    assert await world.rows("SELECT rule, active FROM alert") == [("siaga", True)]
    await set_life(world, "retired", now() - SECOND)
    assert await world.ground.look_for_devices()
    assert await world.rows("SELECT rule, active FROM alert") == [("siaga", False)]
    why = "SELECT why FROM transition WHERE what = 'cleared'"
    assert await world.rows(why) == [("the device is retired",)]
    await levels(10, 3.2)
    assert await world.one("SELECT count(*) FROM alert") == 1
    assert await world.one("SELECT count(*) FROM reading_water_level") == 6
    await set_life(world, "in_service", now())
    assert await world.ground.look_for_devices()
    await levels(20, 3.2)
    assert await world.one("SELECT count(*) FROM alert WHERE active") == 1


async def test_a_date_to_come_is_taken_over_once_it_is_there(world: World) -> None:
    ahead = now() + timedelta(days=1)
    await set_life(world, "retired", ahead)
    assert await world.one("SELECT status FROM device WHERE id = 'gauge'") == "in_service"
    assert not await life.is_due(world.conn, now())
    assert await life.is_due(world.conn, ahead)
    async with world.conn.transaction():
        assert await life.apply(world.conn, ahead) == 1
    assert not await life.is_due(world.conn, ahead)
    assert await world.one("SELECT status FROM device WHERE id = 'gauge'") == "retired"


async def test_what_a_device_belonged_to_is_remembered(world: World) -> None:
    await world.conn.execute("UPDATE device SET attributes = '{\"panel\": \"P-01\"}' WHERE id = 'lamp'")
    await world.conn.execute("UPDATE device SET name = 'another' WHERE id = 'lamp'")
    new, old = await life.history(world.conn, LAMP.id)
    assert (old["attributes"], old["to"]) == ({}, new["from"])
    assert (new["attributes"], new["to"]) == ({"panel": "P-01"}, None)


async def test_answers_of_many_are_taken_over_together(world: World) -> None:
    made = [await queue(world) for _ in range(3)]
    answers = [(LAMP.id, Answer(id=each, ok=n != 1)) for n, each in enumerate(made)]
    assert await commands.answered(world.conn, answers, now()) == set(made)
    assert [(await state(world, each))[0] for each in made] == ["done", "failed", "done"]
