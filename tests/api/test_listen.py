"""The listening socket of the API."""

from __future__ import annotations

import socket

from api.main import _listen
from siaga.stack.ports import LOOPBACK


def test_answers_do_not_wait_for_an_ack() -> None:
    with (
        _listen(LOOPBACK, 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
