"""`siaga up` looks whether the operator's own broker answers, over websockets as over TCP; a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.mqtt_url import Broker, parse_url
from siaga.stack import reach
from siaga.stack.ports import LOOPBACK
from tests.servers import Mosquitto, free_port


@pytest.fixture
def websockets(tmp_path: Path) -> Iterator[Broker]:
    server = Mosquitto(tmp_path / "broker")
    url = server.over_websockets()
    server.start()
    yield parse_url(url)
    server.stop()


def test_over_websockets(websockets: Broker) -> None:
    assert reach.answers(websockets)
    assert not reach.answers(websockets._replace(password="wrong"))
    assert not reach.answers(websockets._replace(websocket=None)), "websockets are no plain MQTT"


def test_nobody_answers() -> None:
    for url in (f"ws://{LOOPBACK}:{free_port()}", f"mqtt://{LOOPBACK}:{free_port()}", "ws://a..b"):
        assert not reach.answers(parse_url(url))
