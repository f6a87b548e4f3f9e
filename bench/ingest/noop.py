"""(a) The ceiling: our own session receives and acknowledges, and does nothing with what it gets.

`python -m bench.ingest.noop BROKER CLIENT_ID PACKETS` is the process.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractContextManager

from bench.backlog import FILTER
from bench.ingest.competitor import Competitor, Running, Task, python, talking
from ingest.mqtt import Session
from runtime.log import setup
from runtime.mqtt_url import parse_url
from runtime.settings import Settings

MIB = 1 << 20


def start(task: Task) -> AbstractContextManager[Running]:
    return talking(task, python("bench.ingest.noop", task.broker, task.client_id, task.packets))


async def receive(broker: str, client_id: str, packets: int) -> None:
    settings = Settings()
    bounds = (settings.ingest_inflight, settings.ingest_buffer_mb * MIB)
    session = Session(parse_url(broker), client_id, [FILTER], *bounds)
    over = asyncio.Event()
    running = asyncio.create_task(session.run(over))
    received = 0
    while received < packets:
        taken = await session.take(settings.batch_max)
        session.acknowledge(taken)
        received += len(taken)
    over.set()
    await running  # until the last acknowledgement has left
    print(received, flush=True)


COMPETITOR = Competitor("a", "our read lane, no work (the ceiling)", start, "", "")

if __name__ == "__main__":
    setup("bench", "WARNING")
    asyncio.run(receive(sys.argv[1], sys.argv[2], int(sys.argv[3])))
