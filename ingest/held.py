"""The packets ingest has received and not yet acknowledged: how many, how large, and what to acknowledge them by."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Sequence
from operator import attrgetter
from typing import NamedTuple

from devices.batch import Packet

QOS_SHIFT, CONNECTION_SHIFT = 16, 18
PACKET_ID_MAX = 0xFFFF

_delivery, _payload = attrgetter("delivery"), attrgetter("payload")


class Room(NamedTuple):
    """What may still be received: packets, and bytes of payload (the last packet may exceed them)."""

    packets: int
    bytes: int


class Held:
    """Bounded: whoever receives asks for `room` first and stops where there is none.

    A packet's delivery is connection, QoS and packet id in one number. A packet id dies with its connection: what was
    received on an earlier one is not acknowledged on a later.
    """

    def __init__(self, max_packets: int, max_bytes: int) -> None:
        self._max_packets, self._max_bytes = max_packets, max_bytes
        self._waiting: deque[Packet] = deque()
        self._unacknowledged: set[int] = set()  # deliveries of this connection
        self.packets = self.bytes = 0
        self.received = 0  # packets that ever arrived, copies included
        self.connection = 1

    @property
    def room(self) -> Room:
        return Room(max(self._max_packets - self.packets, 0), max(self._max_bytes - self.bytes, 0))

    @property
    def full(self) -> bool:
        return self.packets >= self._max_packets or self.bytes >= self._max_bytes

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def delivery(self, qos: int, packet_id: int) -> int:
        """What this connection would acknowledge such a packet by; 0 where there is nothing to acknowledge."""
        return self.connection << CONNECTION_SHIFT | qos << QOS_SHIFT | packet_id if qos else 0

    def add(self, packets: Sequence[Packet], copies: Container[int] = ()) -> None:
        """Take packets in order of arrival; copies: places of those that may have come before (DUP)."""
        self.received += len(packets)
        if copies:
            packets = self._new(packets, copies)
        self._unacknowledged.update(map(_delivery, packets))
        self._waiting.extend(packets)
        self.packets += len(packets)
        self.bytes += sum(map(len, map(_payload, packets)))

    def take(self, most: int) -> list[Packet]:
        """The oldest that nobody has taken yet; they stay held until they are released."""
        next_one = self._waiting.popleft
        return [next_one() for _ in range(min(most, len(self._waiting)))]

    def release(self, done: Sequence[Packet]) -> list[int]:
        """Hold these no longer. The deliveries that this connection has to acknowledge, in the order given."""
        self.packets -= len(done)
        self.bytes -= sum(map(len, map(_payload, done)))
        oldest = self.connection << CONNECTION_SHIFT
        deliveries = [delivery for delivery in map(_delivery, done) if delivery >= oldest]
        self._unacknowledged.difference_update(deliveries)
        return deliveries

    def connection_ended(self) -> None:
        """What nobody has taken will be delivered again; what was taken stays held, under ids that mean no more."""
        self.connection += 1
        self.packets -= len(self._waiting)
        self.bytes -= sum(map(len, map(_payload, self._waiting)))
        self._waiting.clear()
        self._unacknowledged.clear()

    def _new(self, packets: Sequence[Packet], copies: Container[int]) -> list[Packet]:
        """Without copies of what we hold: NATS delivers again what it waits for, on a living connection too. Taking it
        twice would fill the buffer, and acknowledging it twice could hit a later packet of the same id."""
        new = []
        for place, packet in enumerate(packets):
            if place in copies and packet.delivery in self._unacknowledged:
                continue
            self._unacknowledged.add(packet.delivery)
            new.append(packet)
        return new
