"""What the worker does for commands and lives: it ends what nobody answers, ingest or no ingest, and keeps dates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from storage import commands, life
from storage.commands import Asked
from storage.life import Step
from tests.storage.world import GAUGE, LAMP, World
from worker.commands import expire_commands, forget_commands
from worker.life import take_over_life

STATES = "SELECT state FROM command ORDER BY number"


async def test_what_nobody_answers_ends_and_is_forgotten_long_after(worker: Callable[..., Any], world: World) -> None:
    here, now = await worker(command_keep_days=1), datetime.now(UTC)
    for begun, ahead in ((now - timedelta(days=2), 1), (now, 60)):
        asked = Asked("dim", {"level_pct": 50.0}, "budi", begun, begun + timedelta(minutes=ahead))
        await commands.ask(world.conn, LAMP.id, asked)
    await expire_commands(here)
    await forget_commands(here)
    assert await world.rows(STATES) == [("expired",), ("queued",)]  # it has ended just now
    await world.conn.execute("UPDATE command SET ended_at = ended_at - interval '25 h' WHERE state = 'expired'")
    await forget_commands(here)
    assert await world.rows(STATES) == [("queued",)]


async def test_a_device_is_what_its_date_says_once_it_has_come(worker: Callable[..., Any], world: World) -> None:
    here, now = await worker(), datetime.now(UTC)
    status = "SELECT status FROM device WHERE id = 'gauge'"
    async with world.conn.transaction():
        await life.set_step(world.conn, Step(GAUGE.id, "retired", now + timedelta(hours=1), "budi", "x"), now)
    await take_over_life(here)
    assert await world.one(status) == "in_service"
    await world.conn.execute("UPDATE device_life SET from_at = now() - interval '1 s'")
    await take_over_life(here)
    assert await world.one(status) == "retired"
