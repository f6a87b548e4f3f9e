"""A Wire's socket on the running asyncio loop, so that receiving, sending and reconnecting never race."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from typing import Any

from paho.mqtt.enums import MQTTErrorCode

from runtime.log import get_logger
from runtime.mqtt_url import Broker
from runtime.mqtt_wire import Wire

log = get_logger(__name__)

KEEPALIVE_S = 30
# How often keep-alive is looked after.
CHECK_S = 1.0


class Link:
    """Connect, serve, close, and again. `lost` is set when the connection has ended, or should.

    Of a cluster every connection goes to the next node: the one that was lost may be gone for long.

    rest_s: after a read that took all there was, nothing is read for so long. A broker that sends packet by packet
    would wake us for each: at 45,000 a second that cost 1 µs of the 15 that ingest takes for one.
    """

    def __init__(self, wire: Wire, broker: Broker, rest_s: float = 0.0) -> None:
        self._wire, self._rest_s = wire, rest_s
        self._nodes = itertools.cycle(broker.nodes)
        self.node = broker.nodes[0]  # that we are connected to, or last tried
        self._loop = asyncio.get_running_loop()
        self._socket: Any = None
        self._written = asyncio.Event()  # nothing waits to be sent
        self.lost = asyncio.Event()
        wire.on_socket_close = self._on_socket_close
        wire.on_socket_register_write = self._on_register_write
        wire.on_socket_unregister_write = self._on_unregister_write

    async def connect(self) -> None:
        """Open a new connection; CONNECT is on its way. Raises OSError or ValueError that says why not."""
        self.lost.clear()
        self.node = next(self._nodes)
        # Blocks for as long as the name look-up and the handshakes of TCP, TLS and websockets take: not on our loop.
        # Nobody else touches the client meanwhile, as its socket is not watched.
        await asyncio.to_thread(self._connect)
        self._socket = self._wire.socket()
        if self._socket is None:
            self.lost.set()
            return
        self._watch()
        if self._wire.want_write():  # CONNECT, queued in the thread
            self._on_register_write(None, None, self._socket)

    async def serve(self, *ends: asyncio.Event) -> None:
        """Keep the connection alive until it is lost or one of these is set."""
        ends = (self.lost, *ends)
        waits = [asyncio.create_task(event.wait()) for event in ends]
        try:
            while not any(end.is_set() for end in ends):
                await asyncio.wait(waits, timeout=CHECK_S, return_when=asyncio.FIRST_COMPLETED)
                if not self.lost.is_set() and self._wire.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    self.lost.set()
        finally:
            for wait in waits:
                wait.cancel()

    async def flush(self, at_most_s: float) -> None:
        """Wait until everything has been written, or nothing more will be."""
        if self._socket is not None and self._wire.want_write():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._written.wait(), at_most_s)

    def close(self) -> None:
        """End the connection with a DISCONNECT, if it takes one."""
        self._wire.close()
        self._unwatch()

    def pause(self) -> None:
        """Read no more: the broker keeps the rest."""
        self._wire.paused = True
        if self._socket is not None:
            self._loop.remove_reader(self._socket)

    def resume(self) -> None:
        if self._wire.paused:
            self._wire.paused = False
            if self._socket is not None:
                self._watch()

    def _connect(self) -> None:
        self._wire.connect(self.node.host, self.node.port, KEEPALIVE_S)

    def _watch(self) -> None:
        self._loop.add_reader(self._socket, self._readable)
        self._loop.call_soon(self._readable)  # for what the handshake or a pause has left in TLS or in the Wire

    def _readable(self) -> None:
        if self._socket is None or self._wire.paused:
            return
        self._guarded(self._wire.loop_read)
        if self._socket is None or self._wire.paused:
            return
        # TLS may hold decrypted bytes that would wake nobody up.
        if getattr(self._socket, "pending", int)():
            self._loop.call_soon(self._readable)
        elif self._rest_s and not self._wire.more:
            self._loop.remove_reader(self._socket)
            self._loop.call_later(self._rest_s, self._rested, self._socket)

    def _rested(self, sock: Any) -> None:
        if sock is self._socket and not self._wire.paused:
            self._loop.add_reader(sock, self._readable)

    def _writable(self) -> None:
        self._guarded(self._wire.loop_write)

    def _guarded(self, step: Callable[[], object]) -> None:
        """An exception must not leave a callback: asyncio would log it and call again, for ever."""
        try:
            step()
        except Exception:
            log.exception("broker.not_understood")
            self.lost.set()

    def _on_register_write(self, client: Any, userdata: Any, sock: Any) -> None:
        # Called in the connecting thread first, where the loop may not be touched: connect makes up for it.
        if self._socket is not None and sock is self._socket:
            self._written.clear()
            self._loop.add_writer(sock, self._writable)

    def _on_unregister_write(self, client: Any, userdata: Any, sock: Any) -> None:
        if self._socket is not None and sock is self._socket:
            self._written.set()
            self._loop.remove_writer(sock)

    def _on_socket_close(self, client: Any, userdata: Any, sock: Any) -> None:
        if sock is self._socket:
            self._unwatch()

    def _unwatch(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._written.set()
            self._socket = None
