"""The worker brings back what is shelved or suppressed no longer, once, and tells of it in the same transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.life import Order
from storage import windows
from storage.alert_act import act
from storage.windows import Window
from tests.storage.world import GAUGE, World, transition
from worker.unshelve import unshelve

STEPS = "SELECT what, who FROM transition ORDER BY id"
NOTICES = "SELECT count(*) FROM notice_outbox"
HOUR = timedelta(hours=1)


async def test_a_shelf_ends_once_whoever_looks(worker: Callable[..., Any], world: World) -> None:
    both = [await worker() for _ in range(2)]
    await world.move(transition("raised", 2))
    then = datetime.now(UTC) - 2 * HOUR
    order = Order("shelve", "sari", then, "being cleaned", then + HOUR)
    await act(world.conn, {int(await world.one("SELECT id FROM alert")): None}, order)
    await asyncio.gather(*(unshelve(here) for here in both for _ in range(3)))
    assert await world.rows(STEPS) == [("raised", None), ("shelved", "sari"), ("unshelved", "siaga")]
    assert await world.one(NOTICES) == 2


async def test_a_window_takes_in_what_stands_and_lets_it_out(worker: Callable[..., Any], world: World) -> None:
    here = await worker()
    await world.move(transition("raised", 2))
    await unshelve(here)
    now = datetime.now(UTC)
    asked = Window("out_of_service", "device", GAUGE.id, now - HOUR, None, "radar is away", "ani")
    window = await windows.create(world.conn, asked, now)
    for _ in range(2):
        await unshelve(here)
    assert await world.rows(STEPS) == [("raised", None), ("suppressed", "ani")]
    assert await windows.end(world.conn, window, "ani", None, now)
    for _ in range(2):
        await unshelve(here)
    assert await world.rows(STEPS) == [("raised", None), ("suppressed", "ani"), ("released", "ani")]
    assert await world.one(NOTICES) == 2
