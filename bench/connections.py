"""Many devices connected to a broker at once: its memory and CPU for each, and how long until all are back.

Each device connects with a last will and publishes a reading with QoS 1, in one of three ways: `clean` sessions that
only publish, `told` the same and subscribed to their commands, `kept` sessions that the broker remembers, so that a
command waits for a device that sleeps. Then the broker is killed and started again, and all come back at once.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from bench.measure import cpu_s, keep_json, memory_mb, tree
from bench.options import names_of
from bench.servers import BROKERS, Broker, MissingError, broker
from devices.topics import command_topic, readings_topic, status_topic
from runtime.mqtt_url import Broker as There
from runtime.mqtt_url import parse_url

REGION = "12.09"
MODES = ("clean", "told", "kept")
# As many handshakes under way at once, and the pause of a device that was turned away.
AT_ONCE, AGAIN_S = 200, 1.0
CALM_S = 5.0
DEADLINE_S = 600.0
KEEPALIVE_S = 600
SPARE_FILES = 200
CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 0x10, 0x20, 0x32, 0x40, 0x82, 0x90


class Found(NamedTuple):
    """Of one broker and mode; kb and cpu_ms: of the broker, a device. back_s: from its start until the last is in."""

    broker: str
    mode: str
    devices: int
    connected_s: float
    kb: float
    cpu_ms: float
    back_s: float
    refused: int


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--modes", type=names_of(MODES), default=list(MODES), help=f"of {', '.join(MODES)}")
    parser.add_argument("--brokers", type=names_of(BROKERS), default=list(BROKERS), help=f"of {', '.join(BROKERS)}")


def run(asked: argparse.Namespace) -> int:
    """1 where a device did not get in."""
    _allow(asked.devices)
    found = []
    for key in asked.brokers:
        for mode in asked.modes:
            try:
                with tempfile.TemporaryDirectory(prefix="siaga-bench-") as folder, broker(key, Path(folder)) as server:
                    one = asyncio.run(_measure(BROKERS[key].name, server, mode, asked.devices))
            except MissingError as missing:
                print(f"{BROKERS[key].name} is left out: {missing}", flush=True)
                break
            found.append(one._asdict())
            print(
                f"{one.broker:<24} {mode:<6} {one.devices:,} in {one.connected_s:.1f} s; {one.kb:.1f} KB and "
                f"{one.cpu_ms:.2f} ms CPU each; killed, all back in {one.back_s:.1f} s ({one.refused:,} turned away)",
                flush=True,
            )
    print(f"written to {keep_json('connections', found)}")
    return 0


def _allow(devices: int) -> None:
    """Each connection is an open file here, and one in the broker, which inherits the limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < devices + SPARE_FILES:
        raise SystemExit(f"--devices {devices:,}: this user may open {most:,} files (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (devices + SPARE_FILES, most))


async def _measure(name: str, server: Broker, mode: str, number: int) -> Found:
    there, refused = parse_url(server.url), Counter[str]()
    devices = [Device(there, f"lamp-{n}", mode) for n in range(number)]
    assert server.pid is not None
    before_mb, before_s, began = _memory(server.pid), cpu_s(server.pid), time.monotonic()
    await _all(devices, refused)
    connected_s = time.monotonic() - began
    await asyncio.sleep(CALM_S)
    kb = (_memory(server.pid) - before_mb) * 1024 / number
    cpu_ms = (cpu_s(server.pid) - before_s) * 1000 / number
    server.kill()
    await asyncio.gather(*(device.gone.wait() for device in devices))
    refused.clear()
    server.start()
    began = time.monotonic()
    await _all(devices, refused)
    back_s = time.monotonic() - began
    for device in devices:
        device.close()
    return Found(name, mode, number, connected_s, kb, cpu_ms, back_s, refused.total())


def _memory(pid: int) -> float:
    return sum(map(memory_mb, tree(pid)))


async def _all(devices: list[Device], refused: Counter[str]) -> None:
    """Let every device in; whoever is turned away tries again."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def come(device: Device) -> None:
        while True:
            async with turns:
                try:
                    return await device.come()
                except (OSError, TimeoutError) as error:
                    refused[type(error).__name__] += 1
            await asyncio.sleep(AGAIN_S)

    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(*map(come, devices))


class Device(asyncio.Protocol):
    """One connection. It says a word when it is asked to: connect, subscribe, publish, and waits for each answer."""

    def __init__(self, there: There, device: str, mode: str) -> None:
        self.there, self.device, self.mode = there, device, mode
        self.gone = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[bytes] | None = None

    async def come(self) -> None:
        """Connect and publish a reading. Raises OSError, TimeoutError where the broker does not want it."""
        self.gone.clear()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(30):
            await loop.create_connection(lambda: self, self.there.host, self.there.port)
            await self._say(self._connect(), CONNACK)
            if self.mode != "clean":
                commands = command_topic(REGION, self.device)
                await self._say(_packet(SUBSCRIBE, b"\0\1" + _text(commands) + b"\1"), SUBACK)
            payload = b'{"ts":"2026-11-30T00:00:00Z","power_w":81.5,"voltage_v":221}'
            await self._say(_packet(PUBLISH, _text(readings_topic(REGION, self.device)) + b"\0\2" + payload), PUBACK)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("closed by the broker"))

    async def _say(self, packet: bytes, answer: int) -> None:
        assert self._transport is not None
        if self.gone.is_set():
            raise ConnectionResetError("closed by the broker")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(packet)
        said = await self._answer
        # A CONNACK that refuses has a code in its last byte.
        if said[0] != answer or (answer == CONNACK and said[3] != 0):
            self._transport.abort()
            raise ConnectionRefusedError(said.hex())

    def _connect(self) -> bytes:
        assert self.there.username
        assert self.there.password
        # User, password, a last will with QoS 1 that is retained; clean unless it is to be remembered.
        flags = 0b1110_1100 | (0 if self.mode == "kept" else 0b10)
        head = _text("MQTT") + bytes((4, flags)) + KEEPALIVE_S.to_bytes(2, "big")
        will = status_topic(REGION, self.device)
        said = (self.device, will, '{"online":false}', self.there.username, self.there.password)
        return _packet(CONNECT, head + b"".join(map(_text, said)))


def _text(value: str) -> bytes:
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def _packet(kind: int, body: bytes) -> bytes:
    """With a length of up to two digits of seven bits, 16,383 bytes."""
    size = len(body)
    return bytes((kind, size) if size < 128 else (kind, size & 127 | 128, size >> 7)) + body
