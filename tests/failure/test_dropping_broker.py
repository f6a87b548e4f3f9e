"""Mosquitto past max_queued_messages: it drops what it has acknowledged to the device, and the ledger names it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from devices.kinds import KINDS
from storage.quarantine_gaps import missing
from tests.ingest.listening import Listening, Publisher, texts_of, until
from tests.servers import Mosquitto
from tests.storage.world import LAMP, NOW, REGION, World, minutes

QUEUED, MESSAGES = 100, 300


@pytest.fixture
def dropping(tmp_path: Path) -> Iterator[Mosquitto]:
    server = Mosquitto(tmp_path / "broker")
    config = Path(server.command[-1])
    written = config.read_text(encoding="utf-8")
    assert "max_queued_messages 0" in written
    config.write_text(written.replace("max_queued_messages 0", f"max_queued_messages {QUEUED}"), encoding="utf-8")
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    world = await World.make(database_url, LAMP)
    yield world
    await world.ground.close()


def reading(seq: int) -> str:
    ts = NOW - minutes(MESSAGES - seq)
    return json.dumps({"ts": ts.isoformat(), "seq": seq, "boot": "a", "power_w": 80})


async def test_what_is_dropped_was_acknowledged_and_is_named(dropping: Mosquitto, world: World) -> None:
    async with Listening(dropping.url, REGION):
        pass  # it has subscribed; from now on the broker keeps what comes
    texts = [reading(seq) for seq in range(MESSAGES)]
    with Publisher(dropping.url, REGION) as lamp:
        lamp.publish(*texts)
        await until(lambda: lamp.acknowledged.issuperset(texts))
        async with Listening(dropping.url, REGION) as listening:
            kept = await listening.receive(QUEUED)
            listening.session.acknowledge(kept)
            # There is room again; only a reading that comes later shows the gap.
            lamp.publish(reading(MESSAGES))
            while reading(MESSAGES) not in texts_of(kept):
                kept += (more := await listening.receive(1))
                listening.session.acknowledge(more)
    await world.send(kept)
    (gap,) = await missing(world.conn, KINDS[LAMP.kind], LAMP.id, NOW - minutes(MESSAGES), NOW + minutes(1))
    assert (gap.first, gap.last) == (len(kept) - 1, MESSAGES - 1)
