"""Brokers for the tests of the MQTT session, and regions that no two tests share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.servers import Mosquitto, Nats

# NATS delivers again after a second instead of fifteen.
SOON = {'ack_wait: "15s"': 'ack_wait: "1s"'}
_number = itertools.count(1)


@pytest.fixture(scope="session")
def quick_nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    """NATS that soon delivers again what is not acknowledged."""
    server = Nats(tmp_path_factory.mktemp("quick-nats") / "store", SOON)
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["nats", "mosquitto"])
def broker(request: pytest.FixtureRequest) -> Nats | Mosquitto:
    """Each of the brokers we speak to, shared by all tests."""
    return request.getfixturevalue("quick_nats" if request.param == "nats" else "mosquitto")


@pytest.fixture
def region() -> str:
    """A region, and with it a session and topics, that no other test uses."""
    return f"11.{next(_number):02d}"
