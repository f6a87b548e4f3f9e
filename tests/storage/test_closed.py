"""Late readings for a time that retention has closed: what was known stays known."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from devices.kinds import KINDS
from storage.flavour import WEEK, start_of
from storage.kind_tables import Level
from tests.storage.rolled import WIB, drain, stored
from tests.storage.world import LAMP, NOW, World, minutes, packet

LAMPS = KINDS["streetlight"]
MONDAY = start_of(NOW, WEEK)


async def drop_raw(world: World, until: datetime) -> None:
    """As retention does it, though by rows."""
    await world.conn.execute("DELETE FROM reading_streetlight WHERE ts < %s", (until,))
    await close(world, "raw", until)


async def close(world: World, level: Level, until: datetime) -> None:
    await world.conn.execute("INSERT INTO closed VALUES ('streetlight', %s, %s)", (level, until))


async def lamp(world: World, ts: datetime, **values: Any) -> None:
    await world.send([packet(LAMP.id, {"ts": ts, **values})])


async def rolled(world: World, level: Level) -> dict[datetime, dict[str, Any]]:
    return {bucket: row for (_, bucket), row in (await stored(world.conn, LAMPS, level)).items()}


async def test_a_rollup_of_dropped_readings_stays(world: World) -> None:
    at = MONDAY - timedelta(days=3)
    for minute, power in enumerate((80, 90, 100)):
        await lamp(world, at + minutes(minute), power_w=power)
    await drain(world.conn)
    before = [await rolled(world, level) for level in ("5m", "1h", "1d")]
    await drop_raw(world, MONDAY)
    await lamp(world, at + minutes(4), power_w=500)
    await drain(world.conn)
    assert [await rolled(world, level) for level in ("5m", "1h", "1d")] == before


async def test_a_late_reading_makes_a_rollup_where_there_is_none(world: World) -> None:
    at = MONDAY - timedelta(days=3)
    await lamp(world, at, power_w=80)
    await drain(world.conn)
    await drop_raw(world, MONDAY)
    await lamp(world, at + minutes(10), power_w=40)
    await drain(world.conn)
    assert (await rolled(world, "5m"))[at + minutes(10)]["power_w_avg"] == 40
    hour = (await rolled(world, "1h"))[at]
    assert (hour["n"], hour["power_w_avg"]) == (2, 60)


async def test_hours_of_dropped_5_minute_rollups_stay(world: World) -> None:
    at = MONDAY - timedelta(days=3)
    await lamp(world, at, power_w=80)
    await drain(world.conn)
    hours, days = await rolled(world, "1h"), await rolled(world, "1d")
    await drop_raw(world, MONDAY)
    await world.conn.execute("DELETE FROM rollup_streetlight_5m")
    await close(world, "5m", MONDAY)
    await lamp(world, at + minutes(10), power_w=40)
    await lamp(world, at + minutes(70), power_w=20)
    await drain(world.conn)
    after = await rolled(world, "1h")
    assert after.pop(at + minutes(60))["power_w_avg"] == 20
    assert after == hours
    ((_, day),) = (await rolled(world, "1d")).items()
    assert (day["n"], day["power_w_avg"]) == (2, 50)  # from hours, which are all there
    assert len(days) == 1


async def test_a_day_that_retention_cuts_stays(world: World) -> None:
    """A day in Asahan begins at 17:00 UTC, hours before the Monday at which readings are cut."""
    for hours in (-1, 1):
        await lamp(world, MONDAY + timedelta(hours=hours), power_w=80)
    await drain(world.conn, WIB)
    await drop_raw(world, MONDAY)
    await world.conn.execute("DELETE FROM rollup_streetlight_1h WHERE bucket < %s", (MONDAY,))
    await close(world, "1h", MONDAY)
    await lamp(world, MONDAY + timedelta(hours=1, minutes=10), power_w=40)
    await drain(world.conn, WIB)
    ((_, day),) = (await rolled(world, "1d")).items()
    assert (day["n"], day["power_w_avg"]) == (2, 80)
    assert (await rolled(world, "1h"))[MONDAY + timedelta(hours=1)]["power_w_avg"] == 60


async def test_an_increment_begins_at_what_the_rollup_remembers(world: World) -> None:
    """The first reading after the cut is rolled up again, when the one before it is gone."""
    await lamp(world, MONDAY - timedelta(days=20), energy_wh=100)
    await lamp(world, MONDAY - minutes(10), energy_wh=1000)
    await lamp(world, MONDAY + minutes(10), energy_wh=1015)
    await drain(world.conn)
    await drop_raw(world, MONDAY)
    # Older than what the rollup remembers, and come after the cut: it is there, and not what the increment begins at.
    await lamp(world, MONDAY - timedelta(days=15), energy_wh=200)
    await lamp(world, MONDAY + minutes(11), energy_wh=1016)
    await drain(world.conn)
    five = await rolled(world, "5m")
    assert five[MONDAY + minutes(10)]["energy_wh_delta"] == 16
    assert five[MONDAY - timedelta(days=15)]["energy_wh_delta"] == 100
    assert five[MONDAY - minutes(10)]["energy_wh_delta"] == 900
