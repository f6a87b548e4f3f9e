"""Feeding publishers: connections, a recorded file at a chosen speed, and the end of a run.

Nothing is buffered here. While the broker is away the feed stands still, and afterwards it sends what its devices
measured meanwhile, with the times at which they did.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager
from zlib import crc32

from devices.payload import encode
from devices.topics import readings_topic
from runtime.log import get_logger
from runtime.mqtt_url import Broker
from simulator.mqtt.publish import Publisher
from simulator.progress import Progress
from simulator.replay import Refused, Row

log = get_logger("simulator.feed")

DRAIN_AFTER_STOP_S = 10.0
# A silence in a recorded file is waited for no longer than this much of its own time.
GAP_MAX_S = 3600.0
REFUSALS_TOLD = 5


@asynccontextmanager
async def publishers(broker: Broker, client_id: str, connections: int, window: int) -> AsyncIterator[list[Publisher]]:
    """Connections named client_id-1 …, kept up while the block runs. window: messages in flight over all of them."""
    each = max(1, window // connections)
    made = [Publisher(broker, f"{client_id}-{n + 1}", each) for n in range(connections)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(p.run()) for p in made]
        try:
            yield made
        finally:
            for task in tasks:
                task.cancel()


async def replay(
    recorded: Iterable[Row | Refused], region: str, to: Sequence[Publisher], speed: float | None, progress: Progress
) -> int:
    """Publish every row in its order; `speed` times faster than recorded (None: as fast as it goes).

    Returns how many rows were refused; the first of them are told by line.
    """
    refused, line = 0, 0
    latest: float | None = None
    due = time.monotonic()
    progress.note = lambda: f"line {line:,}"
    for item in recorded:
        line = item.line
        if isinstance(item, Refused):
            refused += 1
            if refused <= REFUSALS_TOLD:
                log.warning("row.refused", line=item.line, why=item.why)
            continue
        at = item.ts.timestamp()
        if speed is not None:
            # Files are not sorted: only a time later than all before it is waited for.
            if latest is not None and at > latest:
                due += min(at - latest, GAP_MAX_S) / speed
            latest = at if latest is None else max(latest, at)
            if due > time.monotonic():
                await asyncio.sleep(due - time.monotonic())
        lane = to[crc32(item.device_id.encode()) % len(to)]
        await lane.publish(readings_topic(region, item.device_id), encode(item.fields))
    return refused


async def drain(to: Sequence[Publisher]) -> None:
    """Return once everything published is acknowledged."""
    for publisher in to:
        await publisher.drained()


async def until_stopped(
    work: Awaitable[int | None], to: Sequence[Publisher], stop: asyncio.Event, progress: Progress
) -> int | None:
    """Run a feed and then wait for every acknowledgement; a stop signal ends the feed and shortens the wait."""

    async def whole() -> int | None:
        done = await work
        await drain(to)
        return done

    running = asyncio.ensure_future(whole())
    stopping = asyncio.ensure_future(stop.wait())
    try:
        while not running.done() and not stopping.done():
            await asyncio.wait([running, stopping], timeout=1, return_when=asyncio.FIRST_COMPLETED)
            progress.tick()
        if running.done():
            return running.result()
        running.cancel()
        await asyncio.wait([running])
        await asyncio.wait([asyncio.ensure_future(drain(to))], timeout=DRAIN_AFTER_STOP_S)
        return None
    finally:
        stopping.cancel()
        running.cancel()
