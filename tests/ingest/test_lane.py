"""PUBLISH packets cut out of whatever the socket gives, and PUBACKs put together; no broker needed."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.held import Held
from ingest.lane import TOPICS_MAX, Lane, Topics, cut_publishes, pubacks
from runtime.mqtt_url import Broker
from runtime.mqtt_wire import READ_BYTES

CONNACK, PINGRESP = b"\x20\x02\x00\x00", b"\xd0\x00"
TOPIC = b"siaga/v1/12.09/lamp/readings"


def length(size: int) -> bytes:
    out = bytearray()
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes((*out, size))


def publish(payload: bytes, packet_id: int = 1, qos: int = 1, dup: bool = False, topic: bytes = TOPIC) -> bytes:
    number = struct.pack(">H", packet_id) if qos else b""
    body = struct.pack(">H", len(topic)) + topic + number + payload
    return bytes([0x30 | dup << 3 | qos << 1]) + length(len(body)) + body


class Cable:
    """A Lane with its socket, and the broker's end of it."""

    def __init__(self, packets: int = 100_000, size: int = 1 << 30) -> None:
        self.held = Held(packets, size)
        self.arrivals = 0
        self.lane = Lane(Broker("localhost", 1883, None, None, tls=False), "cable", self.held, self._on_arrival)
        ours, self.broker = socket.socketpair()
        for end in (ours, self.broker):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.lane._sock = ours
        self.lane.on_socket_register_write = lambda *_: None

    def close(self) -> None:
        self.lane._sock_close()
        self.broker.close()

    def comes(self, data: bytes) -> None:
        self.broker.sendall(data)
        self.lane.loop_read()

    def received(self) -> bytes:
        self.lane.loop_write()
        return self.broker.recv(1 << 20)

    def _on_arrival(self) -> None:
        self.arrivals += 1
        self.lane.paused = self.held.full


@contextmanager
def cable(packets: int = 100_000, size: int = 1 << 30) -> Iterator[Cable]:
    with closing(Cable(packets, size)) as made:
        yield made


payloads = st.one_of(st.binary(max_size=40), st.integers(100, 400).map(bytes), st.integers(16_300, 16_500).map(bytes))


@given(data=st.data())
def test_any_packets_cut_into_any_pieces_are_the_same_packets(data: st.DataObject) -> None:
    """QoS 0, 1 and 2 among answers to pings: each once, whole, in order, with what it is acknowledged by."""
    wanted, parts = [], [CONNACK]
    for number in range(1, data.draw(st.integers(0, 8)) + 1):
        payload, qos = data.draw(payloads), data.draw(st.sampled_from([0, 1, 1, 2]))
        parts.append(publish(payload, number, qos))
        if qos == 2:
            parts.append(b"\x62\x02" + struct.pack(">H", number))  # PUBREL: only now is it ours
        if data.draw(st.booleans()):
            parts.append(PINGRESP)
        wanted.append((payload, qos and (1 << 18 | qos << 16 | number)))
    stream = b"".join(parts)
    cuts = data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=20))
    with cable() as end:
        for begin, stop in pairwise([0, *sorted(cuts), len(stream)]):
            end.comes(stream[begin:stop])
        for _ in range(len(stream) // READ_BYTES):  # what one read leaves is for the next
            end.lane.loop_read()
        got = end.held.take(100)
        assert [(packet.payload, packet.delivery) for packet in got] == wanted
        assert {packet.topic for packet in got} <= {TOPIC.decode()}
        assert all(packet.received_at.utcoffset() is not None for packet in got)
        assert end.lane.is_connected()


def test_split_at_every_byte() -> None:
    stream = CONNACK + publish(b"first", 1) + PINGRESP + publish(b"x" * 200, 2, qos=0) + publish(b"", 3, dup=True)
    for at in range(1, len(stream)):
        with cable() as end:
            end.comes(stream[:at])
            end.comes(stream[at:])
            assert [packet.payload for packet in end.held.take(10)] == [b"first", b"x" * 200, b""]


@pytest.mark.parametrize("size", [1, 2, 80, 127, 128, 16_383, 16_384, 65_536, 262_144])
def test_payloads_of_any_size(size: int) -> None:
    payload = bytes(range(251)) * (size // 251 + 1)
    with cable() as end:
        end.broker.setblocking(False)
        stream = memoryview(publish(payload[:size], 7) + publish(b"next", 8))
        while stream:
            stream = stream[end.broker.send(stream[:200_000]) :]
            end.lane.loop_read()
        while len(end.held._waiting) < 2:
            end.lane.loop_read()
        assert [packet.payload for packet in end.held.take(9)] == [payload[:size], b"next"]


def test_a_large_packet_in_single_bytes_is_copied_once() -> None:
    """Each piece is kept as it came until the last is there: joining at every piece would copy 34 GB here."""
    stream = publish(b"y" * 262_144)
    with cable() as end:
        for at in range(len(stream) - 1):
            end.comes(stream[at : at + 1])
            assert len(end.lane._data) <= 8
        assert len(end.lane._pieces) > 262_000
        end.comes(stream[-1:])
        assert [len(packet.payload) for packet in end.held.take(2)] == [262_144]
        assert end.lane._pieces == []


class TestBounds:
    def test_the_packet_bound_leaves_the_rest_unread(self) -> None:
        stream = b"".join(publish(b"%d" % n, n) for n in range(1, 11))
        with cable(packets=4) as end:
            end.comes(stream)
            assert (end.held.packets, end.lane.paused) == (4, True)
            end.lane.loop_read()
            assert end.held.packets == 4
            for _ in range(3):
                end.held.release(end.held.take(4))
                end.lane.paused = False
                end.lane.loop_read()
            assert end.held.received == 10

    def test_the_byte_bound_is_passed_by_one_packet_at_most(self) -> None:
        with cable(size=1_000) as end:
            end.comes(b"".join(publish(b"z" * 400, n) for n in range(1, 11)))
            assert (end.held.packets, end.held.bytes) == (3, 1_200)

    def test_a_broker_that_overruns_its_window(self) -> None:
        """Mosquitto 2.0 does (issue 2301): however much it sends, we hold no more than we may."""
        with cable(packets=100) as end:
            end.broker.sendall(b"".join(publish(b"overrun", n) for n in range(1, 3_001)))
            seen = 0
            while seen < 3_000:
                end.lane.paused = end.held.full
                end.lane.loop_read()
                assert end.held.packets <= 100
                seen += len(got := end.held.take(60))
                end.held.release(got)

    def test_a_pause_keeps_what_paho_would_read(self) -> None:
        with cable(packets=1) as end:
            end.comes(publish(b"a", 1) + CONNACK + publish(b"b", 2))
            assert not end.lane.is_connected()
            end.held.release(end.held.take(1))
            end.lane.paused = False
            end.lane.loop_read()
            assert end.lane.is_connected()
            assert [packet.payload for packet in end.held.take(1)] == [b"b"]


class TestCut:
    def cut(self, data: bytes) -> tuple[list[bytes], int, int]:
        found = cut_publishes(data, 0, 100, 1 << 30, 1 << 18 | 1 << 16, Topics())
        return found.payloads, found.cut.at, found.cut.lacking

    def test_what_lacks_is_named(self) -> None:
        packet = publish(b"x" * 300)
        for at in range(1, len(packet)):
            payloads, used, lacking = self.cut(packet[:at])
            assert (payloads, used) == ([], 0)
            assert 0 < lacking <= len(packet) - at
        assert self.cut(packet) == ([b"x" * 300], len(packet), 0)

    @pytest.mark.parametrize(
        "strange",
        [
            PINGRESP,
            publish(b"x", 1, qos=2),
            publish(b"x", 1, qos=3),
            b"\x32\xff\xff\xff\xff\x7f",
            b"\x32\x00",
            b"\x32\x01\x00",
            b"\x32\x02\x00\x09",
            b"\x30\x02\x00\x00",
            b"\x32\x04\x00\x01ab",
        ],
        ids=["ping", "qos 2", "qos 3", "length", "empty", "half", "topic beyond", "no topic", "no id"],
    )
    def test_what_is_not_ours_is_left_to_paho(self, strange: bytes) -> None:
        good = publish(b"good")
        assert self.cut(good + strange + good) == ([b"good"], len(good), 0)
        assert self.cut(strange) == ([], 0, 0)

    @given(st.binary(max_size=200))
    def test_no_bytes_are_too_strange(self, data: bytes) -> None:
        payloads, used, lacking = self.cut(data)
        assert 0 <= used <= len(data)
        assert lacking == 0 or used < len(data)
        assert sum(map(len, payloads)) <= used


class TestTopics:
    def test_the_same_bytes_are_the_same_text(self) -> None:
        topics = Topics()
        assert topics[b"a/b"] is topics[bytes(bytearray(b"a/b"))]

    def test_no_text_is_taken_too(self) -> None:
        assert Topics()[b"a/\xff"] == "a/\ufffd"

    def test_bounded(self) -> None:
        topics = Topics()
        for n in range(TOPICS_MAX + 5):
            assert topics[b"%d" % n] == str(n)
        assert len(topics) == 5


class TestAcknowledging:
    def test_all_in_one_write_and_in_order(self) -> None:
        ids = [*range(1, 1_000), 65_535, 0x4002]
        with cable() as end:
            end.comes(b"".join(publish(b"x", number) for number in ids))
            end.lane.acknowledge(end.held.release(end.held.take(2_000)))
            assert len(end.lane._unsent) == 1
            assert end.received() == b"".join(b"\x40\x02" + struct.pack(">H", number) for number in ids)

    def test_qos_0_has_nothing_to_acknowledge(self) -> None:
        with cable() as end:
            end.comes(publish(b"x", qos=0) + publish(b"y", 9))
            assert end.held.release(end.held.take(2)) == [1 << 18 | 1 << 16 | 9]
            assert (end.held.packets, end.held.bytes) == (0, 0)

    def test_qos_2_ends_with_pubcomp(self) -> None:
        with cable() as end:
            end.comes(publish(b"x", 5, qos=2))
            assert end.held.packets == 0
            assert end.received() == b"\x50\x02\x00\x05"  # PUBREC
            end.comes(b"\x62\x02\x00\x05" + publish(b"y", 6))
            end.lane.acknowledge(end.held.release(end.held.take(2)))
            assert set(pairs(end.received())) == {b"\x70\x02\x00\x05", b"\x40\x02\x00\x06"}

    def test_pubacks(self) -> None:
        assert pubacks([1 << 40 | 1 << 16 | 0xABCD, 3 << 18 | 1 << 16 | 1]) == b"\x40\x02\xab\xcd\x40\x02\x00\x01"


def pairs(data: bytes) -> Iterable[bytes]:
    return (data[at : at + 4] for at in range(0, len(data), 4))


class TestHeld:
    def test_a_copy_of_what_is_held_is_dropped_within_one_read_too(self) -> None:
        with cable() as end:
            end.comes(publish(b"a", 1) + publish(b"a", 1, dup=True) + publish(b"b", 2, dup=True))
            assert [packet.payload for packet in end.held.take(9)] == [b"a", b"b"]
            assert (end.held.packets, end.held.received) == (2, 3)

    def test_a_copy_of_what_was_released_is_new(self) -> None:
        with cable() as end:
            end.comes(publish(b"a", 1))
            end.held.release(end.held.take(1))
            end.comes(publish(b"a", 1, dup=True))
            assert end.held.waiting == 1

    def test_qos_0_is_never_a_copy(self) -> None:
        with cable() as end:
            end.comes(publish(b"a", qos=0) + publish(b"b", qos=0, dup=True))
            assert end.held.packets == 2

    def test_a_new_connection_forgets_what_nobody_took_and_disowns_the_rest(self) -> None:
        with cable() as end:
            end.comes(publish(b"a", 1) + publish(b"b", 2) + publish(b"c", 3))
            taken = end.held.take(1)
            end.held.connection_ended()
            assert (end.held.packets, end.held.waiting) == (1, 0)
            end.comes(publish(b"a", 1, dup=True))
            assert end.held.release(taken) == []
            assert end.held.packets == 1
            assert end.held.release(end.held.take(9)) == [2 << 18 | 1 << 16 | 1]
            assert (end.held.packets, end.held.bytes) == (0, 0)


def test_a_new_connection_begins_with_nothing_half_received() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    with listening, cable() as end:
        end.comes(CONNACK + publish(b"z" * 100)[:50])
        end.lane.acknowledge([1 << 18 | 1 << 16 | 1])
        end.lane.connect(*listening.getsockname()[:2])
        end.lane.loop_write()
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.recv(1 << 16)[0] == 0x10
            accepted.sendall(CONNACK + publish(b"whole", 2))
            while not end.held.waiting:
                end.lane.loop_read()
            assert [packet.payload for packet in end.held.take(2)] == [b"whole"]
            assert not end.lane.want_write()
