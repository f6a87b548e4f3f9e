"""What has had its time is dropped whole, oldest first; what rollups or the ledger still need stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from devices.completeness import HOUR
from devices.kinds import KINDS
from runtime.settings import SettingError, Settings
from storage import groups, retention, usage
from storage.connect import connect_async
from storage.flavour import WEEK, Part, current_async, parts, start_of
from storage.ledger_count import count_missing
from storage.retention import Hold, Policy, due, policies
from tests.storage.rolled import drain, stored
from tests.storage.waiting import until, until_waiting
from tests.storage.world import LAMP, NOW, World, minutes, packet

Conn = psycopg.AsyncConnection[Any]

LAMPS = KINDS["streetlight"]
RAW = Policy(LAMPS, "raw", 90)
MONDAY = start_of(NOW, WEEK)
OLD = MONDAY - 20 * WEEK + timedelta(days=2)
ADD = "INSERT INTO reading_streetlight (device_id, ts, received_at, qc, qc_reason) VALUES ('lamp', %s, now(), 1, 0)"
MARK = "INSERT INTO rollup_mark (kind, bucket) VALUES ('streetlight', %s)"


async def send(world: World, *times: Any) -> None:
    for number, ts in enumerate(times):
        await world.send([packet(LAMP.id, {"ts": ts, "seq": number, "boot": "a", "power_w": 80})])


async def settle(world: World) -> None:
    """Rolled up and counted."""
    await drain(world.conn)
    while await count_missing(world.conn, NOW + 4 * HOUR, 1000):
        pass


async def drop(conn: Conn, policy: Policy = RAW, rows: int | None = None) -> list[Hold | None]:
    """What became of each part that had its time."""
    on = await current_async(conn)
    there = due(await parts(conn, on, policy.table), policy.days, NOW)
    return [await retention.drop(conn, on, policy, part, rows) for part in there]


async def closed(world: World) -> list[tuple[Any, ...]]:
    return await world.rows("SELECT kind, level, until FROM closed ORDER BY 1, 2")


async def end_of_the_oldest(world: World) -> Any:
    """Where parts begin is TimescaleDB's own business."""
    return (await parts(world.conn, await current_async(world.conn), RAW.table))[0].until


async def left(world: World) -> list[Any]:
    return [ts for (ts,) in await world.rows("SELECT ts FROM reading_streetlight ORDER BY 1")]


def week(number: int) -> Part:
    return Part(f"part {number}", MONDAY + number * WEEK, MONDAY + (number + 1) * WEEK)


@pytest.mark.parametrize(
    ("days", "going"),
    [(0, []), (1, [-3, -2, -1]), (7, [-3, -2]), (8, [-3, -2]), (9, [-3]), (14, [-3]), (22, []), (36_500, [])],
)
def test_a_part_has_had_its_time_when_all_of_it_has(days: int, going: list[int]) -> None:
    """Now is a Tuesday noon: the week before has ended one day and a half ago."""
    there = [week(number) for number in (0, -2, 1, -3, -1)]
    assert due(there, days, NOW) == [week(number) for number in going]


def test_to_the_second() -> None:
    assert due([week(-2)], 7, MONDAY) == [week(-2)]
    assert due([week(-2)], 7, MONDAY - timedelta(seconds=1)) == []


def test_kinds_may_be_kept_otherwise() -> None:
    kept = policies(Settings(retention="streetlight.raw=30, water_level.raw = 0 ,traffic.1d=400,"))
    assert {(p.kind.name, p.level): p.days for p in kept if p.kind.name != "cabinet"} == {
        ("streetlight", "raw"): 30, ("streetlight", "5m"): 730, ("streetlight", "1h"): 3650, ("streetlight", "1d"): 0,
        ("water_level", "raw"): 0, ("water_level", "5m"): 730, ("water_level", "1h"): 3650, ("water_level", "1d"): 0,
        ("traffic", "raw"): 90, ("traffic", "5m"): 730, ("traffic", "1h"): 3650, ("traffic", "1d"): 400,
    }  # fmt: skip
    with pytest.raises(SettingError, match=r"SIAGA_RETENTION: 'lamp' is no kind; there are .*streetlight"):
        policies(Settings(retention="lamp.raw=30"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("streetlight.raw", "'streetlight.raw' is not kind.level=days"),
        ("streetlight=30", "is not kind.level=days"),
        ("streetlight.raw=a week", "is not kind.level=days"),
        ("streetlight.2h=30", "'2h' is no level; use one of raw, 5m, 1h, 1d"),
        ("streetlight.raw=-1", r"days must be 0 \(for ever\) to 36500"),
        ("streetlight.raw=36501", r"days must be 0 \(for ever\) to 36500"),
        ("traffic.raw=30,traffic.raw=31", "traffic.raw is there twice"),
    ],
)
def test_what_is_no_retention(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Settings(retention=text)


async def test_an_old_week_goes_and_its_rollups_stay(world: World) -> None:
    await send(world, OLD, OLD + minutes(7), MONDAY, NOW)
    await settle(world)
    end = await end_of_the_oldest(world)
    before = [await stored(world.conn, LAMPS, level) for level in ("5m", "1h", "1d")]
    missing = await world.rows("SELECT * FROM ledger_missing")
    assert await drop(world.conn) == [None]
    assert await left(world) == [MONDAY, NOW]
    assert await closed(world) == [("streetlight", "raw", end)]
    assert await drop(world.conn) == []
    await settle(world)
    assert [await stored(world.conn, LAMPS, level) for level in ("5m", "1h", "1d")] == before
    assert await world.rows("SELECT * FROM ledger_missing") == missing


async def test_rollups_go_as_well(world: World) -> None:
    await send(world, NOW - timedelta(days=1000), NOW)
    await settle(world)
    assert await drop(world.conn, Policy(LAMPS, "5m", 730)) == [None]
    assert await drop(world.conn, Policy(LAMPS, "1h", 3650)) == []
    assert await drop(world.conn, Policy(LAMPS, "1d", 365)) == [Hold.MARKS]  # groups of devices are made of them
    while await groups.drain(world.conn, LAMPS, 1000):
        pass
    assert await world.one("SELECT count(DISTINCT bucket) FROM group_streetlight_1d") == 2
    assert await drop(world.conn, Policy(LAMPS, "1d", 365)) == [None]
    await groups.drain(world.conn, LAMPS, 1000)
    assert await world.one("SELECT count(DISTINCT bucket) FROM group_streetlight_1d") == 1
    assert [len(await stored(world.conn, LAMPS, level)) for level in ("5m", "1h", "1d")] == [1, 2, 1]
    assert [level for _, level, _ in await closed(world)] == ["1d", "5m"]


async def test_what_is_not_rolled_up_or_counted_stays(world: World) -> None:
    await send(world, OLD, NOW)
    assert await drop(world.conn) == [Hold.MARKS]
    assert await drop(world.conn, Policy(LAMPS, "5m", 1)) == []
    await drain(world.conn)
    assert await drop(world.conn, Policy(LAMPS, "5m", 90)) == [None]  # the ledger needs readings only
    assert await drop(world.conn) == [Hold.LEDGER]
    assert len(await left(world)) == 2
    await settle(world)
    assert await drop(world.conn) == [None]


async def test_a_mark_just_after_a_part_needs_it(world: World) -> None:
    """Of the calendar day that begins in it; a day later it does no more."""
    await send(world, OLD)
    await settle(world)
    end = await end_of_the_oldest(world)
    await world.conn.execute(MARK, (end + 24 * HOUR,))
    assert await drop(world.conn) == [Hold.MARKS]
    await world.conn.execute("DELETE FROM rollup_mark")
    await world.conn.execute(MARK, (end + 25 * HOUR,))
    assert await drop(world.conn) == [None]


async def test_late_readings_make_the_week_again_and_leave_again(world: World) -> None:
    """The writer remembers the partition that is gone, and finds out."""
    await send(world, OLD, NOW)
    await settle(world)
    assert await drop(world.conn) == [None]
    before = await closed(world)
    rolled = await stored(world.conn, LAMPS, "5m")
    await send(world, OLD + minutes(1), OLD + minutes(60))
    assert len(await left(world)) == 3
    await settle(world)
    assert await drop(world.conn) == [None]
    assert await left(world) == [NOW]
    after = await stored(world.conn, LAMPS, "5m")
    assert after.pop((LAMP.id, OLD + minutes(60)))["n"] == 1
    assert after == rolled
    assert await closed(world) == before


async def test_the_closed_time_never_opens(world: World) -> None:
    await send(world, OLD)
    await settle(world)
    await world.conn.execute("INSERT INTO closed VALUES ('streetlight', 'raw', %s)", (MONDAY,))
    assert await drop(world.conn) == [None]
    assert await closed(world) == [("streetlight", "raw", MONDAY)]


async def test_an_archive_must_hold_every_row(world: World) -> None:
    await send(world, OLD, OLD + minutes(1))
    await settle(world)
    assert await drop(world.conn, rows=1) == [Hold.ARCHIVE]
    assert await closed(world) == []
    assert await drop(world.conn, rows=2) == [None]


async def test_how_much_there_is(world: World) -> None:
    await send(world, OLD, OLD + minutes(5), NOW)
    await settle(world)
    on = await current_async(world.conn)
    for level, oldest, newest in (("raw", OLD, NOW), ("1h", OLD, NOW)):
        policy = Policy(LAMPS, level, 90)
        there = await parts(world.conn, on, policy.table)
        found = await usage.use(world.conn, on, LAMPS, policy.level, there)
        assert (found.parts, found.oldest, found.newest) == (len(there), oldest, newest)
        assert found.size > 0
    assert await usage.held(world.conn, RAW, await parts(world.conn, on, RAW.table), NOW) == (1, {})
    await world.conn.execute(MARK, (OLD,))
    assert await usage.held(world.conn, RAW, await parts(world.conn, on, RAW.table), NOW) == (1, {Hold.MARKS: 1})
    empty = await usage.use(world.conn, on, KINDS["traffic"], "raw", [])
    assert (empty.rows, empty.parts, empty.oldest, empty.newest) == (0, 0, None, None)


@pytest.fixture
async def third(database_url: str) -> AsyncIterator[Conn]:
    async with await connect_async(database_url, "third") as conn:
        yield conn


@pytest.mark.two_sessions
async def test_one_at_a_time(world: World, other: Conn, third: Conn) -> None:
    assert await retention.alone(other)
    assert not await retention.alone(third)
    await other.close()
    await until(lambda: retention.alone(third))


@pytest.mark.two_sessions
async def test_who_reads_a_part_is_left_in_peace(world: World, other: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "LOCK_TIMEOUT", "SET LOCAL lock_timeout = '50ms'")
    await send(world, OLD)
    await settle(world)
    async with other.transaction():
        await other.execute("SELECT count(*) FROM reading_streetlight")
        assert await drop(world.conn) == [Hold.LOCK]
    assert await closed(world) == []
    assert await drop(world.conn) == [None]


@pytest.mark.two_sessions
async def test_what_is_written_while_it_waits_is_seen(world: World, other: Conn, third: Conn) -> None:
    await send(world, OLD)
    await settle(world)
    async with other.transaction():
        await other.execute(ADD, (OLD + minutes(1),))
        await other.execute(MARK, (OLD,))
        dropping = asyncio.create_task(drop(world.conn))
        await until_waiting(third, world.conn.info.backend_pid)
    assert await dropping == [Hold.MARKS]
    assert len(await left(world)) == 2


@pytest.mark.two_sessions
async def test_a_writer_is_never_the_one_that_a_deadlock_ends(world: World, other: Conn, third: Conn) -> None:
    """A writer holds the table, and comes to the part that we hold while we wait for the table."""
    if (await current_async(world.conn)).has_hypertables:
        pytest.skip("a chunk is dropped without locking its table")
    await send(world, OLD, NOW)
    await settle(world)
    async with other.transaction():
        await other.execute("SET LOCAL deadlock_timeout = '60s'")
        await other.execute(ADD, (NOW + minutes(1),))
        dropping = asyncio.create_task(drop(world.conn))
        await until_waiting(third, world.conn.info.backend_pid)
        await other.execute(ADD, (OLD + minutes(1),))
        assert await dropping == [Hold.LOCK]
    assert len(await left(world)) == 4
