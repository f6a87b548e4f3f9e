"""The MQTT session of ingest: persistent, QoS 1, acknowledged by us and only after the commit.

paho keeps the protocol; its socket is driven by our asyncio loop, so that receiving, acknowledging and reconnecting
never race. A packet id dies with its connection: what was received on an earlier one is not acknowledged on a later.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from datetime import UTC, datetime
from typing import Any, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from devices.batch import Packet
from runtime.log import get_logger
from runtime.mqtt_url import Broker

log = get_logger("ingest.mqtt")

KEEPALIVE_S = 30
RECONNECT_FIRST_S, RECONNECT_MAX_S = 0.5, 15.0
# One socket wake-up reads at most this many packets before other tasks get their turn.
READS_AT_ONCE = 200


class Received(NamedTuple):
    """A packet not yet acknowledged."""

    packet: Packet
    packet_id: int
    qos: int
    connection: int


class Session:
    """One subscription to the broker and the packets it has delivered.

    The buffer is bounded and the bound stops the reader: nothing is dropped, the broker keeps the rest.
    """

    def __init__(self, broker: Broker, client_id: str, filters: list[str], max_packets: int, max_bytes: int) -> None:
        self._broker, self._filters = broker, filters
        self._max_packets, self._max_bytes = max_packets, max_bytes
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Received] = deque()
        self._held_packets = self._held_bytes = 0
        self._arrived = asyncio.Event()
        self._lost = asyncio.Event()
        self._connection = 0
        self._socket: Any = None
        self._paused = False
        self.subscribed_since: datetime | None = None
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=False,
            protocol=paho.MQTTv311,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        if broker.username:
            self._client.username_pw_set(broker.username, broker.password)
        if broker.tls:
            self._client.tls_set_context(ssl.create_default_context())
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect
        self._client.on_socket_open = self._on_socket_open
        self._client.on_socket_close = self._on_socket_close
        self._client.on_socket_register_write = self._on_register_write
        self._client.on_socket_unregister_write = self._on_unregister_write

    # -- what the ingest loop uses ---------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Stay connected until asked to stop; reconnects with growing pauses."""
        pause = RECONNECT_FIRST_S
        while not stop.is_set():
            self._lost.clear()
            try:
                # Blocks for as long as the name look-up and TCP handshake take: not on our loop.
                await asyncio.to_thread(self._connect)
            except (OSError, ValueError) as error:
                log.warning("broker.unreachable", host=self._broker.host, port=self._broker.port, error=str(error))
            else:
                self._on_socket_open(None, None, self._client.socket())
                if await self._serve(stop):
                    pause = RECONNECT_FIRST_S
            if not stop.is_set():
                await asyncio.wait([asyncio.ensure_future(stop.wait())], timeout=pause)
                pause = min(pause * 2, RECONNECT_MAX_S)
        self._close()

    async def take(self, most: int) -> list[Received]:
        """What has arrived, at most `most`; waits until there is something, or until woken."""
        if not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self.ready(most)

    def wake(self) -> None:
        """End a wait in `take`, as there may be nothing more to wait for."""
        self._arrived.set()

    def ready(self, most: int) -> list[Received]:
        """What is there now, without waiting."""
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def acknowledge(self, done: list[Received]) -> None:
        """Acknowledge committed packets. Those of a lost connection come again and are found to be duplicates."""
        for received in done:
            self._held_packets -= 1
            self._held_bytes -= len(received.packet.payload)
            if received.connection == self._connection and received.qos:
                self._client.ack(received.packet_id, received.qos)
        if self._paused and not self._full():
            self._paused = False
            self._watch_socket()

    @property
    def held(self) -> int:
        """Packets received and not yet committed."""
        return self._held_packets

    # -- paho's side -----------------------------------------------------------------------------

    def _connect(self) -> None:
        self._client.connect(self._broker.host, self._broker.port, KEEPALIVE_S)

    async def _serve(self, stop: asyncio.Event) -> bool:
        """Keep the connection alive until it is lost or we are asked to stop. True if it had been subscribed."""
        stopping = asyncio.ensure_future(stop.wait())
        try:
            while not self._lost.is_set() and not stop.is_set():
                lost = asyncio.ensure_future(self._lost.wait())
                await asyncio.wait([lost, stopping], timeout=1, return_when=asyncio.FIRST_COMPLETED)
                lost.cancel()
                if not self._lost.is_set() and self._client.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    self._lost.set()
        finally:
            stopping.cancel()
        subscribed = self.subscribed_since is not None
        self._close()
        return subscribed

    def _close(self) -> None:
        self.subscribed_since = None
        self._connection += 1  # what is unacknowledged now stays so until it is delivered again
        self._held_packets -= len(self._waiting)
        self._held_bytes -= sum(len(r.packet.payload) for r in self._waiting)
        self._waiting.clear()
        if self._client.socket() is not None:
            self._client.disconnect()
            self._client.loop_write()
        self._unwatch()

    def _full(self) -> bool:
        return self._held_packets >= self._max_packets or self._held_bytes >= self._max_bytes

    def _on_connect(self, client: Any, userdata: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        if code.is_failure:
            log.error("broker.refused", reason=str(code), host=self._broker.host, port=self._broker.port)
            self._lost.set()
            return
        log.info("broker.connected", host=self._broker.host, port=self._broker.port, session=flags.session_present)
        client.subscribe([(name, 1) for name in self._filters])

    def _on_subscribe(self, client: Any, userdata: Any, mid: int, codes: list[ReasonCode], properties: Any) -> None:
        refused = [name for name, code in zip(self._filters, codes, strict=False) if code.is_failure]
        if refused:
            log.error("subscription.refused", filters=" ".join(refused))
            self._lost.set()
            return
        self.subscribed_since = datetime.now(UTC)
        log.info("subscription.accepted", filters=" ".join(self._filters))

    def _on_message(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        packet = Packet(message.topic, bytes(message.payload), datetime.now(UTC))
        self._waiting.append(Received(packet, message.mid, message.qos, self._connection))
        self._held_packets += 1
        self._held_bytes += len(message.payload)
        self._arrived.set()
        if self._full() and not self._paused:
            self._paused = True
            self._unwatch_read()

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        if not self._lost.is_set():
            log.warning("broker.lost", reason=str(code))
        self._lost.set()

    # -- the socket on our loop ------------------------------------------------------------------

    def _on_socket_open(self, client: Any, userdata: Any, sock: Any) -> None:
        # Called in the connecting thread first, where the loop may not be touched: `run` calls again.
        if sock is None or client is not None:
            return
        self._socket = sock
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._watch_socket()
        if self._client.want_write():
            self._on_register_write(None, None, sock)

    def _watch_socket(self) -> None:
        if self._socket is not None and not self._paused:
            self._loop.add_reader(self._socket, self._readable)
            # TLS may hold decrypted bytes that select() does not see.
            self._loop.call_soon(self._readable)

    def _readable(self) -> None:
        if self._socket is None or self._paused:
            return
        self._client.loop_read(READS_AT_ONCE)

    def _writable(self) -> None:
        self._client.loop_write()

    def _on_register_write(self, client: Any, userdata: Any, sock: Any) -> None:
        if self._socket is not None and sock is self._socket:
            self._loop.add_writer(sock, self._writable)

    def _on_unregister_write(self, client: Any, userdata: Any, sock: Any) -> None:
        if self._socket is not None and sock is self._socket:
            self._loop.remove_writer(sock)

    def _on_socket_close(self, client: Any, userdata: Any, sock: Any) -> None:
        self._unwatch()

    def _unwatch_read(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)

    def _unwatch(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket = None
        self._paused = False
