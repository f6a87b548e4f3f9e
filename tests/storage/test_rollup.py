"""Rollups: what counts in them, which of them late data touches, and that no mark is lost whoever crashes or races."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from devices.device import Device
from devices.kinds import KINDS
from storage.connect import connect_async
from storage.rollup import drain_own, drain_whole, pending
from tests.storage.rolled import WIB, assert_rolled, drain, stored
from tests.storage.world import COUNTER, NOW, REGION, World, minutes, packet

LAMPS = KINDS["streetlight"]
ROADS = KINDS["traffic"]
RIVERS = KINDS["water_level"]
LATE = timedelta(hours=1)


async def lamp(world: World, ts: datetime, late: bool = False, device: str = "lamp", **values: Any) -> None:
    await world.send([packet(device, {"ts": ts, **values}, at=ts + (LATE if late else timedelta(0)))])


async def five_minutes(world: World, ts: datetime) -> dict[str, Any]:
    return (await stored(world.conn, LAMPS, "5m"))["lamp", ts]


async def spoil(world: World) -> None:
    """Write nonsense into every rollup: what is computed again shows."""
    for size in ("5m", "1h", "1d"):
        await world.conn.execute(f"UPDATE rollup_streetlight_{size} SET n = 99".encode())


async def touched(world: World, size: str) -> set[datetime]:
    return {bucket for (_, bucket), row in (await stored(world.conn, LAMPS, size)).items() if row["n"] != 99}


async def test_untrusted_readings_are_counted_and_not_averaged(world: World) -> None:
    for second, power in enumerate((80, 100, 5000)):  # the last one is out of range
        await lamp(world, NOW + timedelta(seconds=second), power_w=power)
    await lamp(world, NOW + timedelta(seconds=3), power_w=40)
    await world.conn.execute("UPDATE reading_streetlight SET qc = 3 WHERE power_w = 40")
    await drain(world.conn)
    row = await five_minutes(world, NOW)
    assert (row["n"], row["n_good"], row["power_w_avg"], row["power_w_max"]) == (4, 2, 90, 100)
    assert (row["power_w_last"], row["power_w_w"]) == (100, 2)


async def test_a_bucket_of_failed_readings_has_a_row_without_values(world: World) -> None:
    await lamp(world, NOW, power_w=5000)
    await drain(world.conn)
    row = await five_minutes(world, NOW)
    assert (row["n"], row["n_good"], row["power_w_avg"], row["energy_wh_delta"]) == (1, 0, None, None)


async def test_speed_is_weighted_by_count(world: World) -> None:
    for second, (count, speed) in enumerate(((30, 20), (10, 60), (0, None), (None, 50))):
        ts = NOW + timedelta(seconds=second)
        await world.send([packet(COUNTER.id, {"ts": ts, "count": count, "speed_kmh": speed}, at=ts)])
    await drain(world.conn)
    row = (await stored(world.conn, ROADS, "1d"))[COUNTER.id, datetime(2026, 11, 23, 17, tzinfo=UTC)]
    # The one that does not know its count counts once.
    assert row["speed_kmh_avg"] == pytest.approx((30 * 20 + 10 * 60 + 50) / 41)
    assert (row["speed_kmh_w"], row["count_sum"], row["n"]) == (41, 40, 4)


async def test_an_increment_belongs_to_the_bucket_of_the_later_reading(world: World) -> None:
    await lamp(world, NOW, energy_wh=100)
    await lamp(world, NOW + minutes(1), power_w=80)  # says nothing about energy, and parts nothing
    await lamp(world, NOW + minutes(42), energy_wh=130)
    await lamp(world, NOW + minutes(43), energy_wh=7)  # a reset: counted from 0
    await drain(world.conn)
    rows = await stored(world.conn, LAMPS, "5m")
    assert rows["lamp", NOW]["energy_wh_delta"] is None
    assert rows["lamp", NOW + minutes(40)]["energy_wh_delta"] == 30 + 7
    assert rows["lamp", NOW + minutes(40)]["energy_wh_last"] == 7


async def test_late_data_touches_its_own_buckets_and_that_of_the_next_increment(world: World) -> None:
    for at in (0, 30, 120, 1500):
        await lamp(world, NOW + minutes(at), energy_wh=at, power_w=80)
    await drain(world.conn)
    await spoil(world)
    await lamp(world, NOW + minutes(40), late=True, energy_wh=90)
    await drain(world.conn)
    assert await touched(world, "5m") == {NOW + minutes(40), NOW + minutes(120)}
    assert await touched(world, "1h") == {NOW, NOW + minutes(120)}
    assert await touched(world, "1d") == {datetime(2026, 11, 23, 17, tzinfo=UTC)}


async def test_a_late_reading_without_a_counter_touches_its_own_bucket_only(world: World) -> None:
    for at in (0, 120):
        await lamp(world, NOW + minutes(at), energy_wh=at)
    await drain(world.conn)
    await spoil(world)
    await lamp(world, NOW + minutes(40), late=True, power_w=80)
    await drain(world.conn)
    assert await touched(world, "5m") == {NOW + minutes(40)}


async def test_live_marks_of_one_bucket_are_one_roll_up(world: World) -> None:
    for second in range(20):
        await lamp(world, NOW + timedelta(seconds=second), power_w=second)
    assert await pending(world.conn, KINDS, 1000) == 20
    done = await drain_whole(world.conn, LAMPS, WIB, 500)
    assert done is not None
    assert (done.changed, done.more, done.oldest) == (3, False, NOW)  # 5 min, hour, day
    assert await pending(world.conn, KINDS, 1000) == 0
    await assert_rolled(world.conn)


async def test_newest_buckets_come_first_and_the_rest_after(world: World) -> None:
    for at in (0, 5, 10, 15):
        await lamp(world, NOW + minutes(at), power_w=at)
    first = await drain_whole(world.conn, LAMPS, WIB, 2)
    assert first is not None
    assert (first.more, first.oldest) == (True, NOW + minutes(10))
    assert {bucket for _, bucket in await stored(world.conn, LAMPS, "5m")} == {NOW + minutes(10), NOW + minutes(15)}
    await lamp(world, NOW + minutes(16), power_w=1)
    rest = await drain_whole(world.conn, LAMPS, WIB, 500, before=NOW + minutes(10))
    assert rest is not None
    assert (rest.more, rest.oldest, await pending(world.conn, KINDS, 10)) == (False, NOW, 1)
    await drain(world.conn)
    await assert_rolled(world.conn)


async def test_a_day_begins_at_midnight_in_jakarta(world: World) -> None:
    midnight = datetime(2026, 11, 24, 17, tzinfo=UTC)
    await lamp(world, midnight - timedelta(seconds=1), power_w=10)
    await lamp(world, midnight, power_w=20)
    await drain(world.conn)
    days = await stored(world.conn, LAMPS, "1d")
    assert {bucket: row["power_w_avg"] for (_, bucket), row in days.items()} == {
        midnight - timedelta(days=1): 10,
        midnight: 20,
    }


@pytest.mark.parametrize(
    "zone",
    [
        ZoneInfo("Asia/Kolkata"),  # half past six in the evening UTC: no hour's edge
        ZoneInfo("Europe/Amsterdam"),  # 25 October 2026 has 25 hours there
    ],
    ids=str,
)
async def test_days_of_other_zones_are_exact_too(world: World, zone: ZoneInfo) -> None:
    start = datetime(2026, 10, 24, 12, tzinfo=UTC)
    for step in range(60):
        await lamp(world, start + step * minutes(47), energy_wh=step, power_w=step)
    await drain(world.conn, zone)
    await assert_rolled(world.conn, zone)


async def test_a_bucket_that_lost_its_rows_loses_its_rollups(world: World) -> None:
    await lamp(world, NOW, power_w=80)
    await drain(world.conn)
    await world.conn.execute("DELETE FROM reading_streetlight")
    await world.conn.execute("INSERT INTO rollup_mark (kind, bucket) VALUES ('streetlight', %s)", (NOW,))
    await drain(world.conn)
    for size in ("5m", "1h", "1d"):
        assert not await stored(world.conn, LAMPS, size)


async def test_a_crash_before_the_commit_loses_no_mark(world: World) -> None:
    await lamp(world, NOW, power_w=80)
    await lamp(world, NOW - minutes(60), late=True, power_w=70)
    async with world.conn.transaction(force_rollback=True):
        await drain_whole(world.conn, LAMPS, WIB, 500)
        await drain_own(world.conn, LAMPS, WIB, 500)
        assert await pending(world.conn, KINDS, 10) == 0
    assert await pending(world.conn, KINDS, 10) == 2
    assert not await stored(world.conn, LAMPS, "5m")
    await drain(world.conn)
    await assert_rolled(world.conn)


@pytest.mark.two_sessions
async def test_a_mark_committed_meanwhile_stays(world: World, other: psycopg.AsyncConnection[Any]) -> None:
    await lamp(world, NOW, power_w=80)
    async with other.transaction():
        await other.execute(
            "INSERT INTO reading_streetlight (device_id, ts, received_at, qc, qc_reason, power_w)"
            " VALUES ('lamp', %s, now(), 1, 0, 60)",
            (NOW + minutes(1),),
        )
        await other.execute("INSERT INTO rollup_mark (kind, bucket) VALUES ('streetlight', %s)", (NOW,))
        await drain(world.conn)
        assert (await five_minutes(world, NOW))["n"] == 1
    assert await pending(world.conn, KINDS, 10) == 1
    await drain(world.conn)
    await assert_rolled(world.conn)


@pytest.mark.two_sessions
async def test_a_second_worker_leaves_a_kind_alone_while_one_is_at_it(
    world: World, other: psycopg.AsyncConnection[Any]
) -> None:
    await lamp(world, NOW, power_w=80)
    async with other.transaction():
        assert await drain_own(other, LAMPS, WIB, 500) is not None
        assert await drain_whole(world.conn, LAMPS, WIB, 500) is None
        assert await drain_whole(world.conn, RIVERS, WIB, 500) is not None
    assert await drain_whole(world.conn, LAMPS, WIB, 500) is not None
    await assert_rolled(world.conn)


@pytest.mark.two_sessions
async def test_two_workers_at_once_lose_nothing(database_url: str, other: psycopg.AsyncConnection[Any]) -> None:
    fleet = [Device(f"lamp-{n}", "streetlight", region=REGION) for n in range(8)]
    world = await World.make(database_url, *fleet)
    over = asyncio.Event()

    async def work(conn: psycopg.AsyncConnection[Any]) -> None:
        while not over.is_set():
            await drain(conn, limit=5)

    async with await connect_async(database_url, "third") as third:
        workers = [asyncio.create_task(work(conn)) for conn in (other, third)]
        for step in range(30):
            ts = NOW + step * minutes(2)
            values = {"ts": ts, "energy_wh": step % 7, "power_w": step}
            await world.send([packet(d.id, values, at=ts + (LATE if step % 3 else minutes(0))) for d in fleet])
        over.set()
        await asyncio.gather(*workers)
    await drain(other)
    assert await pending(other, KINDS, 10) == 0
    await assert_rolled(other)
    await world.ground.close()


@pytest.mark.two_sessions
async def test_the_writer_does_not_wait_for_a_roll_up(world: World, other: psycopg.AsyncConnection[Any]) -> None:
    await lamp(world, NOW, power_w=80)
    async with other.transaction():
        await drain_whole(other, LAMPS, WIB, 500)
        async with asyncio.timeout(30):
            await lamp(world, NOW + minutes(1), power_w=81)  # the same bucket
    await drain(world.conn)
    await assert_rolled(world.conn)
