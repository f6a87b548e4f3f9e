"""A broker that acknowledges only what a test tells it to, and knows all it was sent."""

from __future__ import annotations

import asyncio
from typing import NamedTuple, Self

from runtime.mqtt_url import Broker

CONNECT, PUBLISH, PINGREQ = 0x10, 0x30, 0xC0
CONNACK, PINGRESP = b"\x20\x02\x00\x00", b"\xd0\x00"


class Sent(NamedTuple):
    """One PUBLISH as it came."""

    connection: int
    dup: bool
    packet_id: int
    payload: bytes


class SlowBroker:
    """`async with SlowBroker() as broker`; `at_once`: acknowledge everything as it comes."""

    def __init__(self, at_once: bool = False) -> None:
        self.at_once = at_once
        self.sent: list[Sent] = []
        self.connections = 0
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.address = Broker(host, port, None, None, tls=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def acknowledge(self, *packet_ids: int) -> None:
        assert self._writer is not None
        self._writer.write(b"".join(b"\x40\x02" + number.to_bytes(2, "big") for number in packet_ids))

    def drop(self) -> None:
        """End the newest connection without a word."""
        assert self._writer is not None
        self._writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writer = writer
        self.connections += 1
        number = self.connections
        try:
            while True:
                first, body = await _packet(reader)
                if first == CONNECT:
                    writer.write(CONNACK)
                elif first == PINGREQ:
                    writer.write(PINGRESP)
                elif first & 0xF0 == PUBLISH:
                    after = 2 + int.from_bytes(body[:2], "big")
                    packet_id = int.from_bytes(body[after : after + 2], "big")
                    self.sent.append(Sent(number, bool(first & 0x08), packet_id, body[after + 2 :]))
                    if self.at_once:
                        self.acknowledge(packet_id)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first, size, shift = (await reader.readexactly(1))[0], 0, 0
    while True:
        byte = (await reader.readexactly(1))[0]
        size |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return first, await reader.readexactly(size)
