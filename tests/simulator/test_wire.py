"""Bytes in and out of a connection, cut anywhere."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.mqtt_url import Broker
from runtime.mqtt_wire import WRITE_BYTES
from simulator.mqtt.packets import publish_packet
from simulator.mqtt.wire import AckWire

CONNACK, PINGRESP = b"\x20\x02\x00\x00", b"\xd0\x00"


class Cable:
    """An AckWire with its socket, and the broker's end of it."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.connected = 0
        self.wire = AckWire(Broker("localhost", 1883, None, None, tls=False), "cable", self.ids.extend)
        ours, self.broker = socket.socketpair()
        for end in (ours, self.broker):
            end.setblocking(False)
        self.wire._sock = ours
        self.wire.on_connect = self._on_connect
        # An event loop drives it: paho does not write by itself then.
        self.wire.on_socket_register_write = lambda *_: None

    def close(self) -> None:
        self.wire._sock_close()
        self.broker.close()

    def comes(self, data: bytes) -> None:
        self.broker.sendall(data)
        self.wire.loop_read()

    def received(self) -> bytes:
        """Everything the broker got so far."""
        got = b""
        while True:
            try:
                got += self.broker.recv(1 << 20)
            except BlockingIOError:
                return got

    def _on_connect(self, *_: Any) -> None:
        self.connected += 1


@pytest.fixture
def cable() -> Iterator[Cable]:
    cable = Cable()
    yield cable
    cable.close()


def acks(*ids: int) -> bytes:
    return b"".join(b"\x40\x02" + number.to_bytes(2, "big") for number in ids)


@given(data=st.data())
def test_acknowledgements_among_other_packets_split_at_any_byte(data: st.DataObject) -> None:
    ids = data.draw(st.lists(st.integers(1, 65_535), max_size=12))
    parts = [CONNACK, *(acks(number) for number in ids)]
    for at in data.draw(st.lists(st.integers(1, len(parts)), max_size=4)):
        parts.insert(at, PINGRESP)
    stream = b"".join(parts)
    cuts = data.draw(st.sets(st.integers(1, len(stream) - 1)))
    cable = Cable()
    try:
        for begin, end in pairwise([0, *sorted(cuts), len(stream)]):
            cable.comes(stream[begin:end])
        assert cable.ids == ids
        assert cable.connected == 1
        assert cable.wire.is_connected()
    finally:
        cable.close()


def test_every_byte_alone(cable: Cable) -> None:
    for byte in CONNACK + acks(1, 2) + PINGRESP + acks(0x4002, 0xD000):
        cable.comes(bytes([byte]))
    assert cable.ids == [1, 2, 0x4002, 0xD000]


def test_more_acknowledgements_than_one_read_takes(cable: Cable) -> None:
    ids = list(range(1, 40_001))
    cable.broker.setblocking(True)
    for at in range(0, len(ids), 1_000):
        cable.comes(acks(*ids[at : at + 1_000]))
    while len(cable.ids) < len(ids):
        cable.wire.loop_read()
    assert cable.ids == ids


def test_a_closed_connection_is_lost(cable: Cable) -> None:
    lost: list[Any] = []
    cable.wire.on_disconnect = lambda *_: lost.append(True)
    cable.broker.close()
    assert cable.wire.loop_read() == paho.MQTT_ERR_CONN_LOST
    assert lost == [True]
    assert cable.wire.socket() is None


def test_packets_leave_together_and_in_order(cable: Cable) -> None:
    packets = [publish_packet(b"t", b"%d" % n, n) for n in range(1, 500)]
    for packet in packets:
        cable.wire.send(packet)
    assert cable.wire.want_write()
    cable.wire.loop_write()
    assert not cable.wire.want_write()
    assert cable.received() == b"".join(packets)


def test_a_full_socket_keeps_the_rest_for_later(cable: Cable) -> None:
    packets = [publish_packet(b"t", bytes([n]) * WRITE_BYTES, n) for n in range(1, 30)]
    for packet in packets:
        cable.wire.send(packet)
    got, rounds = b"", 0
    while cable.wire.want_write():
        cable.wire.loop_write()
        rounds += 1
        got += cable.received()
    assert rounds > 1
    assert got == b"".join(packets)


def test_a_new_connection_starts_clean(cable: Cable) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    with listening:
        cable.comes(CONNACK + b"\x40\x02")
        cable.wire.send(publish_packet(b"t", b"old", 1))
        cable.wire.connect(*listening.getsockname()[:2])
        cable.wire.loop_write()
        accepted, _ = listening.accept()
        with accepted:
            cable.wire.send(publish_packet(b"t", b"new", 2))
            cable.wire.loop_write()
            got = accepted.recv(1 << 16)
            assert got.startswith(b"\x10")
            assert b"new" in got
            assert b"old" not in got
            accepted.sendall(CONNACK + acks(2))
            while not cable.ids:
                cable.wire.loop_read()
    assert cable.ids == [2], "and not a mixture with the half one of the old connection"
