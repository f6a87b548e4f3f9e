"""What the checks over time remember survives a restart: the flags are those of a process that never stopped."""

from __future__ import annotations

from datetime import timedelta

import pytest

from devices.quality import Quality, Reason
from tests.storage.world import GAUGE, LAMP, NOW, World, minutes, packet

SPIKE = Reason.RATE | Reason.SPIKE
FLAGS = "SELECT qc, qc_reason FROM reading_water_level ORDER BY ts"
# From minute to minute: a spike, a step that goes on, and one that the next reading does not confirm.
LEVELS = (1.00, 1.01, 4.00, 1.02, 2.50, 2.51, 2.52, 0.50, 2.53)
EXPECTED = [(Quality.SUSPECT, SPIKE) if at in (2, 4, 7) else (Quality.GOOD, Reason(0)) for at in range(len(LEVELS))]


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
async def test_a_restart_changes_no_flag(world: World, restarted: bool) -> None:
    for minute, level in enumerate(LEVELS):
        at = NOW + minutes(minute)
        await world.send([packet(GAUGE.id, {"ts": at, "level_m": level}, at=at)], at)
        if restarted:
            await world.restart()
    assert await world.rows(FLAGS) == EXPECTED


async def test_a_gauge_that_stands_still_is_suspect_then_failed_across_restarts(world: World) -> None:
    for hour in range(26):
        await world.send([packet(GAUGE.id, {"ts": NOW + timedelta(hours=hour - 30), "level_m": 1.0})])
        await world.restart()
    flags = await world.rows(FLAGS)
    assert [qc for qc, _ in flags] == [1] * 6 + [3] * 18 + [4] * 2
    assert {reason & ~Reason.LATE for qc, reason in flags if qc > 1} == {Reason.FLAT}


async def test_switches_are_counted_across_restarts(world: World) -> None:
    for quarter, count in enumerate((10, 12, 13, 14, 14)):
        await world.send([packet(LAMP.id, {"ts": NOW + minutes(15 * (quarter - 9)), "switch_count": count})])
        await world.restart()
    flags = await world.rows("SELECT qc, qc_reason FROM reading_streetlight ORDER BY ts")
    assert [(qc, reason & ~Reason.LATE) for qc, reason in flags] == [(1, 0)] * 3 + [(1, Reason.RESTLESS)] * 2


async def test_what_is_not_committed_is_not_remembered(world: World) -> None:
    """A batch that fails is checked again as if it had never been."""
    await world.send([packet(GAUGE.id, {"ts": NOW, "level_m": 1.0})])
    await world.conn.execute("ALTER TABLE latest RENAME TO away")
    with pytest.raises(Exception, match="latest"):
        await world.send([packet(GAUGE.id, {"ts": NOW + minutes(1), "level_m": 3.0})])
    await world.conn.execute("ALTER TABLE away RENAME TO latest")
    await world.send([packet(GAUGE.id, {"ts": NOW + minutes(1), "level_m": 3.0})])
    assert await world.rows(FLAGS) == [(1, 0), (3, SPIKE)]


async def test_a_kind_keeps_its_own_cells(world: World) -> None:
    await world.send([packet(GAUGE.id, {"ts": NOW, "level_m": 1.0}), packet(LAMP.id, {"ts": NOW, "voltage_v": 220.0})])
    sizes = dict(await world.rows("SELECT device_id, length(checks) FROM latest"))
    assert sizes == {GAUGE.id: 64, LAMP.id: 112}
