"""Which port a part listens on: the one asked for, the one it had before, the usual one, or any free one."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"
# Below the range from which the kernel takes ports for outgoing connections. In it, a client that keeps calling a
# dead server's port can be given that very port, connect to itself, and keep the server from coming back.
FIRST, LAST = 20_000, 32_000
TRIES = 200


class PortError(Exception):
    """No port to be had; the message says which and what to do."""


def settle(option: str, asked: int | None, kept: int | None, usual: int | None, taken: set[int]) -> int:
    """Decide. A port asked for by number must be free; 0 means any; None the usual one, if it is free."""
    if asked:
        if asked in taken or not is_free(asked):
            raise PortError(
                f"port {asked} is in use by another program. Choose another one with {option}, "
                f"or let `siaga up` find a free one with {option} 0."
            )
        return asked
    for port in (kept, usual if asked is None else None):
        if port and port not in taken and is_free(port):
            return port
    for _ in range(TRIES):
        port = random.randint(FIRST, LAST)  # noqa: S311  # nothing secret about it
        if port not in taken and is_free(port):
            return port
    raise PortError(f"found no free port between {FIRST} and {LAST}; name one with {option}.")


def is_free(port: int, host: str = LOOPBACK) -> bool:
    with socket.socket() as probe:
        # As servers do: connections of an earlier run that are still closing do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
