"""Publishing with QoS 1: in order, bounded, and nothing is lost whatever happens to the broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from runtime.mqtt_url import Broker, parse_url
from siaga.stack.ports import is_free
from simulator.mqtt import publish
from simulator.mqtt.packets import PACKET_IDS
from simulator.mqtt.publish import Publisher
from tests.certificate import certificate
from tests.servers import Nats, with_tls
from tests.simulator.slow_broker import SlowBroker

DEADLINE_S = 60


@asynccontextmanager
async def publishing(broker: Broker, window: int = 500, client_id: str = "publisher") -> AsyncIterator[Publisher]:
    publisher = Publisher(broker, client_id, window)
    task = asyncio.create_task(publisher.run())
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield publisher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(true: Any) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not true():  # noqa: ASYNC110  # what is waited for has no event
            await asyncio.sleep(0.005)


class Reader:
    """A subscriber with a kept session: what the broker took is what it delivers, also after being killed."""

    def __init__(self, url: str, name: str) -> None:
        where = parse_url(url)
        self.topic, self.payloads, self.subscribed = f"to/{name}", [], False  # type: tuple[str, list[bytes], bool]
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"reader-{name}", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.username_pw_set(where.username, where.password)
        self._client.on_connect = lambda client, *_: client.subscribe(self.topic, qos=1)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = lambda client, userdata, message: self.payloads.append(message.payload)
        self._client.connect(where.host, where.port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_subscribe(self, *_: Any) -> None:
        self.subscribed = True


@asynccontextmanager
async def reading(url: str, name: str) -> AsyncIterator[Reader]:
    reader = Reader(url, name)
    try:
        await until(lambda: reader.subscribed)
        yield reader
    finally:
        reader.close()


@pytest.fixture(params=["nats", "mosquitto"])
def broker_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param).url
    return url


class TestRealBrokers:
    async def test_everything_arrives_once_and_in_order(self, broker_url: str) -> None:
        async with reading(broker_url, "order") as reader, publishing(parse_url(broker_url), 100, "order") as publisher:
            payloads = [b"%d" % n for n in range(1_000)]
            for payload in payloads:
                await publisher.publish(reader.topic, payload)
            await publisher.drained()
            await until(lambda: len(reader.payloads) >= len(payloads))
            assert reader.payloads == payloads
            assert (publisher.published, publisher.acknowledged, publisher.in_flight) == (1_000, 1_000, 0)

    @pytest.mark.parametrize("size", [1, 80, 120, 10_000, 16_384, 262_144])
    async def test_payloads_of_any_size_arrive_whole(self, broker_url: str, size: int) -> None:
        async with reading(broker_url, "size") as reader, publishing(parse_url(broker_url), 50, "size") as publisher:
            payloads = [bytes([n]) * size for n in range(20)]
            await publisher.publish_many([(reader.topic.encode(), payload) for payload in payloads])
            await publisher.drained()
            await until(lambda: len(reader.payloads) >= len(payloads))
            assert reader.payloads == payloads

    async def test_packet_ids_begin_again_after_65535(self, broker_url: str) -> None:
        async with publishing(parse_url(broker_url), 5_000, "wrap") as publisher:
            told: list[int] = []
            publisher.on_acknowledged = told.append
            number = PACKET_IDS + 2_000
            await publisher.publish_many((b"to/nobody", b"%d" % n) for n in range(number))
            await publisher.drained()
            assert publisher.acknowledged == number
            assert sorted(told) == list(range(number))

    async def test_the_broker_may_be_killed_at_any_time(self, tmp_path: Path) -> None:
        server = Nats(tmp_path / "store", {'ack_wait: "15s"': 'ack_wait: "2s"'})
        server.start()
        try:
            async with reading(server.url, "kill") as reader, publishing(parse_url(server.url), 200, "k") as publisher:
                lost: list[int] = []
                told: list[int] = []
                publisher.on_lost = lambda: lost.append(publisher.in_flight)
                publisher.on_acknowledged = told.append
                number = 20_000
                task = asyncio.create_task(
                    publisher.publish_many((reader.topic.encode(), b"%d" % n) for n in range(number))
                )
                for some in (3_000, 9_000):
                    await until(lambda some=some: publisher.acknowledged >= some)
                    await asyncio.to_thread(server.kill)
                    await until(lambda: not publisher.connected)
                    await asyncio.to_thread(server.start)
                await task
                await publisher.drained()
                await until(lambda: len(set(reader.payloads)) >= number)
                assert {int(payload) for payload in reader.payloads} == set(range(number))
                assert sorted(told) == list(range(number)), "each acknowledged once"
                assert (publisher.connections, len(lost)) == (3, 2)
        finally:
            server.stop()

    async def test_over_tls(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """TLS hands on a record of 16 kB at a time, and many acknowledgements with it."""
        made, key = certificate(tmp_path)
        monkeypatch.setenv("SSL_CERT_FILE", str(made))
        server = Nats(tmp_path / "store", with_tls(made, key))
        server.ready = lambda: not is_free(server.port)
        server.start()
        try:
            url = server.url.replace("mqtt://", "mqtts://")
            async with publishing(parse_url(url), 5_000, "tls") as publisher:
                told: list[int] = []
                publisher.on_acknowledged = told.append
                await publisher.publish_many((b"to/nobody", bytes(n % 3_000)) for n in range(20_000))
                await publisher.drained()
                assert sorted(told) == list(range(20_000))
                assert publisher.connections == 1
        finally:
            server.stop()

    async def test_closing_is_no_loss(self, nats: Nats) -> None:
        lost: list[bool] = []
        async with publishing(parse_url(nats.url), client_id="closing") as publisher:
            publisher.on_lost = lambda: lost.append(True)
            await publisher.publish("to/nobody", b"{}")
            await publisher.drained()
        assert not publisher.connected
        assert lost == []

    async def test_a_refused_password_is_no_connection(self, nats: Nats) -> None:
        broker = parse_url(nats.url)._replace(password="wrong")
        lost: list[bool] = []
        async with publishing(broker, client_id="refused") as publisher:
            publisher.on_lost = lambda: lost.append(True)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(publisher.publish("to/nobody", b"{}"), 1)
            assert (publisher.connections, publisher.published, lost) == (0, 0, [])


class TestSlowBroker:
    async def test_the_window_stops_the_caller(self) -> None:
        async with SlowBroker() as broker, publishing(broker.address, window=3) as publisher:
            task = asyncio.create_task(publisher.publish_many((b"t", b"%d" % n) for n in range(5)))
            await until(lambda: len(broker.sent) == 3)
            assert (publisher.in_flight, task.done()) == (3, False)
            broker.acknowledge(broker.sent[1].packet_id)
            await until(lambda: len(broker.sent) == 4)
            assert (publisher.in_flight, publisher.acknowledged, task.done()) == (3, 1, False)
            broker.acknowledge(*(sent.packet_id for sent in broker.sent if sent is not broker.sent[1]))
            await task
            assert publisher.in_flight <= 3
            await until(lambda: len(broker.sent) == 5)
            broker.acknowledge(broker.sent[4].packet_id)
            await publisher.drained()
            assert [sent.payload for sent in broker.sent] == [b"%d" % n for n in range(5)]

    async def test_numbers_are_told_in_the_order_of_acknowledgement(self) -> None:
        async with SlowBroker() as broker, publishing(broker.address) as publisher:
            told: list[int] = []
            publisher.on_acknowledged = told.append
            await publisher.publish_many((b"t", b"%d" % n) for n in range(4))
            await until(lambda: len(broker.sent) == 4)
            ids = [sent.packet_id for sent in broker.sent]
            broker.acknowledge(ids[2], ids[0])
            broker.acknowledge(ids[3], ids[3], 60_000, ids[1])  # the same again, and one that nobody waits for
            await publisher.drained()
            assert told == [2, 0, 3, 1]
            assert publisher.acknowledged == 4

    async def test_after_a_reconnect_what_is_unacknowledged_comes_again_in_order(self) -> None:
        async with SlowBroker() as broker, publishing(broker.address, window=6) as publisher:
            lost: list[bool] = []
            publisher.on_lost = lambda: lost.append(True)
            task = asyncio.create_task(publisher.publish_many((b"t", b"%d" % n) for n in range(8)))
            await until(lambda: len(broker.sent) == 6)
            broker.acknowledge(broker.sent[0].packet_id, broker.sent[3].packet_id)
            await until(lambda: len(broker.sent) == 8)
            broker.drop()
            await until(lambda: len(broker.sent) == 14)
            first, second = ([s for s in broker.sent if s.connection == number] for number in (1, 2))
            assert [sent.payload for sent in second] == [b"1", b"2", b"4", b"5", b"6", b"7"]
            assert not any(sent.dup for sent in first)
            assert all(sent.dup for sent in second)
            same = {sent.payload: sent.packet_id for sent in first}
            assert all(same[sent.payload] == sent.packet_id for sent in second), "and under its packet id"
            assert lost == [True]
            broker.acknowledge(*(sent.packet_id for sent in second))
            await task
            await publisher.drained()
            assert (publisher.published, publisher.acknowledged, publisher.connections) == (8, 8, 2)

    async def test_what_was_waiting_goes_after_what_is_sent_again(self) -> None:
        async with SlowBroker() as broker, publishing(broker.address, window=2) as publisher:
            task = asyncio.create_task(publisher.publish_many((b"t", b"%d" % n) for n in range(6)))
            await until(lambda: len(broker.sent) == 2)
            broker.at_once = True
            broker.drop()
            await task
            await publisher.drained()
            again = [sent for sent in broker.sent if sent.connection == 2]
            assert [int(sent.payload) for sent in again] == list(range(6))
            assert [sent.dup for sent in again] == [True, True, False, False, False, False]

    async def test_an_id_in_flight_is_not_used_for_another(self) -> None:
        async with SlowBroker() as broker, publishing(broker.address, window=10) as publisher:
            await publisher.publish("t", b"stays")
            await until(lambda: len(broker.sent) == 1)
            broker.at_once = True
            await publisher.publish_many((b"t", b"%d" % n) for n in range(PACKET_IDS + 10))
            await until(lambda: publisher.in_flight == 1)
            ids = [sent.packet_id for sent in broker.sent]
            assert ids.count(ids[0]) == 1
            assert 0 not in ids
            assert max(ids) == PACKET_IDS
            broker.acknowledge(ids[0])
            await publisher.drained()

    async def test_the_pauses_between_tries_grow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pauses: list[float] = []
        really = asyncio.sleep

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            await really(0)

        monkeypatch.setattr(publish.asyncio, "sleep", sleep)
        publisher = Publisher(Broker("127.0.0.1", 1, None, None, tls=False), "alone", 10)
        task = asyncio.create_task(publisher.run())
        while len(pauses) < 8:
            await really(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert pauses[0] == publish.RECONNECT_FIRST_S
        assert all(a <= b for a, b in pairwise(pauses))
        assert pauses[7] == publish.RECONNECT_MAX_S

    async def test_a_caller_that_fails_on_an_acknowledgement_is_told_and_the_rest_goes_on(self) -> None:
        async with SlowBroker(at_once=True) as broker, publishing(broker.address) as publisher:
            told: list[int] = []

            def once(number: int) -> None:
                told.append(number)
                if len(told) == 1:
                    raise RuntimeError("of the caller")

            publisher.on_acknowledged = once
            await publisher.publish_many((b"t", b"%d" % n) for n in range(5))
            await publisher.drained()
            assert sorted(told) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("window", [0, -1, PACKET_IDS])
async def test_a_window_without_packet_ids_is_refused(window: int) -> None:
    with pytest.raises(ValueError, match="65,534"):
        Publisher(Broker("127.0.0.1", 1, None, None, tls=False), "alone", window)


async def test_a_payload_that_mqtt_cannot_carry_is_refused_and_nothing_is_counted() -> None:
    async with SlowBroker(at_once=True) as broker, publishing(broker.address) as publisher:
        await publisher.publish("t", b"before")
        with pytest.raises(ValueError, match="65,535"):
            await publisher.publish("t" * 65_536, b"{}")
        await publisher.publish("t", b"after")
        await publisher.drained()
        assert [sent.payload for sent in broker.sent] == [b"before", b"after"]
        assert publisher.published == 2
