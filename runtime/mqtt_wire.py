"""A paho client for ingest and simulator: it takes many packets from one read, and many leave in one write.

Everything else stays paho's: connecting, TLS, websockets, keep-alive, every packet that the user does not cut out. It
relies on some of paho's private names (tests/runtime/test_mqtt_wire.py lists them), so its version is pinned.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from runtime.mqtt_url import Broker

# Taken from the socket before other tasks get their turn: 500 readings, 16,000 PUBACKs. Twice that is no faster, and
# from 128 KiB on the C library gets memory from the kernel anew at every read.
READ_BYTES = 65_536
# Packets handed to paho as one. paho copies what is left of it at every write: a larger one only costs more copies.
WRITE_BYTES = 131_072


class Cut(NamedTuple):
    """What stands before `at` has been taken. The packet there lacks at least so many bytes; 0: it is paho's."""

    at: int
    lacking: int


class Wire(paho.Client):
    """MQTT 3.1.1 with a kept session, driven from outside (runtime/mqtt_link.py)."""

    def __init__(self, broker: Broker, client_id: str, manual_ack: bool = False) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=False,
            protocol=paho.MQTTv311,
            transport="tcp" if broker.websocket is None else "websockets",
            reconnect_on_failure=False,
            manual_ack=manual_ack,
        )
        if broker.websocket is not None:
            self.ws_set_options(path=broker.websocket)
        if broker.username:
            self.username_pw_set(broker.username, broker.password)
        if broker.tls:
            self.tls_set_context(broker.tls_context())
        self.paused = False  # then nothing is read, and what has been read and not understood stays so
        self.more = False  # the last read ended before the socket was empty
        self._data, self._at = b"", 0  # read; from _at on not yet understood
        self._pieces: list[bytes] = []  # read, of one packet that lacks …
        self._lacking = 0  # … so many bytes
        self._unsent: deque[bytes] = deque()  # not yet handed to paho

    def cut(self, data: bytes, at: int) -> Cut:
        """Take the packets at `at` that need not be paho's, as many as there are."""
        raise NotImplementedError

    def send(self, packets: bytes) -> None:
        """Let whole packets leave after those before them, as soon as the socket takes them."""
        if not self._unsent:
            self._call_socket_register_write()
        self._unsent.append(packets)

    def reconnect(self) -> MQTTErrorCode:
        """Connect anew: what was half received, or not yet sent, belonged to the old connection."""
        self._data, self._at = b"", 0
        self._pieces, self._lacking = [], 0
        self._unsent.clear()
        self.paused = False
        return super().reconnect()

    def want_write(self) -> bool:
        return bool(self._unsent) or super().want_write()

    def loop_write(self) -> MQTTErrorCode:
        """Write until nothing is left or the socket is full."""
        while True:
            if self._unsent and not super().want_write():
                data = self._next_bytes()
                # qos 1: paho reports a written packet of QoS 0 as published.
                self._packet_queue(data[0], data, 0, 1)
            code = super().loop_write()
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS or super().want_write() or not self._unsent:
                return code

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Take what a pause has left, then what has arrived, READ_BYTES of it at most."""
        code = self._understand()
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or self.paused:
            return code
        if self._sock is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        if not self._receive():
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        if self._lacking > 0:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        # Joined once, when it is all there: a packet of 256 KiB that comes in single bytes is not copied at each.
        self._data, self._at = b"".join(self._pieces), 0
        self._pieces, self._lacking = [], 0
        return self._understand()

    def loop_misc(self) -> MQTTErrorCode:
        if self.paused:
            # The broker's answer to our ping waits in a socket we do not read. Without this paho would take the
            # connection for dead after two keep-alives, and all we hold would be delivered again.
            self._ping_t = 0.0
        return super().loop_misc()

    def close(self) -> None:
        """Say goodbye and close the socket, also one that takes nothing more and so not the goodbye either."""
        if self._sock is not None:
            self.disconnect()
            self.loop_write()
            self._sock_close()

    def _receive(self) -> bool:
        """Read until it would block; False when the connection is lost and has nothing more."""
        room, self.more = READ_BYTES, False
        while room > 0:
            try:
                # TLS hands out one record at a time, websockets one frame.
                data = super()._sock_recv(room)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                return room < READ_BYTES  # what came before the end counts; the next read meets it again
            self._pieces.append(data)
            self._lacking -= len(data)
            room -= len(data)
        self.more = room <= 0
        return True

    def _understand(self) -> MQTTErrorCode:
        """Take whole packets from what has been read, until nothing is left, or half a packet, or we are paused."""
        while self._at < len(self._data) and self._sock is not None and not self.paused:
            before, lacking = self._at, 0
            if self._in_packet["command"] == 0:  # paho is not in the middle of a packet
                self._at, lacking = self.cut(self._data, before)
            if self._at > before:
                continue
            if lacking:
                self._pieces, self._lacking = [self._data[before:]], lacking
                self._data, self._at = b"", 0
            elif (code := self._packet_read()) > MQTTErrorCode.MQTT_ERR_SUCCESS:  # one packet, or what is there of it
                return self._loop_rc_handle(code)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _sock_recv(self, bufsize: int) -> bytes:
        """What paho's own reader asks for has been received already."""
        data = self._data[self._at : self._at + bufsize]
        if not data:
            raise BlockingIOError
        self._at += len(data)
        return data

    def _next_bytes(self) -> bytes:
        taken, size = [], 0
        while self._unsent and size < WRITE_BYTES:
            taken.append(self._unsent.popleft())
            size += len(taken[-1])
        return b"".join(taken)
