"""PUBLISH and PUBACK byte by byte, against MQTT 3.1.1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.mqtt.packets import REMAINING_MAX, TOPIC_MAX, again, cut_pubacks, is_half_puback, publish_packet

IDS = st.lists(st.integers(1, 65_535), max_size=50)


def pubacks(ids: list[int]) -> bytes:
    return b"".join(b"\x40\x02" + number.to_bytes(2, "big") for number in ids)


def remaining_length(packet: bytes) -> tuple[int, int]:
    """The number and where it ends, as section 2.2.3 decodes it."""
    value = at = 0
    while True:
        at += 1
        value |= (packet[at] & 0x7F) << 7 * (at - 1)
        if not packet[at] & 0x80:
            return value, at + 1


@pytest.mark.parametrize("size", [0, 1, 20, 119, 120, 121, 16_375, 16_376, 16_377, 262_144, 2_097_143, 2_097_145])
def test_a_publish_says_how_long_it_is(size: int) -> None:
    packet = publish_packet(b"a/bc", b"x" * size, 0x1234)
    remaining, at = remaining_length(packet)
    assert packet[0] == 0b0011_0010, "QoS 1, neither DUP nor retained"
    assert remaining == len(packet) - at
    assert packet[at:] == b"\x00\x04a/bc\x12\x34" + b"x" * size


def test_dup_is_the_only_difference_of_a_packet_sent_again() -> None:
    packet = publish_packet(b"t", b"{}", 7)
    assert again(packet)[0] == 0b0011_1010
    assert again(packet)[1:] == packet[1:]
    assert again(again(packet)) == again(packet)


@pytest.mark.parametrize(("topic", "payload"), [(TOPIC_MAX + 1, 0), (1, REMAINING_MAX - 4)])
def test_what_mqtt_cannot_say_is_refused(topic: int, payload: int) -> None:
    with pytest.raises(ValueError, match="65,535"):
        publish_packet(b"t" * topic, bytes(payload), 1)


@given(
    ids=IDS, rest=st.sampled_from([b"", b"\x40", b"\x40\x02", b"\x40\x02\x00", b"\xd0\x00", b"\x40\x03\x00\x01\x00"])
)
def test_pubacks_are_cut_off_and_what_follows_stays(ids: list[int], rest: bytes) -> None:
    cut = cut_pubacks(pubacks(ids) + rest)
    assert cut.ids == tuple(ids)
    assert cut.used == 4 * len(ids)


@pytest.mark.parametrize(
    ("data", "half"),
    [
        (b"", False), (b"\x40", True), (b"\x40\x02", True), (b"\x40\x02\x00", True), (b"\x40\x02\x00\x01", False),
        (b"\xd0", False), (b"\x40\x03", False), (b"\xd0\x00", False),
    ],
)  # fmt: skip
def test_a_puback_that_is_not_all_there(data: bytes, half: bool) -> None:
    assert is_half_puback(data) is half
