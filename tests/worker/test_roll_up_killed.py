"""kill -9 of the worker in the middle of a roll-up: the next one brings rollups and groups to their readings."""

from __future__ import annotations

from datetime import timedelta

import pytest

from storage.read_groups import Asked
from tests.storage.rolled import assert_rolled, drain
from tests.storage.test_groups import EVERY, answer
from tests.storage.world import COUNTER, GAUGE, LAMP, NOW, World, minutes, packet
from tests.worker.test_process import ask, running, until
from tests.worker.test_retain_killed import WAIT, Conn, other

__all__ = ["other"]

WAITING = """
SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE NOT granted AND objid = 4711 AND application_name = 'siaga worker' AND datname = current_database()
"""
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
    ("table", "when", "server"),
    [
        pytest.param("rollup_streetlight_5m", "IMMEDIATE", "notices", id="after 5 minutes"),
        pytest.param("rollup_streetlight_1d", "IMMEDIATE", "notices", id="after the day"),
        pytest.param("rollup_streetlight_1h", "DEFERRED", "notices", id="before the commit"),
        pytest.param("rollup_streetlight_1h", "DEFERRED", "goes on", id="at the commit"),
        pytest.param("group_streetlight_1d", "IMMEDIATE", "notices", id="among groups"),
    ],
)
async def test_killed_and_run_again(world: World, other: Conn, table: str, when: str, server: str) -> None:
    await fill(world)
    if table.startswith("group"):
        await drain(world.conn)  # groups are looked at when a worker starts, and half a minute later
    await other.execute(WAIT.format(table, when).encode())
    await other.execute("SELECT pg_advisory_lock(4711)")
    with running(world.url) as process:
        until(lambda: ask(world.url, WAITING))
        ((pid,),) = ask(world.url, WAITING)
        process.kill()
        process.wait()
    if server == "notices":
        await other.execute("SELECT pg_terminate_backend(%s, 60000)", (pid,))
    await other.execute("SELECT pg_advisory_unlock(4711)")
    await other.execute(f"DROP TRIGGER wait ON {table}".encode())
    with running(world.url):
        until(
            lambda: (
                ask(world.url, MARKS) == [(0,)] and (not table.startswith("group") or ask(world.url, GROUPS) != [(0,)])
            )
        )
    await assert_rolled(world.conn)
    assert await drain(world.conn) == 0
    # What is kept of groups, beside the same from the rollups alone.
    assert len(await answer(world.conn, Asked("district", {}, None, EVERY), "1d", NOW - timedelta(days=3))) == 2
