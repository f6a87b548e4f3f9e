"""Mutated packets through the lane's cutter, every decoder and the intake; `python -m bench fuzz` tries a million."""

from __future__ import annotations

import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.fuzz import FLEET, LIMITS, NOW, SEEDS, rounds
from devices.batch import Packet
from devices.fleet import Fleet
from ingest.decoders.choose import Decoders
from ingest.intake import take_in
from tests.ingest.decoders.test_samples import EXAMPLE

DECODERS = Decoders.from_file(str(EXAMPLE))
TOPICS = st.sampled_from([topic for topic, _ in SEEDS])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["ts", "n", "v", "bt", "time", "object", "uplink_message"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


def test_every_mutated_packet_ends_as_something() -> None:
    packets = readings = quarantined = 0
    for found, lost in rounds(6_000, random.randrange(2**32)):
        assert lost is None, lost
        packets += found["cut by the lane"]
        readings += found["reading"]
        quarantined += sum(count for name, count in found.items() if name.startswith("quarantined"))
    assert packets > 5_000
    assert readings > 500
    assert quarantined > 500


@settings(max_examples=300)
@given(TOPICS, st.binary(max_size=200))
def test_any_bytes(topic: str, payload: bytes) -> None:
    ends(topic, payload)


@settings(max_examples=400)
@given(TOPICS, JSON)
def test_any_json(topic: str, document: object) -> None:
    ends(topic, json.dumps(document).encode())


@settings(max_examples=200)
@given(st.text(max_size=40))
def test_any_topic(topic: str) -> None:
    ends(topic, b"{}")


def ends(topic: str, payload: bytes) -> None:
    batch = take_in([Packet(topic, payload, NOW)], Fleet(FLEET), LIMITS, DECODERS)
    assert batch.size > 0
    for entry in batch.quarantined:
        assert entry.detail
