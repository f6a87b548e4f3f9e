"""The MQTT session against real brokers: nothing acknowledged comes again, nothing unacknowledged is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import CapturingLogger

from ingest import mqtt
from runtime import mqtt_link
from siaga.stack.broker import USER
from siaga.stack.ports import is_free
from tests.certificate import certificate
from tests.ingest.conftest import SOON
from tests.ingest.fake_broker import DISCONNECT, FakeBroker, publish
from tests.ingest.listening import Listening, Publisher, texts_of, until
from tests.servers import PASSWORD, Mosquitto, Nats, with_tls


def texts(number: int, name: str = "reading") -> list[str]:
    return [f"{name} {i}" for i in range(number)]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnects without long pauses; a connection that says nothing is soon found dead."""
    monkeypatch.setattr(mqtt_link, "KEEPALIVE_S", 3)
    monkeypatch.setattr(mqtt_link, "CHECK_S", 0.1)
    monkeypatch.setattr(mqtt, "RECONNECT_FIRST_S", 0.05)
    monkeypatch.setattr(mqtt, "RECONNECT_MAX_S", 0.2)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[dict[str, Any]]]:
    """The fields of every line of the session's log about an event."""
    logger = CapturingLogger()
    monkeypatch.setattr(mqtt, "log", logger)
    return lambda event: [call.kwargs for call in logger.calls if call.args == (event,)]


@pytest.fixture(params=[Nats, Mosquitto], ids=["nats", "mosquitto"])
def own_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Nats | Mosquitto]:
    """A broker that a test may kill; not started."""
    server = Nats(tmp_path / "broker", SOON) if request.param is Nats else Mosquitto(tmp_path / "broker")
    yield server
    server.stop()


async def test_what_is_published_arrives(broker: Nats | Mosquitto, region: str) -> None:
    """QoS 1, QoS 0, and what was retained before we came."""
    with Publisher(broker.url, region) as device:
        await device.send("retained", retain=True)
        async with Listening(broker.url, region) as listening:
            (retained,) = await listening.receive(1)
            listening.session.acknowledge([retained])
            await device.send("once", qos=1)
            await device.send("perhaps", qos=0)
            others = await listening.receive(2)
            assert texts_of([retained, *others]) == ["retained", "once", "perhaps"]
            assert [bool(each.delivery) for each in (retained, *others)] == [True, True, False]
            assert {each.topic for each in others} == {device.topic}
            listening.session.acknowledge(others)
            assert listening.session.held == 0
        await device.send("", retain=True)


async def test_only_what_was_not_acknowledged_comes_again(broker: Nats | Mosquitto, region: str) -> None:
    """Acknowledged at the last moment, all at once, and all of it leaves before the connection ends."""
    with Publisher(broker.url, region) as device:
        async with Listening(broker.url, region) as first:
            await device.send(*texts(600))
            got = await first.receive(600)
            assert texts_of(got) == texts(600)
            kept = [each for each in got if each.payload != b"reading 400"]
            first.session.acknowledge(kept)
        # Mosquitto reads one packet of each client in turn, and drops what it has not read of one that comes back:
        # after as many of another client it has read all of ours. Nobody comes back that fast outside of a test.
        with Publisher(broker.url, f"{region}.99") as another:
            await another.send(*texts(700))
        async with Listening(broker.url, region) as second:
            await device.send("new")
            came = await second.commit(["reading 400", "new"])
            assert set(came) == {"reading 400", "new"}


async def test_a_clean_end_keeps_the_session(broker: Nats | Mosquitto, region: str) -> None:
    """What is published while nobody listens waits at the broker."""
    async with Listening(broker.url, region):
        pass
    with Publisher(broker.url, region) as device:
        await device.send(*texts(50))
    async with Listening(broker.url, region) as listening:
        assert await listening.commit(texts(50)) == texts(50)


async def test_the_buffer_bound_stops_the_reader(nats: Nats, mosquitto: Mosquitto, region: str) -> None:
    """5,000 packets through a buffer of 100, on both brokers at once; nothing lost, never more held than allowed."""

    async def through(broker: Nats | Mosquitto) -> None:
        async with Listening(broker.url, region, packets=100) as listening:
            with Publisher(broker.url, region) as device:
                device.publish(*texts(5000))
                await until(lambda: listening.session.held == 100)
                assert await listening.commit(texts(5000), most=37) == texts(5000)
                assert listening.session.held == 0

    await asyncio.gather(through(nats), through(mosquitto))


async def test_the_byte_bound_stops_the_reader(broker: Nats | Mosquitto, region: str) -> None:
    large = [f"{i:03}" + "x" * 4000 for i in range(200)]
    async with Listening(broker.url, region, size=10_000) as listening:
        with Publisher(broker.url, region) as device:
            device.publish(*large)
            await until(lambda: listening.session.held == 3)  # the third passes the bound
            assert sorted(set(await listening.commit(large, most=2))) == large


async def test_a_packet_larger_than_the_buffer_is_taken(broker: Nats | Mosquitto, region: str) -> None:
    async with Listening(broker.url, region, size=1000) as listening:
        with Publisher(broker.url, region) as device:
            sent = ["x" * 200_000, "y" * 300_000, "z"]
            device.publish(*sent)
            assert await listening.commit(sent) == sent


async def test_a_pause_longer_than_keep_alive_costs_nothing(
    quick_nats: Nats,
    mosquitto: Mosquitto,
    region: str,
    monkeypatch: pytest.MonkeyPatch,
    logged: Callable[[str], list[dict[str, Any]]],
) -> None:
    """The database is away: we do not read, and are not taken for dead. Afterwards acknowledgements still count."""
    monkeypatch.setattr(mqtt_link, "KEEPALIVE_S", 3)
    monkeypatch.setattr(mqtt_link, "CHECK_S", 0.1)

    async def hold(broker: Nats | Mosquitto) -> None:
        async with Listening(broker.url, region, packets=50) as listening:
            with Publisher(broker.url, region) as device:
                await device.send(*texts(300))
                first = await listening.receive(50)
                await until(lambda: listening.session.held == 50)
                await asyncio.sleep(7)  # more than two keep-alives, after which paho gives a silent broker up
                listening.session.acknowledge(first)
                rest = await listening.commit(texts(300)[50:])
                assert sorted({*texts_of(first), *rest}) == sorted(texts(300))

    await asyncio.gather(hold(quick_nats), hold(mosquitto))
    assert logged("broker.lost") == []
    assert len(logged("broker.connected")) == 2


async def test_what_we_hold_is_not_taken_twice(quick_nats: Nats, region: str) -> None:
    """NATS delivers again what is not acknowledged in time, also on a living connection."""
    async with Listening(quick_nats.url, region) as listening:
        with Publisher(quick_nats.url, region) as device:
            await device.send(*texts(3))
            held = await listening.receive(3)
            await until(lambda: listening.session._held.received > 3)
            assert listening.session.ready(10) == []
            assert listening.session.held == 3
            listening.session.acknowledge(held)
            await device.send("next")
            # What the broker had sent once more before it read our acknowledgement is on its way, and is taken again.
            *late, last = await listening.commit(["next"])
            assert last == "next"
            assert set(late) <= set(texts(3))


@pytest.mark.parametrize("packets", [100, 5000], ids=["paused", "reading"])
async def test_a_killed_broker_comes_back(own_broker: Nats | Mosquitto, region: str, quick: None, packets: int) -> None:
    """kill -9 in the middle: we reconnect and go on. NATS loses nothing it has acknowledged; Mosquitto 2.0 may."""
    own_broker.start()
    async with Listening(own_broker.url, region, packets=packets) as listening:
        with Publisher(own_broker.url, region) as device:
            device.publish(*texts(1000))
            held = await listening.receive(100)
            own_broker.kill()
            before = device.acknowledged
            own_broker.start()
            # They came on the lost connection, which may not be noticed yet. Their ids may mean other packets now.
            listening.session.acknowledge(held)
            await until(lambda: listening.session._held.connection > held[0].delivery >> 18)
            await listening.until_subscribed()
            with Publisher(own_broker.url, region, "another") as another:
                await another.send("after")
            wanted = {"after", *(before if isinstance(own_broker, Nats) else ())}
            assert set(await listening.commit(wanted)) >= wanted - set(texts_of(held))


async def test_a_broker_that_starts_later(
    own_broker: Nats | Mosquitto, region: str, quick: None, logged: Callable[[str], list[dict[str, Any]]]
) -> None:
    async with Listening(own_broker.url, region, subscribed=False) as listening:
        connect, tries = listening.session._link._connect, []
        listening.session._link._connect = lambda: (tries.append(1), connect())  # type: ignore[method-assign,assignment]
        await until(lambda: len(tries) >= 3)
        (told,) = logged("broker.unreachable")  # once, as its text did not change
        assert told["port"] == own_broker.port
        assert "refused" in told["error"]
        own_broker.start()
        await listening.until_subscribed()
        with Publisher(own_broker.url, region) as device:
            await device.send("at last")
        assert await listening.commit(["at last"]) == ["at last"]


async def test_a_wrong_password_is_told_and_tried_again(
    broker: Nats | Mosquitto, region: str, quick: None, logged: Callable[[str], list[dict[str, Any]]]
) -> None:
    url = broker.url.replace(PASSWORD, "wrong")
    async with Listening(url, region, subscribed=False) as listening:
        connect, tries = listening.session._link._connect, []
        listening.session._link._connect = lambda: (tries.append(1), connect())  # type: ignore[method-assign,assignment]
        await until(lambda: len(tries) >= 3)
        (told,) = logged("broker.refused")
        assert told | {"host": "127.0.0.1", "port": broker.port} == told
        assert "authori" in told["reason"].lower() or "password" in told["reason"].lower()
        assert "SIAGA_MQTT_URL" in told["cause"]
        assert "wrong" not in str(told)
        listening.session._lane.username_pw_set(USER, PASSWORD)
        await listening.until_subscribed()


async def test_the_end_comes_at_once(broker: Nats | Mosquitto, region: str) -> None:
    """Also while paused, with packets held, and leaving no task behind."""
    before = asyncio.all_tasks()
    async with Listening(broker.url, region, packets=5) as listening:
        with Publisher(broker.url, region) as device:
            await device.send(*texts(20))
            await listening.receive(5)
            await until(lambda: listening.session.held >= 5)
        await listening.end()
        assert listening.session.subscribed_since is None
        await asyncio.sleep(0)
        assert asyncio.all_tasks() - before == set()


async def test_whoever_waits_can_be_woken(broker: Nats | Mosquitto, region: str) -> None:
    async with Listening(broker.url, region) as listening:
        waiting = asyncio.create_task(listening.session.take(1))
        await asyncio.sleep(0)
        listening.session.wake()
        assert await waiting == []


async def test_acknowledging_without_a_connection_is_harmless(
    own_broker: Nats | Mosquitto, region: str, quick: None
) -> None:
    own_broker.start()
    async with Listening(own_broker.url, region) as listening:
        with Publisher(own_broker.url, region) as device:
            await device.send(*texts(10))
        held = await listening.receive(10)
        own_broker.kill()
        listening.session.acknowledge(held[:5])  # the loss is not noticed yet
        await until(lambda: listening.session.subscribed_since is None)
        listening.session.acknowledge(held[5:])
        assert listening.session.held == 0
        own_broker.start()
        await listening.until_subscribed()


@pytest.fixture
def own_certificate(tmp_path: Path) -> tuple[Path, Path]:
    return certificate(tmp_path)


async def test_a_burst_over_tls(
    tmp_path: Path, own_certificate: tuple[Path, Path], region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS decrypts more than one packet at a time; none of them may wait for the next one to arrive."""
    monkeypatch.setenv("SSL_CERT_FILE", str(own_certificate[0]))
    server = Nats(tmp_path / "broker", with_tls(*own_certificate))
    server.ready = lambda: not is_free(server.port)
    server.start()
    try:
        url = server.url.replace("mqtt://", "mqtts://")
        with Publisher(url, region) as device:
            async with Listening(url, region):
                pass
            await device.send(*texts(400))
            async with Listening(url, region) as listening:
                # Not in order: what the broker had sent before it noticed the end of the first connection comes again.
                assert sorted(await listening.commit(texts(400), most=7)) == sorted(texts(400))
                assert listening.session.held == 0
    finally:
        server.stop()


async def test_a_topic_that_is_no_text_is_taken(region: str) -> None:
    """A broker should not let it through; if one does, it must not stand in the way of all others."""
    topics = (b"siaga/v1/\xff\xfe/a/readings", b"siaga/v1/a\x00b/a/readings", b"siaga/v1/11/a/readings")
    stream = b"".join(publish(topic, packet_id=i) for i, topic in enumerate(topics, 1))
    async with FakeBroker(lambda _: stream) as broker, Listening(broker.url, region) as listening:
        got = await listening.receive(3)
        assert [each.topic for each in got] == [
            "siaga/v1/\ufffd\ufffd/a/readings", "siaga/v1/a\x00b/a/readings", "siaga/v1/11/a/readings"
        ]  # fmt: skip
        listening.session.acknowledge(got)
        await until(lambda: broker.acknowledged == [1, 2, 3])


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x32\xff\xff\xff\xff\x7f",
        b"\xf0\x00",
        b"\x32\x02\x00\x09",
        b"\x36\x05\x00\x01a\x00\x01",
        b"\x20\x00",
        b"\x90\x00",
    ],
    ids=["length", "type", "publish", "qos 3", "connack", "suback"],
)
async def test_nonsense_from_a_broker_costs_a_connection(region: str, quick: None, nonsense: bytes) -> None:
    good = publish(b"siaga/v1/11/a/readings", b"good")

    async with (
        FakeBroker(lambda number: nonsense if number == 1 else good) as broker,
        Listening(broker.url, region) as listening,
    ):
        got = await listening.receive(1)
        assert texts_of(got) == ["good"]
        assert broker.connections == 2
        listening.session.acknowledge(got)
        await until(lambda: broker.acknowledged == [1])


async def test_a_refused_subscription_is_told_and_tried_again(
    region: str, quick: None, logged: Callable[[str], list[dict[str, Any]]]
) -> None:
    async with (
        FakeBroker(lambda _: b"", suback=0x80) as broker,
        Listening(broker.url, region, subscribed=False) as listening,
    ):
        await until(lambda: broker.connections >= 3)
        assert listening.session.subscribed_since is None
        (told,) = logged("subscription.refused")
        assert told["filters"] == f"siaga/v1/{region}/+/readings"
        assert "max_ack_pending" in told["cause"]
        broker.suback = 1
        await listening.until_subscribed()


async def test_a_refused_client_id_is_told_and_tried_again(
    region: str, quick: None, logged: Callable[[str], list[dict[str, Any]]]
) -> None:
    async with (
        FakeBroker(lambda _: b"", connack=2) as broker,
        Listening(broker.url, region, subscribed=False) as listening,
    ):
        await until(lambda: broker.connections >= 3)
        (told,) = logged("broker.refused")
        assert told["client_id"] == f"ingest-{region.replace('.', '-')}"
        assert "SIAGA_INGEST_CLIENT_ID" in told["cause"]
        broker.connack = 0
        await listening.until_subscribed()


async def test_acknowledgements_leave_before_the_goodbye(
    region: str, logged: Callable[[str], list[dict[str, Any]]]
) -> None:
    stream = b"".join(publish(b"siaga/v1/11/a/readings", packet_id=i) for i in range(1, 301))
    async with FakeBroker(lambda _: stream) as broker:
        async with Listening(broker.url, region) as listening:
            listening.session.acknowledge(await listening.receive(300))
        await until(lambda: DISCONNECT in broker.last)
        assert broker.acknowledged == [*range(1, 301)]
        assert broker.last[-1] == DISCONNECT
    assert logged("broker.lost") == []


async def test_only_a_copy_of_what_we_hold_is_dropped(region: str) -> None:
    """The same id without the mark of a copy is another packet, and a copy of what we no longer hold is new to us."""
    topic = b"siaga/v1/11/a/readings"
    stream = publish(topic, b"a", 1) + publish(topic, b"a", 1, dup=True) + publish(topic, b"b", 2, dup=True)
    async with FakeBroker(lambda _: stream) as broker, Listening(broker.url, region) as listening:
        got = await listening.receive(2)
        assert texts_of(got) == ["a", "b"]
        listening.session.acknowledge(got)
        assert listening.session.held == 0
        await until(lambda: broker.acknowledged == [1, 2])


async def test_a_packet_id_dies_with_its_connection(region: str, quick: None) -> None:
    """What came before a reconnect is not acknowledged after it: its id now means another packet."""
    topic = b"siaga/v1/11/a/readings"
    async with (
        FakeBroker(lambda number: publish(topic, b"%d" % number, packet_id=7)) as broker,
        Listening(broker.url, region) as listening,
    ):
        first = await listening.receive(1)
        broker.drop()
        second = await listening.receive(1)
        assert texts_of([*first, *second]) == ["1", "2"]
        listening.session.acknowledge(first)
        assert listening.session.held == 1
        assert not listening.session._lane.want_write()
        listening.session.acknowledge(second)
        await until(lambda: broker.acknowledged)
    assert broker.acknowledged == [7]
