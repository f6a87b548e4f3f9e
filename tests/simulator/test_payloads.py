"""Payloads of a load are those that devices send, only made faster; and no reading is left out or sent twice."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from devices.kinds import KINDS
from devices.payload import decode, unknown_fields
from simulator.city import City
from simulator.fleet import make_fleet
from simulator.load.payloads import Messages, payloads

START = 1_764_003_600.0  # 25 November 2025, 00:00 WIB: lamps are lit
DEVICES = 60


@pytest.fixture(scope="module")
def city() -> City:
    return City(make_fleet(DEVICES, 1, cabinets=True), 1, START, rate=60)


def items(payload: bytes) -> list[dict[str, Any]]:
    found = json.loads(payload)
    return found if isinstance(found, list) else [found]


@pytest.mark.parametrize("each", [1, 7])
def test_they_say_what_the_city_says(city: City, each: int) -> None:
    """As `City.fields` has it, but for the two forms of time, and for null where it leaves a field out."""
    for block in city.blocks(city.start_ms, city.start_ms + 30_000):
        rows = len(block) // each * each
        fields = city.fields(block)[:rows]
        cut = type(block)(
            block.kind, block.device[:rows], block.ts_ms[:rows], block.seq[:rows], block.boot[:rows],
            {name: column[:rows] for name, column in block.columns.items()},
        )  # fmt: skip
        sent = [item for payload in payloads(cut, each) for item in items(payload)]
        assert [item.pop("ts") for item in sent] == cut.ts_ms.tolist()
        for mine, theirs in zip(sent, fields, strict=True):
            assert mine | {"ts": theirs["ts"]} == dict.fromkeys(mine) | theirs


def test_one_reading_is_an_object_and_more_are_an_array(city: City) -> None:
    (block, *_) = city.blocks(city.start_ms, city.start_ms + 20_000)
    assert payloads(block, 1)[0].startswith(b'{"ts":')
    assert payloads(block, len(block))[0].startswith(b'[{"ts":')


@pytest.mark.parametrize("each", [1, 5])
def test_ingest_takes_every_reading(city: City, each: int) -> None:
    kinds = [KINDS[device.kind] for device in city.devices]
    seen = set()
    for device, payload in Messages(city, each).between(city.start_ms, city.start_ms + 40_000):
        decoded = decode(kinds[device], payload)
        unknown = unknown_fields(kinds[device], decoded.items)
        assert (len(decoded.items), decoded.bad, unknown) == (each, (), 0)
        seen.add(kinds[device].name)
    assert seen == set(KINDS)


def test_what_is_counted_is_a_whole_number_or_null() -> None:
    city = City(make_fleet(DEVICES, 1, cabinets=True), 1, START)
    (block,) = [b for b in city.blocks(city.start_ms, city.start_ms + 40_000) if b.kind == "traffic"]
    block.columns["count"][::2] = np.nan
    counts = [item["count"] for payload in payloads(block, 1) for item in items(payload)]
    assert all(count is None for count in counts[::2])
    assert all(type(count) is int for count in counts[1::2])


@pytest.mark.parametrize("each", [1, 4])
def test_windows_of_any_width_give_each_reading_once_and_in_order(city: City, each: int) -> None:
    messages = Messages(city, each)
    whole = list(messages.between(city.start_ms, city.start_ms + 60_000))
    cuts = [0, 17, 1_000, 1_001, 23_456, 60_000]
    windows = [
        message
        for begin, end in pairwise(cuts)
        for message in messages.between(city.start_ms + begin, city.start_ms + end)
    ]
    by_device: dict[str, dict[int, list[int]]] = {"whole": defaultdict(list), "windows": defaultdict(list)}
    for name, found in (("whole", whole), ("windows", windows)):
        for device, payload in found:
            by_device[name][device] += [item["seq"] for item in items(payload)]
    assert by_device["whole"] == by_device["windows"]
    for seq in by_device["whole"].values():
        assert seq == list(range(seq[0], seq[0] + len(seq)))
        assert seq[0] >= 0


def test_messages_are_spread_over_time() -> None:
    """Devices take turns: in no second does more than twice the mean come, although all began at once."""
    city = City(make_fleet(300, 1, cabinets=True), 1, START, rate=300)
    messages, each = Messages(city, 20), 20
    per_s = [len(list(messages.between(city.start_ms + 1_000 * s, city.start_ms + 1_000 * (s + 1)))) for s in range(60)]
    assert sum(per_s) == pytest.approx(60 * 300 / each, rel=0.1)
    assert max(per_s) <= 2 * 300 / each
