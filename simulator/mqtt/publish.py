"""One MQTT connection that publishes with QoS 1 and loses nothing: what is not acknowledged is sent again.

The in-flight window is bounded and the bound stops the caller. Packet ids and what is in flight are ours and outlive a
connection; the socket is driven by our asyncio loop, so that publishing and reconnecting never race.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

from paho.mqtt.reasoncodes import ReasonCode

from runtime.log import get_logger
from runtime.mqtt_link import Link
from runtime.mqtt_url import Broker
from simulator.mqtt.packets import PACKET_IDS, again, publish_packet
from simulator.mqtt.wire import AckWire

log = get_logger("simulator.mqtt.publish")

RECONNECT_FIRST_S, RECONNECT_MAX_S = 0.2, 5.0
# A connection that lasted less was no success: the pause before the next try keeps growing.
STEADY_S = 10.0


class Publisher:
    """Publishes in order; at most `window` messages are unacknowledged, and they are all the memory it needs.

    on_acknowledged is told the number of each message (the first published is 0) when the broker acknowledges it, in
    that order; on_lost, that an established connection was lost, before the next try to connect.
    """

    def __init__(self, broker: Broker, client_id: str, window: int) -> None:
        if not 0 < window < PACKET_IDS:
            raise ValueError(
                f"window {window:,}: 1 to {PACKET_IDS - 1:,} messages in flight, MQTT has no more packet ids"
            )
        self._window = window
        self._ready = False
        self._changed = asyncio.Event()
        # By packet id, in order of publishing: number and packet.
        self._unacknowledged: dict[int, tuple[int, bytes]] = {}
        self._packet_id = 0
        self.published = 0
        self.acknowledged = 0
        self.connections = 0
        self.on_acknowledged: Callable[[int], None] | None = None
        self.on_lost: Callable[[], None] | None = None
        self._client = AckWire(broker, client_id, self._on_pubacks)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._link = Link(self._client, broker)

    @property
    def in_flight(self) -> int:
        return len(self._unacknowledged)

    @property
    def connected(self) -> bool:
        return self._ready

    @property
    def _place(self) -> dict[str, Any]:
        return {"host": self._link.node.host, "port": self._link.node.port}

    async def publish(self, topic: str, payload: bytes) -> None:
        """Send one message; waits while the window is full or the broker is away. Raises ValueError: too long."""
        await self.publish_many([(topic.encode(), payload)])

    async def publish_many(self, messages: Iterable[tuple[bytes, bytes]]) -> None:
        """Send (topic, payload) after (topic, payload); waits as `publish` does."""
        for topic, payload in messages:
            while not self._ready or len(self._unacknowledged) >= self._window:
                await self._change()
            packet_id = self._packet_id % PACKET_IDS + 1
            while packet_id in self._unacknowledged:  # one that waits for a whole round of ids
                packet_id = packet_id % PACKET_IDS + 1
            packet = publish_packet(topic, payload, packet_id)
            self._packet_id = packet_id
            self._unacknowledged[packet_id] = (self.published, packet)
            self.published += 1
            self._client.send(packet)

    async def drained(self) -> None:
        """Return once every message is acknowledged."""
        while self._unacknowledged:
            await self._change()

    async def run(self) -> None:
        """Stay connected until cancelled; reconnects with growing pauses."""
        pause = RECONNECT_FIRST_S
        try:
            while True:
                began, before = time.monotonic(), self.connections
                try:
                    await self._link.connect()
                except OSError as error:
                    log.warning("broker.unreachable", error=str(error), **self._place)
                else:
                    await self._link.serve()
                    self._close()
                    if self.connections > before and self.on_lost is not None:
                        self.on_lost()
                if time.monotonic() - began > STEADY_S:
                    pause = RECONNECT_FIRST_S
                await asyncio.sleep(pause)
                pause = min(pause * 2, RECONNECT_MAX_S)
        finally:
            self._close()

    async def _change(self) -> None:
        """Wait until something was acknowledged, or the connection is there."""
        self._changed.clear()
        await self._changed.wait()

    # -- paho's side -----------------------------------------------------------------------------

    def _close(self) -> None:
        self._ready = False
        self._link.close()

    def _on_connect(self, client: Any, userdata: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        if code.is_failure:
            log.error("broker.refused", reason=str(code), **self._place)
            self._link.lost.set()
            return
        self.connections += 1
        log.info("broker.connected", **self._place, resent=self.in_flight)
        # Before any waiting publish can run. Whether they were written, we do not know: DUP may be said of both.
        for _, packet in self._unacknowledged.values():
            self._client.send(again(packet))
        self._ready = True
        self._changed.set()

    def _on_pubacks(self, packet_ids: tuple[int, ...]) -> None:
        for packet_id in packet_ids:
            found = self._unacknowledged.pop(packet_id, None)
            if found is None:
                continue
            self.acknowledged += 1
            if self.on_acknowledged is not None:
                self.on_acknowledged(found[0])
        self._changed.set()

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        if self._ready and not self._link.lost.is_set():
            log.warning("broker.lost", reason=str(code), in_flight=self.in_flight)
        self._ready = False
        self._link.lost.set()
