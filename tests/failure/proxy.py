"""A wire to a server that a test can cut: what is sent then vanishes, and nobody is told, as with a pulled cable."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

from siaga.stack.ports import LOOPBACK

CHUNK = 65_536
# Both ends of a connection are told that it is gone, not that it ended.
RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards TCP connections to a port of this machine, from one of its own."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._whole = threading.Event()
        self._whole.set()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        """New connections go through again; those from before are gone, as bytes of theirs are."""
        with self._lock:
            old, self._open = self._open, set()
            self._whole.set()
        for each in old:
            with contextlib.suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                each.shutdown(socket.SHUT_RD)  # wakes the thread that reads from it, which closes both

    def close(self) -> None:
        self._listener.close()
        self.mend()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        self._whole.wait()
        try:
            far = socket.create_connection((LOOPBACK, self._target))
        except OSError:
            near.close()
            return
        with self._lock:
            self._open |= {near, far}
        threading.Thread(target=self._forward, args=(far, near), daemon=True).start()
        self._forward(near, far)

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        """Until one of them ends; then both do."""
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                if self._whole.is_set():
                    sink.sendall(data)
        self._whole.wait()  # an end does not come through a cut wire either
        with self._lock:
            self._open -= {source, sink}
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RD)
            each.close()
