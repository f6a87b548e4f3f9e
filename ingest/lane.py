"""The read lane: PUBLISH packets cut out of large reads, PUBACKs of a whole commit in one write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
import paho.mqtt.client as paho

from devices.batch import Packet
from ingest.held import PACKET_ID_MAX, QOS_SHIFT, Held
from runtime.mqtt_url import Broker
from runtime.mqtt_wire import Cut, Wire

PUBACK_HEAD = 0x4002_0000  # 40 02 and the packet id (MQTT 3.1.1, 3.4)
# Topics kept decoded, so that a device's readings share one text: 9 MB when full.
TOPICS_MAX = 32_768

# A NamedTuple from a row without its Python-level __new__: 0.1 instead of 0.4 µs.
_packet = partial(tuple.__new__, Packet)


class Topics(dict[bytes, str]):
    """Topic as sent → as text. A broker may let through what is no UTF-8; it ends in quarantine like any other."""

    def __missing__(self, sent: bytes) -> str:
        if len(self) >= TOPICS_MAX:
            self.clear()
        text = self[sent] = sent.decode(errors="replace")
        return text


class Publishes(NamedTuple):
    """Columns of the PUBLISH packets at the head of some bytes, and where the cutting ended."""

    topics: list[str]
    payloads: list[bytes]
    deliveries: list[int]
    copies: list[int]  # places in the columns of those marked DUP
    cut: Cut


def cut_publishes(data: bytes, at: int, most: int, most_bytes: int, base: int, topics: Topics) -> Publishes:
    """Whole PUBLISH packets of QoS 0 and 1, at most so many, the last of them beginning within `most_bytes`.

    base is the delivery of packet id 0 with QoS 1. What is no such packet, or none that MQTT allows, is left in place.
    """
    names: list[str] = []
    payloads: list[bytes] = []
    deliveries: list[int] = []
    copies: list[int] = []
    end, lacking = len(data), 0
    beyond = min(at + most_bytes, end)
    try:
        for _ in repeat(None, most):  # 1 µs a packet
            if at >= beyond:
                break
            first, size, begin = data[at], data[at + 1], at + 2
            if first & 0xF4 != 0x30:
                break
            if size > 127:
                size, begin = size & 127 | data[begin] << 7, begin + 1
                if size > 16_383:
                    size, begin = _long(data, at)
            after = begin + size
            if after > end:
                lacking = after - end
                break
            text = begin + 2 + (data[begin] << 8 | data[begin + 1])
            if first & 0x02:
                if not begin + 2 < text <= after - 2:
                    break
                payloads.append(data[text + 2 : after])
                deliveries.append(base | data[text] << 8 | data[text + 1])
                if first & 0x08:
                    copies.append(len(names))
            else:
                if not begin + 2 < text <= after:
                    break
                payloads.append(data[text:after])
                deliveries.append(0)
            names.append(topics[data[begin + 2 : text]])
            at = after
    except IndexError:
        lacking = _lacks_head(data, at)
    return Publishes(names, payloads, deliveries, copies, Cut(at, lacking))


def pubacks(deliveries: Sequence[int]) -> bytes:
    """The PUBACK packets of QoS 1 deliveries, in this order."""
    ids = np.array(deliveries, dtype=np.int64) & PACKET_ID_MAX
    return (ids | PUBACK_HEAD).astype(">u4").tobytes()


class Lane(Wire):
    """From the socket into what is held; on_arrival is told after each time."""

    def __init__(self, broker: Broker, client_id: str, held: Held, on_arrival: Callable[[], None]) -> None:
        super().__init__(broker, client_id, manual_ack=True)
        self._held, self._on_arrival = held, on_arrival
        self._topics = Topics()
        self.on_message = self._take_message

    def cut(self, data: bytes, at: int) -> Cut:
        room = self._held.room
        found = cut_publishes(data, at, room.packets, room.bytes, self._held.delivery(1, 0), self._topics)
        if found.topics:
            columns = (found.topics, found.payloads, repeat(datetime.now(UTC)), found.deliveries)
            self._held.add(list(map(_packet, zip(*columns, strict=False))), found.copies)
            self._on_arrival()
        return found.cut

    def acknowledge(self, deliveries: Sequence[int]) -> None:
        """Answer packets of this connection: all in one write, in the order given."""
        once = [delivery for delivery in deliveries if delivery >> QOS_SHIFT & 3 == 1]
        if once:
            self.send(pubacks(once))
        if len(once) < len(deliveries):
            for delivery in deliveries:
                if delivery >> QOS_SHIFT & 3 == 2:
                    self.ack(delivery & PACKET_ID_MAX, 2)

    def _take_message(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        """What paho's own reader has read: QoS 2, which we do not ask for."""
        try:
            topic = message.topic
        except UnicodeDecodeError as error:
            topic = error.object.decode(errors="replace")
        delivery = self._held.delivery(message.qos, message.mid)
        packet = Packet(topic, bytes(message.payload), datetime.now(UTC), delivery)
        self._held.add([packet], (0,) if message.dup and message.qos else ())
        self._on_arrival()


def _long(data: bytes, at: int) -> tuple[int, int]:
    """Remaining length of three or four digits at `at`, and where what it counts begins (MQTT 3.1.1, 2.2.3)."""
    size = 0
    for digit in range(4):
        byte = data[at + 1 + digit]
        size |= (byte & 127) << 7 * digit
        if byte < 128:
            return size, at + 2 + digit
    return 0, at  # too long to be one: nothing fits in there, so it is left to paho


def _lacks_head(data: bytes, at: int) -> int:
    """1 where the remaining length goes on after the end of the data."""
    digits = data[at + 1 : at + 5]
    return int(len(digits) < 4 and all(digit > 127 for digit in digits))
