"""The worker keeps the days of groups: all that are marked, of every kind, in slices."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.storage import rolled
from tests.storage.world import GAUGE, LAMP, NOW, World, packet
from worker import roll_up_groups as job
from worker.roll_up_groups import roll_up_groups


async def test_every_marked_day_of_every_kind(
    world: World, worker: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "ROWS_MAX", 1)
    for back in range(3):
        at = NOW - timedelta(days=back)
        await world.send([packet(LAMP.id, {"ts": at, "power_w": 80}), packet(GAUGE.id, {"ts": at, "level_m": 1})])
    await rolled.drain(world.conn)
    here = await worker()
    assert await roll_up_groups(here) is None
    assert await world.one("SELECT count(*) FROM group_mark") == 0
    for table in ("group_streetlight_1d", "group_water_level_1d"):
        assert await world.one(f"SELECT count(*) FROM {table} WHERE grouping = 'all'") == 3


async def test_asked_to_stop_it_stops(world: World, worker: Callable[..., Any]) -> None:
    await world.send([packet(LAMP.id, {"ts": NOW, "power_w": 80})])
    await rolled.drain(world.conn)
    here = await worker()
    here.stop.set()
    assert await roll_up_groups(here) is not None
