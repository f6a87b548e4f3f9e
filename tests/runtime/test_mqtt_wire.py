"""The private names of paho that a Wire uses. Where one of these fails, a new version of paho has to be read."""

from __future__ import annotations

import inspect
from importlib.metadata import version

import paho.mqtt.client as paho
import pytest


def test_its_version() -> None:
    assert version("paho-mqtt").startswith("2.2.")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("_sock_recv", ["self", "bufsize"]),
        ("_sock_close", ["self"]),
        ("_packet_queue", ["self", "command", "packet", "mid", "qos", "info"]),
        ("_packet_read", ["self"]),
        ("_loop_rc_handle", ["self", "rc"]),
        ("_call_socket_register_write", ["self"]),
        ("loop_read", ["self", "max_packets"]),
        ("loop_write", ["self"]),
        ("want_write", ["self"]),
        ("reconnect", ["self"]),
    ],
)
def test_methods(name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(paho.Client, name)).parameters) == parameters


def test_attributes() -> None:
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    assert client._sock is None
    assert client._in_packet["command"] == 0, "0 between two packets"


def test_every_read_of_its_own_goes_through_sock_recv() -> None:
    assert "_sock_recv" in inspect.getsource(paho.Client._packet_read)
    assert ".recv(" not in inspect.getsource(paho.Client._packet_read)


def test_it_connects_by_reconnect() -> None:
    assert "self.reconnect()" in inspect.getsource(paho.Client.connect)


def test_one_loop_read_reads_one_packet_when_it_knows_of_none_in_flight() -> None:
    assert "_out_messages" in inspect.getsource(paho.Client.loop_read)
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    assert (len(client._out_messages), len(client._in_messages)) == (0, 0)


def test_a_ping_without_an_answer_is_the_only_thing_a_pause_hides() -> None:
    assert "_ping_t" in inspect.getsource(paho.Client.loop_misc)
    assert paho.Client(paho.CallbackAPIVersion.VERSION2)._ping_t == 0.0
