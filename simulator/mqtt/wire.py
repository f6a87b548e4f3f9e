"""A paho client whose PUBLISH packets leave and whose PUBACKs arrive many at a time.

Everything else stays paho's: connecting, TLS, keep-alive, every other packet. It relies on some of paho's private names
(tests/simulator/test_wire.py lists them), so its version is pinned.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from simulator.mqtt.packets import PUBLISH_QOS1, cut_pubacks, is_half_puback

READ_BYTES = 65_536  # 16,000 PUBACKs
# Packets handed to paho as one. paho copies what is left of it at every write: a larger one only costs more copies.
WRITE_BYTES = 131_072


class Wire(paho.Client):
    """MQTT 3.1.1 with a kept session, driven from outside; on_pubacks is told the packet ids as they are cut out."""

    def __init__(self, client_id: str, on_pubacks: Callable[[tuple[int, ...]], None]) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=False,
            protocol=paho.MQTTv311,
            reconnect_on_failure=False,
        )
        self._on_pubacks = on_pubacks
        self._tail = b""  # received and not yet understood
        self._unsent: deque[bytes] = deque()  # not yet handed to paho

    def send(self, packet: bytes) -> None:
        """Let a packet leave after those before it, as soon as the socket takes it."""
        if not self._unsent:
            self._call_socket_register_write()
        self._unsent.append(packet)

    def reconnect(self) -> MQTTErrorCode:
        """Connect anew: what was half received, or not yet sent, belonged to the old connection."""
        self._tail = b""
        self._unsent.clear()
        return super().reconnect()

    def want_write(self) -> bool:
        return bool(self._unsent) or super().want_write()

    def loop_write(self) -> MQTTErrorCode:
        """Write until nothing is left or the socket is full."""
        while True:
            if self._unsent and not super().want_write():
                # qos 1: paho reports a written packet of QoS 0 as published.
                self._packet_queue(PUBLISH_QOS1, self._next_bytes(), 0, 1)
            code = super().loop_write()
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS or super().want_write() or not self._unsent:
                return code

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Take what has arrived, in one read."""
        if self._sock is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        try:
            data = super()._sock_recv(READ_BYTES)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        except OSError:
            data = b""
        if not data:
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        self._tail += data
        return self._understand()

    def close(self) -> None:
        """Close the socket, also one that took nothing more and so not the DISCONNECT either."""
        if self._sock is not None:
            self.disconnect()
            self.loop_write()
            self._sock_close()

    def _understand(self) -> MQTTErrorCode:
        while self._tail and self._sock is not None:
            if self._in_packet["command"] == 0:  # paho is not in the middle of a packet
                if is_half_puback(self._tail):
                    break
                ids, used = cut_pubacks(self._tail)
                if used:
                    self._tail = self._tail[used:]
                    self._on_pubacks(ids)
                    continue
            code = super().loop_read()  # one packet, or what is there of it
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return code
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _sock_recv(self, bufsize: int) -> bytes:
        """What paho's own reader asks for has been received already."""
        if not self._tail:
            raise BlockingIOError
        data, self._tail = self._tail[:bufsize], self._tail[bufsize:]
        return data

    def _next_bytes(self) -> bytes:
        taken, size = [], 0
        while self._unsent and size < WRITE_BYTES:
            taken.append(self._unsent.popleft())
            size += len(taken[-1])
        return b"".join(taken)
