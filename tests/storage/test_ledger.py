"""received = stored + duplicate + conflict + quarantined, per device and hour, whatever comes in whatever order."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import datetime
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.device import Device
from storage.fleet import import_devices
from storage.ledger import Ledger, hour_us
from tests.storage.world import GAUGE, NOW, REGION, World, minutes, packet

pytestmark = pytest.mark.same_tables

_number = itertools.count(1)

# What one packet may hold, by device 0 … 2: (minutes ago, value) of a reading, or something that is none.
READING = st.tuples(st.sampled_from((0, 1, 5, 59, 61, 120, 7000)), st.sampled_from((1.0, 2.0)))
BAD = st.sampled_from(("{}", "not JSON", '{"ts": 1}'))
PACKET = st.tuples(st.integers(0, 2), st.one_of(READING, READING, READING, BAD))
BATCHES = st.lists(st.lists(PACKET, max_size=12), min_size=1, max_size=4)


def hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


@settings(
    max_examples=25,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(batches=BATCHES)
async def test_every_packet_is_counted_once(world: World, batches: list[list[tuple[int, Any]]]) -> None:
    devices = [f"gauge-{next(_number)}" for _ in range(3)]
    await import_devices(world.conn, [Device(name, "water_level", region=REGION) for name in devices])
    await world.ground.look_for_devices()
    received = 0
    expected: Counter[tuple[str, datetime, str]] = Counter()
    stored: dict[tuple[str, datetime], float] = {}
    kept: set[tuple[str, Any]] = set()
    for batch in batches:
        sent = []
        for number, what in batch:
            name = devices[number]
            received += 1
            if isinstance(what, str):
                sent.append(packet(name, {})._replace(payload=what.encode()))
                outcome, at = "duplicate" if (name, what) in kept else "quarantined", NOW
                kept.add((name, what))
            else:
                ago, value = what
                at = NOW - minutes(ago)
                sent.append(packet(name, {"ts": at, "level_m": value}))
                if stored.setdefault((name, at), value) == value:
                    outcome = "duplicate" if (name, at) in kept else "stored"
                    kept.add((name, at))
                else:
                    outcome = "duplicate" if (name, what) in kept else "conflict"
                    kept.add((name, what))
            expected[name, hour(at), outcome] += 1
        await world.send(sent)

    counted: Counter[tuple[str, datetime, str]] = Counter()
    for name in devices:
        for at, line in (await world.ledger(name)).items():
            assert line[0] == sum(line[1:])
            names = ("stored", "duplicate", "conflict", "quarantined")
            counted.update({(name, at, outcome): n for outcome, n in zip(names, line[1:], strict=True)})
    assert counted.total() == received
    assert +counted == expected
    query = "SELECT device_id, ts, level_m FROM reading_water_level WHERE device_id = ANY (%s)"
    rows = await world.rows(query, devices)
    assert {(name, at): value for name, at, value in rows} == stored
    assert len(rows) == len(stored)


async def test_a_reading_counts_for_its_own_hour(world: World) -> None:
    """And what has no time that can be trusted for the hour it arrived in."""
    await world.send(
        [
            packet(GAUGE.id, {"ts": NOW - minutes(180), "level_m": 1}, at=NOW),
            packet(GAUGE.id, {"ts": NOW - minutes(1), "level_m": 1}, at=NOW),
            packet(GAUGE.id, {"ts": NOW + minutes(420), "level_m": 1}, at=NOW + minutes(1)),
        ]
    )
    assert await world.ledger(GAUGE.id) == {
        NOW - minutes(180): (1, 1, 0, 0, 0),
        NOW - minutes(60): (1, 1, 0, 0, 0),
        NOW: (1, 0, 0, 0, 1),
    }


async def test_strangers_share_one_line(world: World) -> None:
    await world.send([packet(f"stranger-{i}", {"ts": NOW}) for i in range(20)])
    assert await world.rows("SELECT device_id, quarantined FROM ledger") == [("?", 20)]


async def test_the_equation_is_the_databases_too(world: World) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        await world.conn.execute("INSERT INTO ledger (device_id, hour, received, stored) VALUES ('a', now(), 2, 1)")


def test_totals_of_a_batch() -> None:
    ledger = Ledger()
    ledger.count("a", NOW + minutes(3), "stored")
    ledger.count("a", NOW, "stored", 4)
    ledger.count("b", NOW, "duplicate", 2)
    assert ledger.total == {"stored": 5, "duplicate": 2, "conflict": 0, "quarantined": 0}
    assert set(ledger.lines) == {("a", hour_us(NOW)), ("b", hour_us(NOW))}
