"""Rules by the meter of a panel on a real database: told once, live only, gone with their rule."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.rule import Variant, shipped
from devices.device import Device
from storage import rules
from storage.rules import Change
from tests.storage.world import REGION, World, packet
from worker.context import Context
from worker.energy import judge_nights_at, watch_power_at
from worker.forecast import forecast_at
from worker.roll_up import roll_up

CABINET = Device(
    "panel-01", "cabinet", region=REGION, lat=2.98, lon=99.63, attributes={"panel": "P-01", "nominal_w": 3_000}
)
LAMPS = [
    Device(f"lamp-{n}", "streetlight", region=REGION, lat=2.98, lon=99.63, attributes={"panel": "P-01"})
    for n in range(3)
]  # fmt: skip
NOON = datetime(2026, 11, 20, 5, tzinfo=UTC)
DAY, STEP = timedelta(days=1), timedelta(minutes=15)
DUSK_H, DAWN_H, LAMP_W = 6.5, 18.0, 1_000.0
TAP_W = 1_500.0
ALERTS = "SELECT rule, active FROM alert ORDER BY rule"
STEPS = "SELECT a.rule, t.what, t.event_at FROM transition t JOIN alert a ON a.id = t.alert_id ORDER BY t.id"


def lit_h(at: datetime) -> float:
    """Hours for which lamps have been lit since the noon it all began."""
    days, rest = divmod(at - NOON, DAY)
    return days * (DAWN_H - DUSK_H) + min(max(rest / timedelta(hours=1) - DUSK_H, 0), DAWN_H - DUSK_H)


class Panel:
    """A panel of three lamps, each 1 kW from 18:30 to 06:00, and a tap from some moment on."""

    def __init__(self, world: World, here: Context, tapped: datetime | None) -> None:
        self.world, self.here, self._tapped = world, here, tapped

    async def live(self, begin: datetime, end: datetime, late: timedelta = timedelta(0)) -> None:
        """Everybody reports every 15 min."""
        at = begin
        while at < end:
            on, wh = lit_h(at + timedelta(seconds=1)) > lit_h(at), lit_h(at) * LAMP_W
            tap_h = max(at - self._tapped, timedelta(0)) / timedelta(hours=1) if self._tapped else 0.0
            power = 3 * LAMP_W * on + TAP_W * (tap_h > 0)
            meter = {"power_w": power, "energy_wh": 1e6 + 3 * wh + TAP_W * tap_h, "contactor_on": int(on)}
            sent = [packet(CABINET.id, {"ts": at, **meter}, at=at + late)]
            sent += [packet(lamp.id, {"ts": at, "energy_wh": 1e6 + wh}, at=at + late) for lamp in LAMPS]
            await self.world.send(sent, at + late)
            at += STEP
        await roll_up(self.here)

    async def look(self, at: datetime, here: Context | None = None) -> None:
        await watch_power_at(here or self.here, at)
        await judge_nights_at(here or self.here, at)


@pytest.fixture
async def panel(database_url: str, worker: Callable[..., Any]) -> AsyncIterator[Callable[..., Any]]:
    """`await panel(tapped=…)` makes one."""
    world = await World.make(database_url, CABINET, *LAMPS)

    async def make(tapped: datetime | None = None) -> Panel:
        return Panel(world, await worker(), tapped)

    yield make
    await world.ground.close()


FOURTH = NOON + 3 * DAY
EVENING, MORNING = FOURTH + timedelta(hours=8), FOURTH + timedelta(hours=21)


async def test_a_tap_is_told_at_once_and_in_the_morning_once_and_for_all(
    panel: Callable[..., Any], worker: Callable[..., Any]
) -> None:
    it: Panel = await panel(tapped=EVENING)
    await it.live(NOON, EVENING + timedelta(minutes=40))
    await it.look(EVENING + timedelta(minutes=40))
    assert await it.world.rows(ALERTS) == [("power_shift", True)]
    await it.live(EVENING + timedelta(minutes=45), MORNING)
    beside: Context = await worker()
    await asyncio.gather(it.look(MORNING), it.look(MORNING, beside))
    before = await it.world.everything("alert", "transition", "alert_state")
    found = {(rule, what): at for rule, what, at in await it.world.rows(STEPS)}
    assert list(found) == [(rule, "raised") for rule in ("power_shift", "energy_shift", "energy_balance")]
    assert found["power_shift", "raised"] == EVENING + timedelta(minutes=30)
    assert FOURTH + timedelta(hours=19) < found["energy_shift", "raised"] < MORNING
    await it.look(MORNING + timedelta(minutes=30))
    assert await it.world.everything("alert", "transition", "alert_state") == before


async def test_a_panel_that_is_well_says_nothing(panel: Callable[..., Any]) -> None:
    it: Panel = await panel()
    await it.live(NOON, EVENING)
    await it.look(EVENING)
    await it.live(EVENING, MORNING)
    await it.look(MORNING)
    assert await it.world.rows(ALERTS) == []


async def test_late_readings_tell_nobody(panel: Callable[..., Any]) -> None:
    it: Panel = await panel(tapped=EVENING)
    await it.live(NOON, EVENING)
    await it.live(EVENING, EVENING + timedelta(hours=1), late=timedelta(hours=1))
    await it.look(EVENING + timedelta(hours=1))
    assert await it.world.rows(ALERTS) == []


async def test_a_rule_that_is_disabled_clears_what_it_had_raised(panel: Callable[..., Any]) -> None:
    it: Panel = await panel(tapped=EVENING)
    later = EVENING + timedelta(minutes=40)
    await it.live(NOON, later)
    await it.look(later)
    rule = next(rule for rule in shipped() if rule.id == "power_shift")
    off = Change(Variant(rule.id, rule.kind), rule.model_copy(update={"enabled": False}), "ani", "too many", later)
    await rules.change(it.world.conn, off, None)
    await forecast_at(it.here, later)
    await it.look(later)
    assert await it.world.rows(ALERTS) == [("power_shift", False)]
    assert await it.world.rows("SELECT rule FROM alert_state") == []


async def test_a_cabinet_that_is_retired_is_not_judged(panel: Callable[..., Any]) -> None:
    it: Panel = await panel(tapped=EVENING)
    later = EVENING + timedelta(minutes=40)
    await it.live(NOON, later)
    await it.world.rows("UPDATE device SET status = 'retired' WHERE kind = 'cabinet' RETURNING 1")
    await it.look(later)
    assert await it.world.rows(ALERTS) == []
