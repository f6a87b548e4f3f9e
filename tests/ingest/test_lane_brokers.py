"""The contract of the read lane with every broker we speak to, over TCP, TLS and websockets; real servers."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from runtime import mqtt_link
from siaga.stack.ports import is_free
from tests.certificate import certificate
from tests.ingest.fake_broker import FakeBroker
from tests.ingest.listening import Listening, Publisher, texts_of, until
from tests.servers import Amqtt, Mosquitto, Nats, free_port

SIZES = (1, 80, 127, 128, 4_000, 16_383, 16_384, 65_536, 262_144)


class Server(Protocol):
    @property
    def url(self) -> str: ...


KEEPING = ["quick_nats", "mosquitto", "mosquitto21"]


@pytest.fixture(params=[*KEEPING, "amqtt"])
def any_broker(request: pytest.FixtureRequest) -> Server:
    server: Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture(params=KEEPING)
def keeping_broker(request: pytest.FixtureRequest) -> Server:
    """aMQTT is none: it keeps a session, but does not deliver again what was not acknowledged."""
    server: Server = request.getfixturevalue(request.param)
    return server


class TestEveryBroker:
    async def test_payloads_of_any_size(self, any_broker: Server, region: str) -> None:
        sent = [f"{size} ".ljust(size, "x")[:size] for size in SIZES]
        async with Listening(any_broker.url, region) as listening:
            with Publisher(any_broker.url, region) as device:
                device.publish(*sent)
                assert await listening.commit(sent) == sent
                assert listening.session.held == 0

    @pytest.mark.parametrize("qos", [0, 1, 2])
    async def test_whatever_qos_a_device_uses(self, any_broker: Server, region: str, qos: int) -> None:
        """We subscribe with QoS 1: what was published with 2 comes with 1, and is acknowledged like it."""
        texts = [f"qos {qos} number {n}" for n in range(20)]
        async with Listening(any_broker.url, region) as listening:
            with Publisher(any_broker.url, region) as device:
                await device.send(*texts, qos=qos)
                got = await listening.receive(20)
                assert texts_of(got) == texts
                # aMQTT sends with the QoS of the subscription, whatever that of the packet.
                given = 1 if isinstance(any_broker, Amqtt) else min(qos, 1)
                assert {each.delivery >> 16 & 3 for each in got} == {given}
                listening.session.acknowledge(got)
                assert listening.session.held == 0

    async def test_retained(self, any_broker: Server, region: str) -> None:
        with Publisher(any_broker.url, region) as device:
            await device.send("retained", retain=True)
            async with Listening(any_broker.url, region) as listening:
                assert await listening.commit(["retained"]) == ["retained"]
            await device.send("", retain=True)

    async def test_what_was_not_acknowledged_comes_again(self, keeping_broker: Server, region: str) -> None:
        texts = [f"reading {n}" for n in range(30)]
        with Publisher(keeping_broker.url, region) as device:
            async with Listening(keeping_broker.url, region) as first:
                await device.send(*texts)
                got = await first.receive(30)
                first.session.acknowledge(got[:20])
            async with Listening(keeping_broker.url, region) as second:
                assert set(await second.commit(texts[20:])) >= set(texts[20:])

    async def test_let_go_and_taken_up_again(self, keeping_broker: Server, region: str) -> None:
        """What was taken comes again, as do those that arrived meanwhile; the broker keeps both."""
        before, meanwhile = [f"before {n}" for n in range(10)], [f"meanwhile {n}" for n in range(10)]
        async with Listening(keeping_broker.url, region) as listening:
            with Publisher(keeping_broker.url, region) as device:
                await device.send(*before)
                taken = await listening.receive(5, most=5)
                listening.session.let_go()
                await until(lambda: listening.session.subscribed_since is None)
                assert listening.session.is_let_go
                assert listening.session.held == len(taken)
                await device.send(*meanwhile)
                assert listening.session.ready(10) == []
                listening.session.acknowledge(taken)  # committed after all: they come again as duplicates
                listening.session.take_up()
                assert set(await listening.commit([*before, *meanwhile])) >= {*before, *meanwhile}
                assert listening.session.held == 0


def nats_over(folder: Path, own: tuple[Path, Path] | None) -> tuple[Nats, str]:
    """NATS with a websocket listener for MQTT, and its URL."""
    port = free_port()
    tls = "no_tls: true"
    if own:
        tls = f'tls {{ cert_file: "{own[0]}", key_file: "{own[1]}" }}'
    websocket = f'server_name: siaga\nwebsocket {{ host: "127.0.0.1", port: {port}, {tls} }}'
    server = Nats(folder, {"server_name: siaga": websocket})
    scheme = "wss" if own else "ws"
    return server, f"{scheme}{server.url.removeprefix('mqtt').rpartition(':')[0]}:{port}"


def mosquitto_over(folder: Path, own: tuple[Path, Path] | None) -> tuple[Mosquitto, str]:
    server = Mosquitto(folder)
    port = free_port()
    config = Path(server.command[-1])
    lines = [f"listener {port} 127.0.0.1", "protocol websockets"]
    if own:
        lines += [f"certfile {own[0]}", f"keyfile {own[1]}"]
    config.write_text(config.read_text() + "\n" + "\n".join(lines) + "\n")
    scheme = "wss" if own else "ws"
    return server, f"{scheme}{server.url.removeprefix('mqtt').rpartition(':')[0]}:{port}"


@pytest.fixture(params=[nats_over, mosquitto_over], ids=["nats", "mosquitto"])
def over_websockets(request: pytest.FixtureRequest) -> Callable[..., tuple[Any, str]]:
    made: Callable[..., tuple[Any, str]] = request.param
    return made


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
async def test_websockets(
    over_websockets: Callable[..., tuple[Any, str]],
    secure: bool,
    tmp_path: Path,
    region: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each packet may be a frame of its own, and a frame may arrive in halves; the acknowledgements go masked."""
    own = certificate(tmp_path) if secure else None
    if own:
        monkeypatch.setenv("SSL_CERT_FILE", str(own[0]))
    server, url = over_websockets(tmp_path / "broker", own)
    server.start()
    try:
        await until(lambda: not is_free(int(url.rpartition(":")[2])))
        sent = [*(f"{n}" for n in range(500)), *(f"{size} ".ljust(size, "x")[:size] for size in SIZES[4:])]
        async with Listening(url, region, packets=100) as listening:
            with Publisher(server.url, region) as device:
                device.publish(*sent)
                assert await listening.commit(sent, most=37) == sent
        async with Listening(url, region) as again:
            with Publisher(server.url, region) as device:
                await device.send("nothing else comes again")
                assert await again.commit(["nothing else comes again"]) == ["nothing else comes again"]
    finally:
        server.stop()


def packet(payload: bytes, packet_id: int, qos: int = 1) -> bytes:
    topic = b"siaga/v1/11/a/readings"
    number = struct.pack(">H", packet_id) if qos else b""
    body = struct.pack(">H", len(topic)) + topic + number + payload
    assert 127 < len(body) < 16_384
    return bytes((0x30 | qos << 1, len(body) & 127 | 128, len(body) >> 7)) + body


class TestFakeBroker:
    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ingest.mqtt.RECONNECT_FIRST_S", 0.05)
        monkeypatch.setattr("ingest.mqtt.RECONNECT_MAX_S", 0.2)

    async def test_a_connection_that_ends_in_the_middle_of_a_packet(self, region: str) -> None:
        """The half of it is forgotten; the whole comes on the next connection. At every byte of it."""
        whole = packet(b"x" * 120, 7)
        async with FakeBroker(lambda n: whole[:n] if n < len(whole) else whole) as broker:
            before = 0
            async with Listening(broker.url, region, subscribed=False) as listening:
                taking = asyncio.create_task(listening.receive(1))
                while not taking.done():
                    if broker.connections > before and listening.session.subscribed_since is not None:
                        before = broker.connections
                        if before < len(whole):
                            broker.connections += 7  # a step of eight bytes
                            broker.drop()
                    await asyncio.sleep(0.005)
                (got,) = await taking
                assert got.payload == b"x" * 120
                listening.session.acknowledge([got])
                await until(lambda: broker.acknowledged == [7])

    async def test_more_than_any_window_is_never_held(self, region: str) -> None:
        stream = b"".join(packet(b"%0200d" % n, n % 65_535 + 1) for n in range(20_000))
        async with FakeBroker(lambda _: stream) as broker, Listening(broker.url, region, packets=500) as listening:
            seen = 0
            while seen < 20_000:
                got = await listening.session.take(300)
                assert listening.session.held <= 500
                seen += len(got)
                listening.session.acknowledge(got)
            await until(lambda: len(broker.acknowledged) == 20_000)
            assert broker.acknowledged == [n % 65_535 + 1 for n in range(20_000)], "in the order of arrival"

    async def test_silent_while_paused_is_not_dead(self, region: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mqtt_link, "KEEPALIVE_S", 1)
        monkeypatch.setattr(mqtt_link, "CHECK_S", 0.05)
        stream = b"".join(packet(b"x" * 200, n) for n in range(1, 50))
        async with FakeBroker(lambda _: stream) as broker, Listening(broker.url, region, packets=10) as listening:
            got = await listening.receive(10)
            await until(lambda: broker.last.count(0xC0) >= 3)  # pings go on, their answers are not read
            assert broker.connections == 1
            listening.session.acknowledge(got)
            rest = await listening.receive(10)
            listening.session.acknowledge(rest)
            await until(lambda: len(broker.acknowledged) >= 20)
            assert broker.connections == 1
