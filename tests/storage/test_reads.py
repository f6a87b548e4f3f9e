"""What was written can be read: by device and time, the newest of each, and how fast it changes."""

from __future__ import annotations

import pytest

from devices.kinds import KINDS
from storage import read_latest, read_readings
from storage.place import Place
from tests.storage.world import GAUGE, NOW, World, minutes, packet


async def test_what_was_written_can_be_read(world: World) -> None:
    await world.send([packet(GAUGE.id, *({"ts": NOW - minutes(i), "level_m": 2.0 - i / 60} for i in range(10)))])
    window = read_readings.Window(GAUGE.id, NOW - minutes(5), NOW + minutes(1), None, 100)
    found = await read_readings.readings(world.conn, KINDS["water_level"], window, as_json=True)
    assert [row.ts for row in found] == [NOW - minutes(i) for i in range(5, -1, -1)]
    (latest,) = await read_latest.list_latest(world.conn, "water_level", Place(), None, "", 10)
    assert (latest.device_id, latest.level_m) == (GAUGE.id, 2.0)
    assert (await read_latest.rates(world.conn, [latest], NOW))[GAUGE.id] == pytest.approx(1.0)
