"""kill -9 of the worker in the middle of a roll-up: the next one brings rollups and groups to their readings."""

from __future__ import annotations

from datetime import timedelta

import pytest

from storage.read_groups import Asked
from tests.storage.rolled import assert_rolled, drain
from tests.storage.test_groups import EVERY, answer
from tests.storage.world import COUNTER, GAUGE, LAMP, NOW, World, minutes, packet
from tests.worker.killed import Conn, Moment, kill_worker
from tests.worker.test_process import ask, running, until

MARKS = "SELECT count(*) FROM rollup_mark"
GROUPS = "SELECT count(*) FROM group_streetlight_1d"


async def fill(world: World) -> None:
    """Live and late data of all kinds, over two days."""
    for back in (timedelta(days=1), timedelta(0)):
        for number in range(12):
            at = NOW - back + minutes(4 * number)
            values = {"power_w": 80 + number, "energy_wh": 1000 + 5 * number if number < 7 else number}
            await world.send([packet(LAMP.id, {"ts": at, **values}, at=at)])
            await world.send([packet(GAUGE.id, {"ts": at, "level_m": 1 + number / 50}, at=NOW)])
            await world.send([packet(COUNTER.id, {"ts": at, "count": number}, at=NOW)])


@pytest.mark.slow
@pytest.mark.parametrize(
    "at",
    [
        pytest.param(Moment("rollup_streetlight_5m", "IMMEDIATE", "notices"), id="after 5 minutes"),
        pytest.param(Moment("rollup_streetlight_1d", "IMMEDIATE", "notices"), id="after the day"),
        pytest.param(Moment("rollup_streetlight_1h", "DEFERRED", "notices"), id="before the commit"),
        pytest.param(Moment("rollup_streetlight_1h", "DEFERRED", "goes on"), id="at the commit"),
        pytest.param(Moment("group_streetlight_1d", "IMMEDIATE", "notices"), id="among groups"),
    ],
)
async def test_killed_and_run_again(world: World, other: Conn, at: Moment) -> None:
    await fill(world)
    grouped = at.table.startswith("group")
    if grouped:
        await drain(world.conn)  # groups are looked at when a worker starts, and half a minute later
    await kill_worker(world.url, other, at)
    with running(world.url):
        until(lambda: ask(world.url, MARKS) == [(0,)] and (not grouped or ask(world.url, GROUPS) != [(0,)]))
    await assert_rolled(world.conn)
    assert await drain(world.conn) == 0
    # What is kept of groups, beside the same from the rollups alone.
    assert len(await answer(world.conn, Asked("district", {}, None, EVERY), "1d", NOW - timedelta(days=3))) == 2
