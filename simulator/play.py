"""Playing a plan: its packets, in order of sending, at the pace of a clock that may run faster than ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from zlib import crc32

from simulator.city import WIB
from simulator.field import Field, Packet, Window
from simulator.mqtt.publish import Publisher
from simulator.plan import FOR_EVER_MS, Plan
from simulator.progress import Progress
from simulator.truth.record import Record

TICK_S = 0.1
AT_ONCE = 2_000  # readings computed in one step while catching up


class VirtualClock:
    """Time that begins at start_ms and runs `speed` times as fast as ours (None: as fast as it is used up).

    It never overtakes ours: what is published lies in the past or now.
    """

    def __init__(self, start_ms: int, speed: float | None, wall: Callable[[], float] = time.time) -> None:
        self._start_ms, self._speed, self._wall = start_ms, speed, wall
        self._began = wall()

    def now_ms(self) -> int:
        now = self._wall()
        if self._speed in (None, 1):  # what began a moment ago catches up
            return int(now * 1000)
        return min(int(self._start_ms + (now - self._began) * 1000 * self._speed), int(now * 1000))


class Player:
    """One run of a plan over some connections. at_ms: how far it has come, in its own time."""

    def __init__(self, plan: Plan, speed: float | None, to: Sequence[Publisher], record: Record | None) -> None:
        self._plan, self._speed, self._to, self._record = plan, speed, to, record
        self._field = Field(plan)
        # A device keeps its connection, and its order.
        self._lanes = [crc32(device.id.encode()) % len(to) for device in plan.fleet]
        self.at_ms = plan.start_ms
        if record:
            record.watch(to)

    async def run(self, progress: Progress) -> None:
        """To the end of the plan; what devices still hold back then is sent at once."""
        plan, clock = self._plan, VirtualClock(self._plan.start_ms, self._speed)
        progress.note = self._where
        step_ms = max(int(1000 * AT_ONCE / plan.city.pace.rate), int(1000 * TICK_S))
        while self.at_ms < plan.end_ms:
            upto = min(clock.now_ms(), self.at_ms + step_ms, plan.end_ms)
            if upto > self.at_ms:
                await self._send(self._field.window(self.at_ms, upto))
                self.at_ms = upto
            if clock.now_ms() - self.at_ms < 1000 * TICK_S:
                await asyncio.sleep(TICK_S)
        await self._send(self._field.rest())

    async def _send(self, window: Window) -> None:
        for one in window.in_order():
            if isinstance(one, Packet):
                number = self._lanes[one.device]
                lane = self._to[number]
                if self._record:
                    self._record.sending(number, lane.published, one)
                await lane.publish(one.topic, one.payload)
            elif self._record:
                self._record.lost(one)

    def _where(self) -> str:
        plan = self._plan
        behind_s = max(time.time() - self.at_ms / 1000, 0)
        if plan.end_ms == FOR_EVER_MS:
            return f"lag {behind_s:.1f} s" if behind_s < 3600 else _told(self.at_ms)
        share = (self.at_ms - plan.start_ms) / (plan.end_ms - plan.start_ms)
        return f"{_told(self.at_ms)} ({share:.0%})"


def _told(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, WIB).strftime("%Y-%m-%d %H:%M")
