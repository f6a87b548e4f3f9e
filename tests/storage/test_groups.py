"""Days that are kept of groups: whatever happened, an answer with them is what the rollups of the devices say."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api import buckets
from api.params import Window
from devices.device import Device
from devices.kinds import KINDS
from ingest.intake import take_in
from storage import groups, read_groups
from storage.connect import connect_async
from storage.fleet import import_devices
from storage.kind_tables import BUCKETS, group_table, reading_table, rollup_table
from storage.read_groups import AGGREGATES, Asked, Steps
from tests.storage import rolled
from tests.storage.waiting import until_waiting
from tests.storage.world import NOTHING, REGION, World, packet

LAMP = KINDS["streetlight"]
WIB = ZoneInfo("Asia/Jakarta")
# Half past eleven in the evening in Jakarta, the last day of a month: an hour from here touches two.
EVENING = datetime(2026, 11, 30, 16, 30, tzinfo=UTC)
END = EVENING + timedelta(days=12)
FLEET = [
    Device(f"lamp-{n}", "streetlight", region=REGION, district=f"12.09.1{n % 2}", attributes={"panel": f"P{n % 3}"})
    for n in range(4)
]
EVERY = {metric.name: AGGREGATES[metric.rollup] for metric in LAMP.metrics.values() if AGGREGATES[metric.rollup]}
Answer = dict[tuple[str, int], dict[str, Any]]


async def answer(conn: psycopg.AsyncConnection[Any], asked: Asked, name: buckets.Name, since: datetime) -> Answer:
    """What is answered; the same as from the rollups alone, and from nothing that is in doubt."""
    plan = buckets.plan(name, Window(since, END), END, WIB, WIB)
    steps = Steps(plan.slices, plan.steps, plan.starts, "1d" if name == "1mo" else name)
    quick, slow = [
        {row[:2]: json.loads(row.content) for row in await read_groups.aggregate(conn, LAMP, asked, steps, marked)}
        for marked in (0, None)
    ]
    assert quick.keys() == slow.keys()
    for key, told in slow.items():
        assert_alike(quick[key], told)
    return quick


def assert_alike(a: Any, b: Any) -> None:
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for name, value in a.items():
            assert_alike(value, b[name])
    else:
        assert a == b or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9), (a, b)


async def move(world: World, at: datetime, *devices: Device) -> None:
    """As if the registry had changed at this time."""
    await import_devices(world.conn, list(devices))
    await world.conn.execute(
        "UPDATE device_history AS h SET valid_from = %s WHERE device_id = ANY (%s)"
        " AND valid_from = (SELECT max(valid_from) FROM device_history AS n WHERE n.device_id = h.device_id)",
        (at, [each.id for each in devices]),
    )


async def send(world: World, *items: tuple[str, datetime, dict[str, Any]]) -> None:
    """Store readings, late ones, and roll them up."""
    packets = [packet(device, {"ts": ts, **values}, at=ts + timedelta(days=9)) for device, ts, values in items]
    batch = take_in(packets, world.ground.fleet, world.limits)
    await world.ground.writer.write(batch, NOTHING, EVENING)
    await rolled.drain(world.conn)


def moved(number: int, district: int, panel: str | None) -> Device:
    return replace(FLEET[number], district=f"12.09.1{district}", attributes={"panel": panel} if panel else {})


numbers = st.integers(0, 3)
readings = st.tuples(
    st.just("send"), numbers, st.integers(0, 40), st.sampled_from([0, 0, 1, -2]),
    st.fixed_dictionaries(
        {"power_w": st.none() | st.sampled_from([0.5, 80, 2000]), "energy_wh": st.none() | st.integers(0, 12)}
    ),
)  # fmt: skip
places = st.tuples(numbers, st.integers(0, 1), st.none() | st.sampled_from(["P0", "P1", "P9"]))
moves = st.tuples(st.sampled_from(["move", "move", "correct"]), places)
drains = st.tuples(st.just("drain"))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=st.lists(readings | readings | moves | drains, min_size=1, max_size=8),
    grouping=st.sampled_from(LAMP.groupings),
    name=st.sampled_from(["1d", "1mo", "6h"]),
    back=st.integers(0, 30),
)
async def test_kept_days_change_no_answer(
    database_url: str, history: list[tuple[Any, ...]], grouping: str, name: buckets.Name, back: int
) -> None:
    world = await World.make(database_url, *FLEET)
    try:
        await _empty(world)
        now = EVENING
        for what, *more in history:
            if what == "send":
                number, step, days, values = more
                at = now + step * timedelta(seconds=97) + timedelta(days=days)
                now = max(now, at)
                await send(world, (FLEET[number].id, at, values), (FLEET[0].id, at, values))
            elif what == "move":
                now += timedelta(seconds=1)
                await move(world, now, moved(*more[0]))
            elif what == "correct":
                await import_devices(world.conn, [moved(*more[0])], correct=True)
            else:
                await groups.drain(world.conn, LAMP, 4)
            for where in ({}, {"district": "12.09.10"}, {"panel": "P1", "district": "12.09.11"}):
                asked = Asked(grouping, where, None, EVERY)
                await answer(world.conn, asked, name, EVENING - timedelta(hours=back))
        while await groups.drain(world.conn, LAMP, 4):
            pass
        assert await world.one("SELECT count(*) FROM group_mark WHERE kind = 'streetlight'") == 0
        await answer(world.conn, Asked(grouping, {}, None, EVERY), name, EVENING - timedelta(hours=back))
    finally:
        await world.ground.close()


async def test_totals_and_devices(database_url: str) -> None:
    world = await World.make(database_url, *FLEET)
    try:
        await _empty(world)
        hour = timedelta(hours=1)
        await send(
            world,
            ("lamp-0", EVENING, {"power_w": 100, "energy_wh": 5}), ("lamp-0", EVENING + hour / 60, {"power_w": 50}),
            ("lamp-3", EVENING, {"power_w": 30}), ("lamp-1", EVENING, {"power_w": 7}),
            ("lamp-0", EVENING + 24 * hour, {"power_w": 20, "energy_wh": 9}),
            ("lamp-2", EVENING + 24 * hour, {"power_w": None}),
        )  # fmt: skip
        asked = Asked("panel", {}, None, {"power_w": ("avg", "max", "total"), "energy_wh": ("delta",)})
        await groups.drain(world.conn, LAMP, 1000)
        days = await answer(world.conn, asked, "1d", EVENING - 24 * hour)
        assert days["P0", 2] == {
            "devices": 2, "n": 3, "good": 3, "power_w": {"avg": 60, "max": 100, "total": 105},
            "energy_wh": {"delta": None},
        }  # fmt: skip
        assert days["P0", 3]["energy_wh"] == {"delta": 4}
        assert days["P1", 2]["power_w"]["total"] == 7
        # The days are of two months; of a month the total is the mean of its days.
        months = await answer(world.conn, asked, "1mo", EVENING - 24 * hour)
        assert months["P0", 1]["power_w"]["total"] == 105
        two_days = EVENING + 40 * hour
        await send(world, ("lamp-0", two_days, {"power_w": 40}), ("lamp-3", two_days, {"power_w": 25}))
        months = await answer(world.conn, asked, "1mo", EVENING)
        assert months["P0", 2]["devices"] == 2
        assert months["P0", 2]["power_w"] == {"avg": 85 / 3, "max": 40, "total": (20 + 65) / 2}
    finally:
        await world.ground.close()


MOVES = pytest.mark.parametrize("moves", [[moved(0, 1, "P0")], [moved(0, 0, "P9"), moved(3, 1, None)]])


@MOVES
async def test_a_correction_takes_the_past_along(database_url: str, moves: list[Device]) -> None:
    world = await World.make(database_url, *FLEET)
    try:
        await _empty(world)
        later = EVENING + timedelta(days=1)
        await send(world, *((lamp.id, at, {"power_w": 10}) for lamp in FLEET for at in (EVENING, later)))
        await groups.drain(world.conn, LAMP, 1000)
        asked = [Asked(grouping, {}, None, {"power_w": ("total",)}) for grouping in LAMP.groupings]
        before = [await answer(world.conn, each, "1d", EVENING - timedelta(days=1)) for each in asked]
        assert (await import_devices(world.conn, moves, correct=True)).corrected == len(moves)
        after = [await answer(world.conn, each, "1d", EVENING - timedelta(days=1)) for each in asked]
        assert after[0] == before[0]
        assert after != before
        assert await groups.drain(world.conn, LAMP, 1000) == 2
        assert [await answer(world.conn, each, "1d", EVENING - timedelta(days=1)) for each in asked] == after
        # Nothing that was known of them was otherwise: nothing is to be done.
        assert (
            await import_devices(world.conn, [replace(x, name="Lampu") for x in moves], correct=True)
        ).corrected == 0
        assert await groups.drain(world.conn, LAMP, 1000) == 0
    finally:
        await world.ground.close()


@MOVES
async def test_a_device_that_moves_leaves_its_past_where_it_was(database_url: str, moves: list[Device]) -> None:
    """In days that are kept, in days that are added up, and in buckets shorter than a day."""
    world = await World.make(database_url, *FLEET)
    try:
        await _empty(world)
        later = EVENING + timedelta(days=1)
        await send(world, *((lamp.id, EVENING, {"power_w": 10}) for lamp in FLEET))
        await groups.drain(world.conn, LAMP, 1000)
        names: list[buckets.Name] = ["1d", "5m"]
        asked = [Asked(grouping, {}, None, {"power_w": ("total",)}) for grouping in LAMP.groupings]
        before = [await answer(world.conn, each, name, EVENING - timedelta(days=1)) for each in asked for name in names]
        await move(world, EVENING + timedelta(minutes=10), *moves)
        await send(world, *((lamp.id, later, {"power_w": 10}) for lamp in FLEET))
        await groups.drain(world.conn, LAMP, 1000)
        after = [await answer(world.conn, each, name, EVENING - timedelta(days=1)) for each in asked for name in names]
        for old, new in zip(before, after, strict=True):
            assert new.items() > old.items()
        panel = Asked("panel", {"panel": "P0"}, None, {"power_w": ("total",)})
        told = await answer(world.conn, panel, "1d", EVENING - timedelta(days=1))
        still = [each for each in (FLEET[0], FLEET[3]) if each.id not in {x.id for x in moves}] + [
            each for each in moves if each.attributes.get("panel") == "P0"
        ]
        assert [x["power_w"]["total"] for x in told.values()] == [20, *([10 * len(still)] if still else [])]
    finally:
        await world.ground.close()


@pytest.mark.two_sessions
async def test_killed_half_way_it_is_done_again(database_url: str, other: psycopg.AsyncConnection[Any]) -> None:
    world = await World.make(database_url, *FLEET)
    try:
        await _empty(world)
        await send(world, *((lamp.id, EVENING, {"power_w": 10}) for lamp in FLEET))
        killed = await connect_async(database_url, "killed")
        async with other.transaction():
            await other.execute("LOCK TABLE group_streetlight_1d IN ACCESS EXCLUSIVE MODE")
            working = asyncio.create_task(groups.drain(killed, LAMP, 1000))
            await until_waiting(world.conn, killed.info.backend_pid)
            await world.rows("SELECT pg_terminate_backend(%s, 5000)", killed.info.backend_pid)
            with pytest.raises(psycopg.OperationalError):
                await working
        await killed.close()
        assert await world.one("SELECT count(*) FROM group_streetlight_1d") == 0
        assert await groups.drain(world.conn, LAMP, 1000) == 1
        once = await world.everything("group_streetlight_1d")
        await groups.mark(world.conn, LAMP, [await world.one("SELECT min(bucket) FROM group_streetlight_1d")])
        assert await groups.drain(world.conn, LAMP, 1000) == 1
        assert await world.everything("group_streetlight_1d") == once
    finally:
        await world.ground.close()


@pytest.mark.two_sessions
async def test_one_worker_at_a_time(database_url: str, other: psycopg.AsyncConnection[Any]) -> None:
    world = await World.make(database_url, *FLEET)
    try:
        await groups.mark(world.conn, LAMP, [EVENING])
        async with other.transaction():
            await groups.mark_devices(other, LAMP, ["lamp-1"])
            assert await groups.drain(world.conn, LAMP, 1000) is None
        assert await groups.drain(world.conn, LAMP, 1000) == 1
    finally:
        await world.ground.close()


async def test_dropped_days_are_forgotten(database_url: str) -> None:
    world = await World.make(database_url, *FLEET)
    try:
        await _empty(world)
        await send(world, ("lamp-0", EVENING, {"power_w": 10}), ("lamp-0", EVENING + timedelta(days=3), {"power_w": 1}))
        await groups.drain(world.conn, LAMP, 1000)
        async with world.conn.transaction():
            await world.conn.execute("DELETE FROM rollup_streetlight_1d WHERE bucket < %s", (EVENING,))
            await groups.mark_between(world.conn, LAMP, EVENING - timedelta(days=364), EVENING)
        asked = Asked("all", {}, None, {"power_w": ("avg",)})
        assert len(await answer(world.conn, asked, "1d", EVENING - timedelta(days=9))) == 1
        await groups.drain(world.conn, LAMP, 1000)
        assert await world.one("SELECT count(*) FROM group_streetlight_1d WHERE grouping = 'all'") == 1
    finally:
        await world.ground.close()


async def _empty(world: World) -> None:
    tables = ["latest", "ledger", "quarantine", "rollup_mark", "group_mark"]
    for kind in KINDS.values():
        tables += [reading_table(kind), group_table(kind), *(rollup_table(kind, size) for size in BUCKETS)]
    await world.conn.execute(f"TRUNCATE {', '.join(tables)} CASCADE".encode())
    await import_devices(world.conn, FLEET, correct=True)
    await world.conn.execute("DELETE FROM group_mark")
