"""The MQTT session of ingest: persistent, QoS 1, acknowledged by us and only after the commit.

It decides when to connect, when to read and what to acknowledge; runtime/mqtt_link.py drives the socket, ingest/lane.py
cuts the packets out, ingest/held.py keeps the bounds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from paho.mqtt.reasoncodes import ReasonCode

from devices.batch import Packet
from ingest.held import Held
from ingest.lane import Lane
from runtime.log import get_logger
from runtime.mqtt_link import Link
from runtime.mqtt_url import Broker
from runtime.stop import sleep_until

log = get_logger("ingest.mqtt")

RECONNECT_FIRST_S, RECONNECT_MAX_S = 0.5, 15.0
# Between two reads while messages trickle in; a commit waits for 30 ms anyway.
REST_S = 0.002
# How long acknowledgements may take to leave when we end; what does not leave is delivered again.
FLUSH_S = 2.0
# How often a session that was let go looks whether it is wanted again.
LOOK_S = 0.5

# What a refused CONNECT most likely comes from, by reason code.
REFUSED = {
    132: "the broker does not speak MQTT 3.1.1",
    133: "the broker takes no such client id: set SIAGA_INGEST_CLIENT_ID to one it allows this user",
    134: "check user and password in SIAGA_MQTT_URL",
    135: "check user and password in SIAGA_MQTT_URL, and that the broker lets this user in",
    136: "the broker is not ready yet",
}
SUBSCRIPTION_REFUSED = (
    "nothing is ingested. The broker does not let this user read the filter, or (NATS) the filters of the session "
    "together want more than 65,535 packets in flight: max_ack_pending x filters"
)


class Session:
    """One subscription to the broker and the packets it has delivered.

    What it holds is bounded and the bound stops the reader: nothing is dropped, the broker keeps the rest. The bound is
    ours, as MQTT 3.1.1 has none and a broker's own window may be larger, or leak.
    """

    def __init__(self, broker: Broker, client_id: str, filters: list[str], max_packets: int, max_bytes: int) -> None:
        self._client_id, self._filters = client_id, filters
        self._held = Held(max_packets, max_bytes)
        self._arrived = asyncio.Event()
        self._unwanted = asyncio.Event()
        # The last complaint: an error repeats in the log only if its text changed.
        self._told: tuple[str, dict[str, Any]] | None = None
        self.subscribed_since: datetime | None = None
        self._lane = Lane(broker, client_id, self._held, self._on_arrival)
        self._lane.on_connect = self._on_connect
        self._lane.on_subscribe = self._on_subscribe
        self._lane.on_disconnect = self._on_disconnect
        self._link = Link(self._lane, broker, REST_S)

    # -- what the ingest loop uses ---------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Stay connected until asked to stop, but while let go; reconnects with growing pauses."""
        pause_s = RECONNECT_FIRST_S
        try:
            while not stop.is_set():
                if self._unwanted.is_set():
                    await sleep_until(stop, LOOK_S)
                    continue
                if await self._connected(stop) or self._unwanted.is_set():
                    pause_s = RECONNECT_FIRST_S
                if not self._unwanted.is_set():
                    await sleep_until(stop, pause_s)
                    pause_s = min(pause_s * 2, RECONNECT_MAX_S)
        finally:
            self._close()

    async def take(self, most: int) -> list[Packet]:
        """What has arrived, at most `most`; waits until there is something, or until woken."""
        if not self._held.waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self.ready(most)

    def wake(self) -> None:
        """End a wait in `take`, as there may be nothing more to wait for."""
        self._arrived.set()

    def ready(self, most: int) -> list[Packet]:
        """What is there now, without waiting."""
        return self._held.take(most)

    def acknowledge(self, done: Sequence[Packet]) -> None:
        """Acknowledge committed packets. Those of a lost connection come again and are found to be duplicates."""
        deliveries = self._held.release(done)
        if deliveries:
            self._lane.acknowledge(deliveries)
        if not self._held.full:
            self._link.resume()

    def leave(self, filters: Sequence[str]) -> bool:
        """Be subscribed no longer to these, which we did not ask for since we started; False where that must wait."""
        if self.subscribed_since is None:
            return False
        if leaving := [name for name in filters if name not in self._filters]:
            self._lane.unsubscribe(leaving)
        return True

    def let_go(self) -> None:
        """Disconnect, as nothing can be committed for long. The broker keeps the session and all that comes meanwhile;
        what was received and is not acknowledged it delivers again."""
        if not self._unwanted.is_set():
            log.warning("broker.let_go", held=self.held)
            self._unwanted.set()

    def take_up(self) -> None:
        """Connect again after `let_go`; nothing happens where nothing was let go."""
        if self._unwanted.is_set():
            log.info("broker.take_up")
            self._unwanted.clear()

    @property
    def is_let_go(self) -> bool:
        return self._unwanted.is_set()

    @property
    def held(self) -> int:
        """Packets received and not yet committed."""
        return self._held.packets

    # -- one connection --------------------------------------------------------------------------

    async def _connected(self, stop: asyncio.Event) -> bool:
        """Connect, and stay so until it is lost, or over. True if it had been subscribed."""
        try:
            await self._link.connect()
        except (OSError, ValueError) as error:
            self._complain("broker.unreachable", error=str(error))
        else:
            await self._link.serve(stop, self._unwanted)
            # Nothing that was committed should be delivered again.
            await self._link.flush(FLUSH_S)
        subscribed = self.subscribed_since is not None
        self._close()
        return subscribed

    def _close(self) -> None:
        self.subscribed_since = None
        self._held.connection_ended()
        self._link.close()

    def _complain(self, event: str, **fields: Any) -> None:
        if (event, fields) != self._told:
            self._told = (event, fields)
            log.error(event, **fields, host=self._link.node.host, port=self._link.node.port)

    def _on_arrival(self) -> None:
        self._arrived.set()
        if self._held.full:
            self._link.pause()

    def _on_connect(self, client: Any, userdata: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        if code.is_failure:
            cause = REFUSED.get(code.value, "the broker does not say why")
            self._complain("broker.refused", reason=str(code), client_id=self._client_id, cause=cause)
            self._link.lost.set()
            return
        node = self._link.node
        log.info(
            "broker.connected", host=node.host, port=node.port, session=flags.session_present,
            filters=" ".join(self._filters),
        )  # fmt: skip
        if flags.session_present:
            # Packets of the kept subscription may fill the buffer, and stop us reading, before our SUBACK comes.
            self.subscribed_since = datetime.now(UTC)
        self._lane.subscribe([(name, 1) for name in self._filters])

    def _on_subscribe(self, client: Any, userdata: Any, mid: int, codes: list[ReasonCode], properties: Any) -> None:
        refused = [name for name, code in zip(self._filters, codes, strict=False) if code.is_failure]
        if refused:
            self._complain("subscription.refused", filters=" ".join(refused), cause=SUBSCRIPTION_REFUSED)
            self.subscribed_since = None
            self._link.lost.set()
            return
        self._told = None
        self.subscribed_since = self.subscribed_since or datetime.now(UTC)
        log.info("subscription.accepted", filters=" ".join(self._filters))

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        if code.is_failure and not self._link.lost.is_set():
            log.warning("broker.lost", reason=str(code), filters=" ".join(self._filters))
        self._link.lost.set()
