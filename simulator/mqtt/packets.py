"""The bytes of MQTT 3.1.1 that a publisher cannot leave to paho at full speed: PUBLISH out, PUBACK in."""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from typing import NamedTuple

PUBLISH_QOS1 = 0x32
DUP = 0x08
PACKET_IDS = 65_535  # 1 … 65,535; 0 is none (MQTT 3.1.1, 2.3.1)
TOPIC_MAX = 65_535  # bytes (1.5.3)
REMAINING_MAX = 268_435_455  # bytes: four digits of seven bits (2.2.3)
# A PUBACK is 40 02 and the packet id (3.4); a read of 16 kB holds 4,000. As one match they cost 0.05 µs each.
_PUBACKS = re.compile(rb"(?:\x40\x02..)*+", re.DOTALL)


class Cut(NamedTuple):
    """Packet ids of the PUBACKs at the head of some bytes, and how many bytes those are."""

    ids: tuple[int, ...]
    used: int


def publish_packet(topic: bytes, payload: bytes, packet_id: int) -> bytes:
    """A PUBLISH with QoS 1, not retained. Raises ValueError when topic or payload is longer than MQTT can say."""
    remaining = 4 + len(topic) + len(payload)
    if len(topic) > TOPIC_MAX or remaining > REMAINING_MAX:
        raise ValueError(
            f"topic of {len(topic):,} bytes, payload of {len(payload):,}: MQTT takes {TOPIC_MAX:,} and, with the "
            f"topic, {REMAINING_MAX - 4:,}"
        )
    return b"".join((_head(remaining, len(topic)), topic, packet_id.to_bytes(2, "big"), payload))


def again(packet: bytes) -> bytes:
    """The same PUBLISH, marked as one that may have been sent before (DUP)."""
    return bytes((packet[0] | DUP,)) + packet[1:]


def cut_pubacks(data: bytes) -> Cut:
    """The whole PUBACKs at the head of `data`; one that is not all there yet stays."""
    match = _PUBACKS.match(data)
    assert match is not None  # it matches no PUBACK at all, too
    used = match.end()
    return Cut(struct.unpack(f">{used // 2}H", match[0])[1::2], used)


def is_half_puback(data: bytes) -> bool:
    """Whether `data` is the beginning of a PUBACK and nothing more."""
    return 0 < len(data) < 4 and b"\x40\x02".startswith(data[:2])


@lru_cache(maxsize=4_096)
def _head(remaining: int, topic_bytes: int) -> bytes:
    """Everything before the topic. Kept, as payloads have few lengths: 0.1 instead of 1 µs."""
    out = bytearray((PUBLISH_QOS1,))
    while remaining > 127:
        out.append(remaining & 127 | 128)
        remaining >>= 7
    out.append(remaining)
    return bytes(out) + topic_bytes.to_bytes(2, "big")
