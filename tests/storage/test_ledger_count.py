"""The ledger counted: what is kept is what raw rows say, and a late reading changes the hours around it alone."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from devices.batch import Packet
from devices.completeness import HOUR
from devices.kinds import KINDS
from storage.ledger_count import CLOSED, count_missing, spans
from storage.ledger_sum import sum_hours
from storage.quarantine_gaps import missing_by_hour
from tests.storage.world import COUNTER, GAUGE, LAMP, NOW, World, minutes, packet

pytestmark = pytest.mark.same_tables

BASE = NOW - 12 * HOUR
DAY = timedelta(days=1)


def told(minute: float, seq: int, boot: str = "a", device: str = GAUGE.id) -> Packet:
    at = BASE + minutes(minute)
    return packet(device, {"ts": at, "seq": seq, "boot": boot, "level_m": 1.0}, at=max(at, BASE))


async def count(world: World, now: datetime, limit: int = 5) -> None:
    """As the worker does, in as small steps as may be."""
    while await count_missing(world.conn, now, limit):
        pass
    while await sum_hours(world.conn, now, 48):
        pass


async def kept(world: World) -> dict[datetime, int]:
    query = "SELECT hour, missing FROM ledger_missing WHERE device_id = %s"
    return dict(await world.rows(query, GAUGE.id))


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_kept_is_what_raw_rows_say(world: World, seed: int) -> None:
    """Two boots, arriving in any order, counted at any time between."""
    chance = random.Random(seed)
    sent = [told(n * 4 + (boot == "b") * 480, n, boot) for boot in "ab" for n in range(120) if chance.random() < 0.6]
    chance.shuffle(sent)
    while sent:
        some, sent = sent[: chance.randint(1, 40)], sent[40:]
        await world.send(some, BASE + chance.randint(0, 20) * HOUR)
        if chance.random() < 0.5:
            await count(world, BASE + chance.randint(0, 20) * HOUR)
    await count(world, NOW + DAY)
    assert await world.one("SELECT count(*) FROM ledger_mark") == 0
    found = await kept(world)
    assert found == await missing_by_hour(world.conn, KINDS[GAUGE.kind], GAUGE.id, BASE - DAY, NOW + DAY)
    assert found
    assert await world.one("SELECT sum(missing)::int FROM ledger_sum") == sum(found.values())


async def test_a_late_reading_is_counted_where_it_counts(world: World) -> None:
    """Between its neighbours, and in no other hour; the sums of these hours follow."""
    await world.send([told(1, 1), told(2, 2), told(61, 3), told(301, 8), told(305, 12), told(700, 13)], BASE)
    await count(world, NOW + HOUR)
    before = {BASE + HOUR: 1, BASE + 2 * HOUR: 1, BASE + 3 * HOUR: 1, BASE + 4 * HOUR: 1, BASE + 5 * HOUR: 3}
    assert await kept(world) == before
    await world.send([told(181, 5)], NOW + HOUR)
    await count(world, NOW + 2 * HOUR)
    assert await kept(world) == {hour: number for hour, number in before.items() if hour != BASE + HOUR}
    changed = "SELECT DISTINCT hour FROM ledger_sum WHERE summed_at = %s AND hour < %s ORDER BY 1"
    assert [at for (at,) in await world.rows(changed, NOW + 2 * HOUR, NOW - 2 * HOUR)] == [BASE + HOUR, BASE + 3 * HOUR]


async def test_hours_whose_readings_were_dropped_are_not_counted_anew(world: World) -> None:
    await world.send([told(1, 1), told(61, 5), told(301, 8), told(302, 9)], BASE)
    await count(world, NOW + HOUR)
    before = await kept(world)
    begin = BASE + 4 * HOUR
    await world.conn.execute("DELETE FROM reading_water_level WHERE ts < %s", (begin,))  # as retention does, by rows
    await world.conn.execute("INSERT INTO closed VALUES ('water_level', 'raw', %s)", (begin,))
    await world.send([told(2, 40), told(303, 12)], NOW)
    await count(world, NOW + 2 * HOUR)
    assert await world.one("SELECT count(*) FROM ledger_mark") == 0
    assert {hour: n for hour, n in (await kept(world)).items() if hour < begin} == {
        hour: n for hour, n in before.items() if hour < begin
    }
    assert (await kept(world))[BASE + 5 * HOUR] >= 2
    assert await world.one("SELECT stored FROM ledger_sum WHERE hour = %s AND kind = 'water_level'", BASE) == 2


async def test_an_open_line_is_marked_once_a_closed_one_each_time(world: World) -> None:
    marks = "SELECT count(*) FROM ledger_mark"
    for n in range(3):
        await world.send([told(n, n)], BASE + minutes(n))
    assert await world.one(marks) == 1
    await world.restart()
    await world.send([told(4, 4)], BASE + minutes(4))
    assert await world.one(marks) == 2
    await count(world, BASE + CLOSED - minutes(1))
    assert await world.one(marks) == 2
    await count(world, BASE + CLOSED)
    assert await world.one(marks) == 0
    for n in (6, 7):
        await world.send([told(n, n)], BASE + 3 * HOUR)
    assert await world.one(marks) == 2


async def test_sums_of_the_fleet(world: World) -> None:
    """By numbers where there are any, by the interval where there are none; strangers expect nothing."""
    await world.conn.execute("UPDATE device SET created_at = %s", (BASE - DAY,))
    await world.conn.execute("UPDATE device SET district = '12.09.19' WHERE kind = 'water_level'")
    await world.send(
        [
            *(told(n, n) for n in (0, 1, 5)),
            told(1, 1),
            packet(LAMP.id, {"ts": BASE + minutes(1), "power_w": 80}, at=BASE + minutes(1)),
            packet("nobody", {"ts": BASE}, at=BASE),
        ],
        BASE,
    )
    await count(world, BASE + 4 * HOUR)
    query = (
        "SELECT kind, district, received, stored, duplicate, quarantined, missing, expected, met FROM ledger_sum"
        " WHERE hour = %s ORDER BY kind"
    )
    by_interval = 3600 // KINDS[COUNTER.kind].interval_s
    assert await world.rows(query, BASE) == [
        ("", "", 1, 0, 0, 1, 0, 0, 0),
        ("streetlight", "", 1, 1, 0, 0, 0, 1, 1),
        ("traffic", "", 0, 0, 0, 0, 0, by_interval, 0),
        ("water_level", "12.09.19", 4, 3, 1, 0, 3, 6, 3),
    ]
    # An hour in which nobody said anything is there; once closed it stays as it is.
    assert await world.one("SELECT sum(received)::int FROM ledger_sum WHERE hour = %s", BASE + HOUR) == 0
    await count(world, BASE + 6 * HOUR)
    finals = "SELECT DISTINCT hour FROM ledger_sum WHERE summed_at < %s ORDER BY 1"
    assert [at for (at,) in await world.rows(finals, BASE + 6 * HOUR)] == [BASE, BASE + HOUR]


@pytest.mark.two_sessions
async def test_two_workers(world: World, other: psycopg.AsyncConnection[Any]) -> None:
    async with other.transaction():
        await count_missing(other, NOW, 1)
        assert await count_missing(world.conn, NOW, 1) is None
        assert await sum_hours(world.conn, NOW, 1) is None


def test_hours_as_ranges() -> None:
    hours = [NOW, NOW + HOUR, NOW + 3 * HOUR]
    assert spans(hours) == [(NOW, NOW + 2 * HOUR), (NOW + 3 * HOUR, NOW + 4 * HOUR)]
