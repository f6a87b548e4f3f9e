"""Three brokers are one: a node that is killed costs ingest and devices a reconnect, and no message."""

from __future__ import annotations

import asyncio

import pytest

from ingest.mqtt import Session
from runtime.mqtt_url import parse_url
from simulator.mqtt.publish import Publisher
from tests.cluster.nodes import Nodes
from tests.ingest.listening import Listening

pytestmark = pytest.mark.slow

REGION = "12.09"
TOPIC = f"siaga/v1/{REGION}/lamp/readings"
MANY = 600


async def test_a_killed_node_loses_nothing(nodes: Nodes) -> None:
    first = nodes.nodes[0]
    texts = [str(number) for number in range(MANY)]
    async with Listening(nodes.url(), REGION) as listening, asyncio.TaskGroup() as group:
        assert place(listening.session) == first.port
        publisher = Publisher(parse_url(nodes.url()), "devices", 50)
        running = group.create_task(publisher.run())
        sending = group.create_task(send(publisher, texts))
        came = await listening.commit(texts[: MANY // 3])
        first.kill()
        came += await listening.commit(set(texts) - set(came))
        await sending
        assert publisher.acknowledged == MANY
        assert set(came) == set(texts)
        assert place(listening.session) != first.port
        # What it missed it gets from the others, and it is one of three again.
        first.start()
        await asyncio.to_thread(nodes.until_whole)
        running.cancel()


async def send(publisher: Publisher, texts: list[str]) -> None:
    for text in texts:
        await publisher.publish(TOPIC, text.encode())
        await asyncio.sleep(0.002)
    await publisher.drained()


def place(session: Session) -> int:
    """The port of the node it is connected to."""
    return session._link.node.port
