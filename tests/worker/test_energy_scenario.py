"""A panel that is tapped, lived through: the meter says so within minutes, the energy of the night in the morning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simulator.plan import plan
from simulator.scenario import read
from tests.live import live
from tests.storage.world import World
from tests.whole import only_whole

pytestmark = [pytest.mark.slow, only_whole]

# Not one of the seeds that anything was tuned with.
SEED = 4711
ALERTS = "SELECT rule, device_id, severity, raised_at FROM alert WHERE kind = 'cabinet' ORDER BY raised_at, rule"


async def test_a_tap_is_told_within_minutes_and_in_the_morning_and_the_other_panel_is_not(
    database_url: str, worker: Callable[..., Any]
) -> None:
    it = plan("listrik-dicuri", read("listrik-dicuri"), SEED)
    world = await World.make(database_url, *it.fleet)
    await live(world, await worker(), it, step_s=900)
    found = {
        (rule, device.removeprefix(f"{it.tag}-"), severity): at.timestamp() / 3600 - it.start_ms / 3_600_000
        for rule, device, severity, at in await world.rows(ALERTS)
    }
    await world.ground.close()
    door, power, balance, shift = found
    assert [door, power, balance, shift] == [
        ("cabinet_door", "panel-02", 1),
        ("power_shift", "panel-01", 1),
        ("energy_balance", "panel-01", 1),
        ("energy_shift", "panel-01", 1),
    ]
    assert 79 < found[power] <= 79.25
    # The night ends at 06:10, and lamps have 75 min to report.
    assert 91 < found[balance] == found[shift] < 91.6
