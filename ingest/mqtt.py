"""The MQTT session of ingest: persistent, QoS 1, acknowledged by us and only after the commit.

paho keeps the protocol; its socket is driven by our asyncio loop, so that receiving, acknowledging and reconnecting
never race. A packet id dies with its connection: what was received on an earlier one is not acknowledged on a later.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from devices.batch import Packet
from runtime.log import get_logger
from runtime.mqtt_url import Broker
from runtime.stop import sleep_until

log = get_logger("ingest.mqtt")

KEEPALIVE_S = 30
RECONNECT_FIRST_S, RECONNECT_MAX_S = 0.5, 15.0
# One socket wake-up reads at most this many packets before other tasks get their turn.
READS_AT_ONCE = 200
# How often keep-alive is looked after.
CHECK_S = 1.0
# How long acknowledgements may take to leave when we end; what does not leave is delivered again.
FLUSH_S = 2.0


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
        self._held_packets = self._held_bytes = self._received = 0
        self._unacked: set[int] = set()  # packet ids of this connection
        self._arrived = asyncio.Event()
        self._lost = asyncio.Event()
        self._written = asyncio.Event()  # nothing waits to be sent
        self._connection = 0
        self._socket: Any = None
        self._paused = False
        # The last complaint: an error repeats in the log only if its text changed.
        self._told: tuple[str, dict[str, Any]] | None = None
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
        self._client.on_socket_close = self._on_socket_close
        self._client.on_socket_register_write = self._on_register_write
        self._client.on_socket_unregister_write = self._on_unregister_write

    # -- what the ingest loop uses ---------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Stay connected until asked to stop; reconnects with growing pauses."""
        pause_s = RECONNECT_FIRST_S
        try:
            while not stop.is_set():
                self._lost.clear()
                try:
                    # Blocks for as long as the name look-up and TCP handshake take: not on our loop.
                    await asyncio.to_thread(self._connect)
                except (OSError, ValueError) as error:
                    self._complain("broker.unreachable", error=str(error))
                else:
                    self._open()
                    if await self._serve(stop):
                        pause_s = RECONNECT_FIRST_S
                self._close()
                await sleep_until(stop, pause_s)
                pause_s = min(pause_s * 2, RECONNECT_MAX_S)
        finally:
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
                self._unacked.discard(received.packet_id)
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

    def _open(self) -> None:
        """Let our loop drive the new socket. paho's on_socket_open comes too early: in the connecting thread."""
        sock: Any = self._client.socket()
        if sock is None:
            self._lost.set()
            return
        self._socket = sock
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._watch_socket()
        if self._client.want_write():  # CONNECT, queued in the thread
            self._on_register_write(None, None, sock)

    async def _serve(self, stop: asyncio.Event) -> bool:
        """Keep the connection alive until it is lost or we are asked to stop. True if it had been subscribed."""
        ends = [asyncio.create_task(event.wait()) for event in (self._lost, stop)]
        try:
            while not self._lost.is_set() and not stop.is_set():
                await asyncio.wait(ends, timeout=CHECK_S, return_when=asyncio.FIRST_COMPLETED)
                if self._paused:
                    # The broker's answer to our ping waits in a socket we do not read. Without this paho would take the
                    # connection for dead after two keep-alives, and all we hold would be delivered again.
                    self._client._ping_t = 0.0  # noqa: SLF001
                if not self._lost.is_set() and self._client.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    self._lost.set()
            await self._flush()
        finally:
            for task in ends:
                task.cancel()
        return self.subscribed_since is not None

    async def _flush(self) -> None:
        """Let queued acknowledgements leave: nothing that was committed should be delivered again."""
        if self._client.want_write():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._written.wait(), FLUSH_S)

    def _close(self) -> None:
        self.subscribed_since = None
        self._connection += 1  # what is unacknowledged now stays so until it is delivered again
        self._held_packets -= len(self._waiting)
        self._held_bytes -= sum(len(r.packet.payload) for r in self._waiting)
        self._waiting.clear()
        self._unacked.clear()
        if self._client.socket() is not None:
            self._client.disconnect()
            self._client.loop_write()
        self._unwatch()
        # A socket that takes nothing more did not take the DISCONNECT either, and is still open.
        sock: Any = self._client.socket()
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.close()

    def _complain(self, event: str, **fields: Any) -> None:
        if (event, fields) != self._told:
            self._told = (event, fields)
            log.error(event, **fields, host=self._broker.host, port=self._broker.port)

    def _full(self) -> bool:
        return self._held_packets >= self._max_packets or self._held_bytes >= self._max_bytes

    def _on_connect(self, client: Any, userdata: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        if code.is_failure:
            self._complain("broker.refused", reason=str(code))
            self._lost.set()
            return
        log.info("broker.connected", host=self._broker.host, port=self._broker.port, session=flags.session_present)
        if flags.session_present:
            # Packets of the kept subscription may fill the buffer, and stop us reading, before our SUBACK comes.
            self.subscribed_since = datetime.now(UTC)
        client.subscribe([(name, 1) for name in self._filters])

    def _on_subscribe(self, client: Any, userdata: Any, mid: int, codes: list[ReasonCode], properties: Any) -> None:
        refused = [name for name, code in zip(self._filters, codes, strict=False) if code.is_failure]
        if refused:
            self._complain("subscription.refused", filters=" ".join(refused))
            self.subscribed_since = None
            self._lost.set()
            return
        self._told = None
        self.subscribed_since = self.subscribed_since or datetime.now(UTC)
        log.info("subscription.accepted", filters=" ".join(self._filters))

    def _on_message(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        self._received += 1
        if message.dup and message.mid in self._unacked:
            # NATS delivers again what it waits for, on a living connection too. We hold it already: taking it twice
            # would fill the buffer, and acknowledging it twice could hit a later packet of the same id.
            return
        try:
            topic = message.topic
        except UnicodeDecodeError as error:  # a broker may let it through; it ends in quarantine like any other
            topic = error.object.decode(errors="replace")
        packet = Packet(topic, bytes(message.payload), datetime.now(UTC))
        self._waiting.append(Received(packet, message.mid, message.qos, self._connection))
        if message.qos:
            self._unacked.add(message.mid)
        self._held_packets += 1
        self._held_bytes += len(message.payload)
        self._arrived.set()
        if self._full() and not self._paused:
            self._paused = True
            self._unwatch_read()

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        if code.is_failure and not self._lost.is_set():
            log.warning("broker.lost", reason=str(code))
        self._lost.set()

    # -- the socket on our loop ------------------------------------------------------------------

    def _watch_socket(self) -> None:
        if self._socket is not None and not self._paused:
            self._loop.add_reader(self._socket, self._readable)
            self._loop.call_soon(self._readable)  # for what TLS holds

    def _readable(self) -> None:
        self._guarded(self._read)

    def _writable(self) -> None:
        self._guarded(self._client.loop_write)

    def _guarded(self, step: Callable[[], object]) -> None:
        """An exception must not leave a callback: asyncio would log it and call again, for ever."""
        try:
            step()
        except Exception:
            log.exception("broker.not_understood")
            self._lost.set()

    def _read(self) -> None:
        for _ in range(READS_AT_ONCE):
            if self._socket is None or self._paused:
                return
            before = self._received
            self._client.loop_read()  # one packet, whatever is asked for
            if self._received == before:
                break
        # TLS may hold decrypted bytes that would wake nobody up.
        if self._socket is not None and getattr(self._socket, "pending", int)():
            self._loop.call_soon(self._readable)

    def _on_register_write(self, client: Any, userdata: Any, sock: Any) -> None:
        if self._socket is not None and sock is self._socket:
            self._written.clear()
            self._loop.add_writer(sock, self._writable)

    def _on_unregister_write(self, client: Any, userdata: Any, sock: Any) -> None:
        if self._socket is not None and sock is self._socket:
            self._written.set()
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
            self._written.set()
            self._socket = None
        self._paused = False
