"""The roll-up job and what the worker says about itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from devices.kinds import KINDS
from storage.connect import connect_async
from storage.rollup import drain_own
from tests.storage.rolled import WIB, assert_rolled
from tests.storage.waiting import until
from tests.storage.world import NOW, World, minutes, packet
from worker.health import LAG_MAX_S, Health
from worker.roll_up import REST_MIN_S, roll_up
from worker.schedule import Job, keep

Make = Callable[..., Any]


async def test_a_round_rolls_up_everything(world: World, worker: Make) -> None:
    here = await worker(rollup_batch=2)
    await world.send(
        [packet("lamp", {"ts": NOW + minutes(5 * n), "power_w": n}, at=NOW + minutes(60)) for n in range(12)]
    )
    await world.send([packet("gauge", {"ts": NOW, "level_m": 1.0}), packet("counter", {"ts": NOW, "count": 3})])
    assert here.health.state == "starting"
    while await roll_up(here) < REST_MIN_S:
        pass  # a backlog is worked off without rest
    assert await world.one("SELECT count(*) FROM rollup_mark") == 0
    await assert_rolled(world.conn)
    await roll_up(here)
    assert here.health.state == "up"
    assert here.health.detail.startswith("rolled up to 20")
    assert here.health.detail.endswith("Z, 0 marks pending")


async def test_a_kind_whose_tables_are_wrong_holds_nobody_up(world: World, worker: Make) -> None:
    here = await worker()
    await world.send([packet("lamp", {"ts": NOW, "power_w": 80}), packet("counter", {"ts": NOW, "count": 3})])
    await world.conn.execute("ALTER TABLE rollup_streetlight_5m DROP COLUMN power_w_avg CASCADE")
    with pytest.raises(psycopg.errors.UndefinedColumn):
        await roll_up(here)
    assert await world.one("SELECT count_sum FROM rollup_traffic_1d") == 3
    assert await world.rows("SELECT kind FROM rollup_mark") == [("streetlight",)]


async def test_while_another_worker_is_at_it_nothing_is_called_fresh(
    world: World, worker: Make, database_url: str
) -> None:
    here = await worker()
    async with await connect_async(database_url, "other") as other, other.transaction():
        await drain_own(other, KINDS["traffic"], WIB, 1)
        await roll_up(here)
        assert here.health.state == "starting"
    await roll_up(here)
    assert here.health.state == "up"


async def test_an_error_that_repeats_degrades_and_success_mends(world: World, worker: Make) -> None:
    here = await worker(database_retry_max_s=1)
    tries = 0

    async def stumble(_: Any) -> float:
        nonlocal tries
        tries += 1
        async with here.pool.connection() as conn:
            await conn.execute("SELECT * FROM no_such_table" if tries < 3 else "SELECT 1")
        return 0.01

    await roll_up(here)
    running = asyncio.create_task(keep(Job(1, stumble), here))
    await until(lambda: _is(here.health.state == "degraded"))
    assert here.health.detail == 'stumble: relation "no_such_table" does not exist'
    await until(lambda: _is(here.health.state == "up"))
    here.stop.set()
    await running


def test_lag_degrades() -> None:
    health = Health()
    health.rolled_up(NOW, time.monotonic(), 0)
    assert health.state == "up"
    health.rolled_up(NOW, time.monotonic() - LAG_MAX_S - 1, 0)
    assert health.state == "degraded"


async def _is(true: bool) -> bool:
    return true
