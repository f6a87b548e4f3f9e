"""The watchdog on a real database: alerts that come, are told, acknowledged and go by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.installation import SUBJECT
from alerts.life import Order
from storage.alert_act import act
from storage.ingest_session import Stream, committed
from tests.storage.world import World
from worker.context import Context
from worker.health import Backlog
from worker.watch import longest_silence_s, watch

ALERTS = "SELECT rule, severity, active, acked, open, kind FROM alert WHERE device_id = %s ORDER BY id"
STEPS = "SELECT a.rule, t.what FROM transition t JOIN alert a ON a.id = t.alert_id WHERE a.device_id = %s ORDER BY t.id"
NOTICES = "SELECT count(*) FROM notice_outbox"
GIB = 1 << 30
LONG_AGO = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
async def here(worker: Callable[..., Any], world: World) -> Context:
    made: Context = await worker()
    made.health.started = LONG_AGO
    return made


async def flowed(world: World, ago_s: float, pace_s: float | None = 300) -> None:
    """The stream last brought something so long ago."""
    at = datetime.now(UTC) - timedelta(seconds=ago_s)
    await committed(world.conn, Stream("siaga-ingest", at, pace_s))


async def test_a_stream_that_stops_is_told_and_forgotten_when_it_flows(here: Context, world: World) -> None:
    await watch(here)
    assert await world.rows(ALERTS, SUBJECT) == []  # nothing has ever come: nothing is missed
    await flowed(world, 400)
    await watch(here)
    assert await world.rows(ALERTS, SUBJECT) == []
    await flowed(world, 500)
    for _ in range(3):
        await watch(here)
    assert await world.rows(ALERTS, SUBJECT) == [("stream_silent", 3, True, False, True, "installation")]
    assert await world.one(NOTICES) == 1
    number = await world.one("SELECT id FROM alert")
    async with here.pool.connection() as conn:
        (acted,) = await act(conn, {number: None}, Order("ack", "operator", datetime.now(UTC), "on it"))
        assert acted.outcome == "done"
    await flowed(world, 1)
    await watch(here)
    assert await world.rows(ALERTS, SUBJECT) == [("stream_silent", 3, False, True, False, "installation")]
    assert await world.rows(STEPS, SUBJECT) == [(("stream_silent"), what) for what in ("raised", "acked", "cleared")]
    assert await world.one(NOTICES) == 1  # its end goes to whoever was told: nobody was


async def test_two_workers_raise_one_alert(worker: Callable[..., Any], world: World) -> None:
    both = [await worker() for _ in range(2)]
    for here in both:
        here.health.started = LONG_AGO
    await flowed(world, 500)
    await asyncio.gather(*(watch(here) for here in both for _ in range(3)))
    assert await world.rows(STEPS, SUBJECT) == [("stream_silent", "raised")]
    assert await world.one(NOTICES) == 1


async def test_a_broker_that_fills_up(here: Context, world: World) -> None:
    async def at(backlog: Backlog | None) -> list[tuple[Any, ...]]:
        here.health.backlog = backlog
        await watch(here)
        return await world.rows("SELECT rule, active, round(value) FROM alert WHERE open")

    assert await at(Backlog(1, 79 * GIB, 100 * GIB)) == []
    assert await at(Backlog(1, 79 * GIB, None)) == []
    assert await at(Backlog(1, 80 * GIB, 100 * GIB)) == [("broker_full", True, 80)]
    # What nobody tells neither raises nor clears; a little less is not over.
    assert await at(None) == [("broker_full", True, 80)]
    assert await at(Backlog(1, 76 * GIB, 100 * GIB)) == [("broker_full", True, 80)]
    assert await at(Backlog(1, 10 * GIB, 100 * GIB)) == [("broker_full", False, 10)]


def test_the_most_silent_of_several_streams_counts() -> None:
    now = datetime.now(UTC)
    told = (("lamps", 3_600, 3_600.0), ("east", 430, 300.0), ("west", 500, 300.0), ("nobody", 9_999, None))
    found = [Stream(name, now - timedelta(seconds=ago), pace) for name, ago, pace in told]
    assert longest_silence_s(found, now, None) == 500
    assert longest_silence_s(found[:1], now, None) is None
    assert longest_silence_s(found[:3], now, 60) == 3_600
    assert longest_silence_s([], now, 60) is None
    assert longest_silence_s(found, now, None, now - timedelta(seconds=421)) == 421
    assert longest_silence_s(found, now, None, now - timedelta(seconds=420)) is None


async def test_a_worker_that_just_started_gives_devices_their_time(here: Context, world: World) -> None:
    here.health.started = datetime.now(UTC)
    await flowed(world, 500)
    await watch(here)
    assert await world.rows(ALERTS, SUBJECT) == []
    here.health.started = LONG_AGO
    await watch(here)
    here.health.started = datetime.now(UTC)  # the next worker does not take it back
    await watch(here)
    assert await world.rows(ALERTS, SUBJECT) == [("stream_silent", 3, True, False, True, "installation")]
