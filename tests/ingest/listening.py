"""A session under test, run as ingest runs it, and a device that publishes to it with plain paho."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from devices.batch import Packet
from devices.topics import readings_filters, readings_topic
from ingest.mqtt import Session
from runtime.mqtt_url import Broker, parse_url

DEADLINE_S = 60


class Listening:
    """`async with Listening(url, region) as listening`: subscribed when it begins, cleanly ended afterwards."""

    def __init__(
        self, url: str, region: str, packets: int = 10_000, size: int = 1 << 24, subscribed: bool = True
    ) -> None:
        self.broker: Broker = parse_url(url)
        self.region, self.packets, self.size, self.subscribed = region, packets, size, subscribed
        self.stop = asyncio.Event()

    async def __aenter__(self) -> Self:
        client_id = f"ingest-{self.region.replace('.', '-')}"
        self.session = Session(self.broker, client_id, readings_filters((self.region,)), self.packets, self.size)
        self.task = asyncio.create_task(self.session.run(self.stop))
        if self.subscribed:
            await self.until_subscribed()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end()

    async def end(self) -> None:
        self.stop.set()
        async with asyncio.timeout(DEADLINE_S):
            await self.task

    async def until_subscribed(self) -> None:
        await until(lambda: self.session.subscribed_since is not None)

    async def receive(self, number: int, most: int = 1000) -> list[Packet]:
        """So many packets at least, not acknowledged."""
        got: list[Packet] = []
        async with asyncio.timeout(DEADLINE_S):
            while len(got) < number:
                got += await self.session.take(most)
        return got

    async def commit(self, texts: Iterable[str], most: int = 1000) -> list[str]:
        """Take and acknowledge until all of these have come; everything that came, in order."""
        missing = set(texts)
        came: list[str] = []
        async with asyncio.timeout(DEADLINE_S):
            while missing:
                taken = await self.session.take(most)
                assert self.session.held <= self.packets
                came += texts_of(taken)
                missing -= set(came)
                self.session.acknowledge(taken)
        return came


def texts_of(received: Iterable[Packet]) -> list[str]:
    return [each.payload.decode() for each in received]


async def until(true: Any) -> None:
    """Wait until `true()`; generously, as machines of CI are slow."""
    async with asyncio.timeout(DEADLINE_S):
        while not true():  # noqa: ASYNC110  # what is waited for has no event
            await asyncio.sleep(0.01)


class Publisher:
    """A device: publishes and knows what the broker has acknowledged. It reconnects by itself."""

    def __init__(self, url: str, region: str, device_id: str = "lamp") -> None:
        where = parse_url(url)
        self.topic = readings_topic(region, device_id)
        self._texts: dict[int, str] = {}
        self._acknowledged: set[int] = set()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"device-{region.replace('.', '-')}", protocol=paho.MQTTv311
        )
        self._client.username_pw_set(where.username, where.password)
        if where.tls:
            self._client.tls_set_context(ssl.create_default_context())
        self._client.max_inflight_messages_set(500)
        self._client.on_publish = self._on_publish
        self._client.connect(where.host, where.port)
        self._client.loop_start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, *texts: str, qos: int = 1, retain: bool = False) -> None:
        for text in texts:
            self._texts[self._client.publish(self.topic, text, qos, retain).mid] = text

    async def send(self, *texts: str, **more: Any) -> None:
        """Publish, and wait until the broker has acknowledged all."""
        self.publish(*texts, **more)
        await until(lambda: self.acknowledged.issuperset(texts))

    @property
    def acknowledged(self) -> set[str]:
        """What the broker has answered for."""
        return {text for mid, text in self._texts.items() if mid in self._acknowledged}

    def _on_publish(self, client: Any, userdata: Any, mid: int, code: Any, properties: Any) -> None:
        self._acknowledged.add(mid)
