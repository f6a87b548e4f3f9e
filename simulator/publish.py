"""One MQTT connection that publishes with QoS 1 and loses nothing: what is not acknowledged is sent again.

The in-flight window is bounded and the bound stops the caller. paho keeps the protocol and re-sends with DUP after
a reconnect; its socket is driven by our asyncio loop, so that publishing and reconnecting never race.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import suppress
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from runtime.log import get_logger
from runtime.mqtt_url import Broker

log = get_logger("simulator.publish")

KEEPALIVE_S = 30
RECONNECT_FIRST_S, RECONNECT_MAX_S = 0.2, 5.0
# A connection that lasted less was no success: the pause before the next try keeps growing.
STEADY_S = 10.0


class Publisher:
    """Publishes in order; at most `window` messages are unacknowledged, and they are all the memory it needs."""

    def __init__(self, broker: Broker, client_id: str, window: int) -> None:
        self._broker, self._window = broker, window
        self._loop = asyncio.get_running_loop()
        self._socket: Any = None
        self._ready = False
        self._lost = asyncio.Event()
        self._changed = asyncio.Event()
        self.published = 0
        self.acknowledged = 0
        self.connections = 0
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=False,
            protocol=paho.MQTTv311,
            reconnect_on_failure=False,
        )
        # Ours is the window. paho's own would look through all messages in flight for each acknowledgement.
        self._client.max_inflight_messages_set(0)
        self._client.max_queued_messages_set(0)
        if broker.username:
            self._client.username_pw_set(broker.username, broker.password)
        if broker.tls:
            self._client.tls_set_context(ssl.create_default_context())
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_socket_close = self._on_socket_close
        self._client.on_socket_register_write = self._on_register_write
        self._client.on_socket_unregister_write = self._on_unregister_write

    @property
    def in_flight(self) -> int:
        return self.published - self.acknowledged

    @property
    def connected(self) -> bool:
        return self._ready

    async def publish(self, topic: str, payload: bytes) -> None:
        """Send one message; waits while the window is full or the broker is away."""
        while not self._ready or self.in_flight >= self._window:
            self._changed.clear()
            await self._changed.wait()
        # Packet ids wrap at 65,535: one still in flight is refused, and the next is tried.
        while self._client.publish(topic, payload, qos=1).rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            pass
        self.published += 1

    async def drained(self) -> None:
        """Return once every message is acknowledged."""
        while self.in_flight:
            self._changed.clear()
            await self._changed.wait()

    async def run(self) -> None:
        """Stay connected until cancelled; reconnects with growing pauses."""
        pause = RECONNECT_FIRST_S
        try:
            while True:
                self._lost.clear()
                began = time.monotonic()
                try:
                    # Blocks for as long as the name look-up and the TCP handshake take: not on our loop.
                    await asyncio.to_thread(self._connect)
                except OSError as error:
                    log.warning("broker.unreachable", host=self._broker.host, port=self._broker.port, error=str(error))
                else:
                    self._watch()
                    await self._serve()
                if time.monotonic() - began > STEADY_S:
                    pause = RECONNECT_FIRST_S
                await asyncio.sleep(pause)
                pause = min(pause * 2, RECONNECT_MAX_S)
        finally:
            self._close()

    # -- paho's side -----------------------------------------------------------------------------

    def _connect(self) -> None:
        # Nobody else touches the client meanwhile: publish waits for _ready, and the loop watches no socket.
        self._client.connect(self._broker.host, self._broker.port, KEEPALIVE_S)

    async def _serve(self) -> None:
        """Keep the connection alive until it is lost."""
        try:
            while not self._lost.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._lost.wait(), 1)
                if not self._lost.is_set():
                    self._client.loop_read()  # TLS may hold bytes that select() does not see
                    if self._client.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                        self._lost.set()
        finally:
            self._close()

    def _close(self) -> None:
        self._ready = False
        if self._client.socket() is not None:
            self._client.disconnect()
            self._client.loop_write()
        self._unwatch()

    def _on_connect(self, client: Any, userdata: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        if code.is_failure:
            log.error("broker.refused", reason=str(code), host=self._broker.host, port=self._broker.port)
            self._lost.set()
            return
        self.connections += 1
        log.info("broker.connected", host=self._broker.host, port=self._broker.port, resent=self.in_flight)
        # paho queues what was in flight right after this call, before any waiting publish can run.
        self._ready = True
        self._changed.set()

    def _on_publish(self, client: Any, userdata: Any, mid: int, code: ReasonCode, properties: Any) -> None:
        self.acknowledged += 1
        self._changed.set()

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        if self._ready and not self._lost.is_set():
            log.warning("broker.lost", reason=str(code), in_flight=self.in_flight)
        self._ready = False
        self._lost.set()

    # -- the socket on our loop ------------------------------------------------------------------

    def _watch(self) -> None:
        self._socket = self._client.socket()
        if self._socket is None:
            self._lost.set()
            return
        self._loop.add_reader(self._socket, self._client.loop_read)
        if self._client.want_write():
            self._loop.add_writer(self._socket, self._client.loop_write)

    def _on_register_write(self, client: Any, userdata: Any, sock: Any) -> None:
        # Called in the connecting thread first, where the loop may not be touched: _watch makes up for it.
        if self._socket is not None and sock is self._socket:
            self._loop.add_writer(sock, self._client.loop_write)

    def _on_unregister_write(self, client: Any, userdata: Any, sock: Any) -> None:
        if self._socket is not None and sock is self._socket:
            self._loop.remove_writer(sock)

    def _on_socket_close(self, client: Any, userdata: Any, sock: Any) -> None:
        if sock is self._socket:
            self._unwatch()

    def _unwatch(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket = None
