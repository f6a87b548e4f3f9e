"""A NATS store at its limit refuses publishes: the device keeps them, and nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ingest.listening import Listening, Publisher, until
from tests.servers import Nats

pytestmark = pytest.mark.slow

REGION = "12.11"
MESSAGES, BYTES = 300, 20_000


@pytest.fixture
def small_nats(tmp_path: Path) -> Iterator[Nats]:
    server = Nats(tmp_path / "store", {"$SIAGA_BROKER_MAX_FILE": "3MB"})
    server.start()
    yield server
    server.stop()


async def test_what_a_full_store_refuses_comes_later(small_nats: Nats) -> None:
    texts = [f"{n:06}".ljust(BYTES, ".") for n in range(MESSAGES)]  # 6 MB into 3
    async with Listening(small_nats.url, REGION, packets=10) as listening:
        with Publisher(small_nats.url, REGION) as lamp:
            lamp.publish(*texts)
            await settled(lamp)
            kept = lamp.acknowledged
            assert 0 < len(kept) < MESSAGES
            assert set(await listening.commit(kept)) >= kept
            # The broker ended the device's connection with the first refusal. There is room again when it has made
            # another, on which it sends what nobody has answered for.
            came = set(await listening.commit(set(texts) - kept))
            assert came | kept >= set(texts)
            await until(lambda: lamp.acknowledged.issuperset(texts))


async def settled(lamp: Publisher) -> None:
    """Until the broker has answered no more for a second."""
    before = -1
    while len(lamp.acknowledged) > before:
        before = len(lamp.acknowledged)
        await asyncio.sleep(1)
