"""A broker that says exactly what a test wants it to, also what no broker should."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Self

CONNECT, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 0x10, 0x40, 0x80, 0xC0, 0xE0
PINGRESP = b"\xd0\x00"


def publish(topic: bytes, payload: bytes = b"{}", packet_id: int = 1, dup: bool = False) -> bytes:
    body = struct.pack(">H", len(topic)) + topic + struct.pack(">H", packet_id) + payload
    assert len(body) < 128
    return bytes([0x3A if dup else 0x32, len(body)]) + body


class FakeBroker:
    """Accepts connections; `after_subscribe(number of the connection)` is what each gets once it has subscribed."""

    def __init__(self, after_subscribe: Callable[[int], bytes], suback: int = 1, connack: int = 0) -> None:
        self.after_subscribe, self.suback, self.connack = after_subscribe, suback, connack
        self.connections = 0
        self.acknowledged: list[int] = []
        self.drop: Callable[[], None] = lambda: None
        self.last: list[int] = []  # first bytes of what came, of all connections

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._tasks: set[asyncio.Task[None]] = set()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.drop = writer.close  # ends the newest connection
        self.connections += 1
        number = self.connections
        try:
            while True:
                first, body = await self._packet(reader)
                self.last.append(first)
                if first == CONNECT:
                    writer.write(b"\x20\x02\x00" + bytes([self.connack]))
                elif first & 0xF0 == SUBSCRIBE:
                    writer.write(b"\x90\x03" + body[:2] + bytes([self.suback]) + self.after_subscribe(number))
                elif first == PUBACK:
                    self.acknowledged.append(struct.unpack(">H", body)[0])
                elif first == PINGREQ:
                    writer.write(PINGRESP)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _packet(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        first, size, shift = (await reader.readexactly(1))[0], 0, 0
        while True:
            byte = (await reader.readexactly(1))[0]
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return first, await reader.readexactly(size)
