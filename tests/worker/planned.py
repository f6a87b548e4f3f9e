"""A plan in a file, alerts at chosen times, and what was made and sent of them: the clock of a test is an argument."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from alerts.life import Order
from alerts.rule import Key
from devices.device import Device
from storage import duty
from storage.alert_act import act
from storage.duty import Shift
from storage.fleet import import_devices
from tests.storage.world import NOW, REGION, World, transition
from worker import notify
from worker.context import Context
from worker.dispatch import dispatch_at

PLAN = """
[[channel]]
name = "rudi"
url = "json://127.0.0.1:1/rudi"
[[channel]]
name = "sari"
url = "json://127.0.0.1:1/sari"
[[person]]
name = "Rudi"
channels = ["rudi"]
[[person]]
name = "Sari"
channels = ["sari"]
language = "en"
[[team]]
name = "bpbd"
fallback = ["Sari"]
[[route]]
name = "all"
wait_s = {wait_s}
interval_s = {interval_s}
by = ["rule"]
{more}
"""
STEPS = 'steps = [{ to = ["Rudi"] }, { after_s = 600, to = ["Sari"] }]'
MADE = "SELECT what, who, title FROM delivery ORDER BY id"


def write_plan(file: Path, more: str = STEPS, wait_s: Any = 0, interval_s: Any = 0) -> str:
    file.write_text(PLAN.format(wait_s=wait_s, interval_s=interval_s, more=more))
    return str(file)


class Night:
    """Alerts of gauges g0, g1 … and the dispatcher, at seconds after NOW."""

    def __init__(self, world: World, here: Context) -> None:
        self.world, self.here = world, here

    async def gauges(self, number: int) -> None:
        gauges = [Device(f"g{n}", "water_level", f"Pos {n}", REGION, "12.09.19") for n in range(number)]
        await import_devices(self.world.conn, gauges)

    async def move(self, what: Any, to: int | None, was: int | None = None, gauge: int = 0, at: float = 0) -> None:
        key, then = Key("siaga", f"g{gauge}"), self.at(at)
        await self.world.move(transition(what, to, was, key=key, event_at=then), now=then)

    async def do(self, action: Any, gauge: int = 0, **more: Any) -> None:
        alert = await self.alert(gauge)
        order = Order(action, "ani", NOW, "why not", **more)
        assert [each.outcome for each in await act(self.world.conn, {alert: None}, order)] == ["done"]

    async def alert(self, gauge: int = 0) -> int:
        return int(await self.world.one("SELECT max(id) FROM alert WHERE device_id = %s", f"g{gauge}"))

    async def on_duty(self, person: str, since: float = 0, until: float = 3600) -> None:
        await duty.create(self.world.conn, Shift("bpbd", person, self.at(since), self.at(until), "ani"), NOW)

    async def made(self, at: float) -> list[tuple[str, str, str]]:
        """What is made at that time and was not made before: kind, person, title."""
        before = len(await self.world.rows(MADE))
        await dispatch_at(self.here, self.at(at))
        return [tuple(row) for row in (await self.world.rows(MADE))[before:]]  # type: ignore[misc]

    @staticmethod
    def at(seconds: float) -> datetime:
        return NOW + timedelta(seconds=seconds)


@asynccontextmanager
async def working(here: Context) -> AsyncIterator[None]:
    """The queue is worked meanwhile."""
    notify.register(here)
    task = asyncio.create_task(notify.send_notices(here))
    try:
        yield
    finally:
        here.stop.set()
        await task
