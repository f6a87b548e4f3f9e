"""A scenario as it would be lived: its messages go through intake, checks, engine and writer as they are sent, and the
worker's jobs look at it, all by the scenario's own clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from alerts.silence import find_silent, is_stream_silent
from devices.batch import Batch, Packet
from simulator.field import Field
from simulator.plan import Plan
from tests.storage.world import World
from worker import group, notify
from worker.context import Context
from worker.dispatch import dispatch_at
from worker.energy import judge_nights_at, watch_power_at
from worker.forecast import forecast_at
from worker.review import review_past_at
from worker.roll_up import roll_up

ON_THE_WAY = timedelta(milliseconds=200)
TO_SEND = "SELECT id FROM delivery WHERE sent_at IS NULL AND NOT gave_up ORDER BY id"
BATCH = 2_000


async def live(world: World, here: Context, plan: Plan, step_s: float = 60) -> None:
    """The whole of a plan whose devices the world knows, a step at a time."""
    field, at_ms, step_ms = Field(plan), plan.start_ms, round(step_s * 1000)
    heard = _time(plan.start_ms)
    meters = any(device.kind == "cabinet" for device in plan.fleet)
    while at_ms < plan.end_ms:
        packets = field.window(at_ms, at_ms + step_ms).packets
        at_ms += step_ms
        now = _time(at_ms) + ON_THE_WAY
        for first in range(0, len(packets), BATCH):
            part = packets[first : first + BATCH]
            await world.send([Packet(p.topic, p.payload, _time(p.send_ms) + ON_THE_WAY) for p in part], now)
        if packets:
            heard = now
        await _look_for_silence(world, heard, now)
        if meters:
            await roll_up(here)
        await look(here, now)


async def look(here: Context, now: datetime) -> None:
    """What the worker does about alerts at a moment, with everything sent that there is to send."""
    async with here.pool.connection() as conn:
        while await group.look(conn, now, here.settings.notice_severity):
            pass
    await forecast_at(here, now)
    await watch_power_at(here, now)
    await judge_nights_at(here, now)
    await review_past_at(here, now)
    await dispatch_at(here, now)
    async with here.pool.connection() as conn:
        waiting = [number async for (number,) in await conn.execute(TO_SEND)]
    for number in waiting:
        await notify.send(here, number, 0)


async def _look_for_silence(world: World, heard: datetime, now: datetime) -> None:
    ground = world.ground
    if is_stream_silent(ground.engine, ground.fleet, now, heard, None):
        return
    silent = find_silent(ground.engine, ground.fleet, now, heard - timedelta(days=1))
    if silent.transitions:
        await ground.writer.write(Batch([], [], 0), silent, now)
        ground.engine.apply(silent)


def _time(epoch_ms: int) -> datetime:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)
