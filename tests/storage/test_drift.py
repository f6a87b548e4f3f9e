"""The clock of a device: found within its noise, and neither stragglers nor buffered readings fake one."""

from __future__ import annotations

import numpy as np
import pytest

from devices.kinds import KINDS
from storage.drift import Drift, HourMedian, drift, hours
from tests.storage.world import GAUGE, NOW, World, minutes, packet


@pytest.mark.parametrize("per_day", [0.0, 5.0, -12.0])
def test_a_trend_under_noise_and_a_fifth_of_wild_hours(per_day: float) -> None:
    chance = np.random.default_rng(7)
    told = []
    for hour in range(168):
        offset = 2 + per_day * hour / 24 + chance.normal(0, 0.3)
        told.append(HourMedian(hour * 3600.0, offset + (500 if chance.random() < 0.2 else 0), 4))
    found = drift(told)
    assert found is not None
    assert found.s_per_day is not None
    assert abs(found.s_per_day - per_day) < 0.3
    assert abs(found.offset_s - (2 + per_day * 6.5)) < abs(per_day) / 2 + 1
    assert found.n == 672


def test_nothing_and_too_little() -> None:
    assert drift([]) is None
    assert drift([HourMedian(0, 3.0, 4), HourMedian(3600, 5.0, 4)]) == Drift(4.0, None, 8)


async def test_late_readings_do_not_count(world: World) -> None:
    live = [packet(GAUGE.id, {"ts": NOW + minutes(m), "level_m": 1}, at=NOW + minutes(m + 0.5)) for m in range(10)]
    late = [packet(GAUGE.id, {"ts": NOW + minutes(10 + m), "level_m": 1}, at=NOW + minutes(600)) for m in range(20)]
    await world.send([*live, *late])
    found = await hours(world.conn, KINDS["water_level"], GAUGE.id, NOW, NOW + minutes(60))
    assert [(each.offset_s, each.n) for each in found] == [(30.0, 10)]
