"""Quarantine: kept whole and once, counted when it comes again, capped per device and day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from devices.batch import Batch, Quarantined
from storage.quarantine import fingerprint
from tests.storage.world import LAMP, NOTHING, NOW, World, minutes, packet

pytestmark = pytest.mark.same_tables


@pytest.fixture
async def world(database_url: str) -> Any:
    made = await World.make(database_url, LAMP, quarantine_device_day=3)
    yield made
    await made.ground.close()


def bad(number: int, device_id: str = LAMP.id, **more: Any) -> Any:
    return packet(device_id, {"ts": NOW, "seq": f"no {number}"}, **more)


async def test_an_entry_is_kept_whole(world: World) -> None:
    sent = packet(LAMP.id, {"ts": NOW + timedelta(hours=7), "power_w": 5})
    await world.send([sent])
    query = (
        "SELECT reason, device_id, topic, payload, detail, skew_s, day, first_seen, last_seen, count, state"
        " FROM quarantine"
    )
    (row,) = await world.rows(query)
    assert row == (
        "future_timestamp", "lamp", sent.topic, b'{"ts":"2026-11-24T19:00:00Z","power_w":5.0}',
        "ts is 25200 s ahead, limit 300 s", 25_200.0, NOW.date(), NOW, NOW, 1, "open",
    )  # fmt: skip


async def test_bytes_that_are_no_text_are_kept(world: World) -> None:
    payload = bytes(range(256))
    await world.send([packet(LAMP.id, {})._replace(payload=payload)])
    assert await world.one("SELECT payload FROM quarantine") == payload


async def test_what_comes_again_is_counted(world: World) -> None:
    counts = [(await world.send([bad(1, at=NOW + minutes(m))])).counts for m in (0, 5, 3)]
    assert [c["quarantined"] for c in counts] == [1, 0, 0]
    assert [c["duplicate"] for c in counts] == [0, 1, 1]
    rows = await world.rows("SELECT count, first_seen, last_seen FROM quarantine")
    assert rows == [(3, NOW, NOW + minutes(5))]


async def test_past_the_cap_it_only_counts(world: World) -> None:
    written = await world.send([bad(i) for i in range(5)])
    assert written.counts["quarantined"] == 5
    await world.send([bad(i) for i in range(5, 9)])
    kept = await world.rows("SELECT count, payload IS NULL FROM quarantine ORDER BY id")
    assert sorted(kept) == [(1, False), (1, False), (1, False), (6, True)]
    assert (await world.ledger(LAMP.id))[NOW] == (9, 0, 0, 0, 9)


async def test_what_is_kept_is_known_again_past_the_cap(world: World) -> None:
    """Invariant 3 holds at the cap: a redelivery of kept entries is a duplicate and not one more."""
    batch = [bad(i) for i in range(3)]
    await world.send(batch)
    again = await world.send(batch)
    assert again.counts == {"stored": 0, "duplicate": 3, "conflict": 0, "quarantined": 0}
    assert await world.rows("SELECT count FROM quarantine") == [(2,), (2,), (2,)]
    # And repetitions within a batch take no place of others.
    world.ground.writer.quarantine_cap = 5
    await world.send([bad(7), bad(7), bad(7), bad(8)])
    assert await world.one("SELECT count(*) FROM quarantine WHERE payload IS NOT NULL") == 5


async def test_the_cap_is_per_device_and_day(world: World) -> None:
    tomorrow = NOW + timedelta(days=1)
    midnight = NOW.replace(hour=23, minute=59, second=59, microsecond=999_999)
    await world.send([*(bad(i, at=midnight) for i in range(3)), *(bad(i, at=tomorrow) for i in range(3, 6))])
    await world.send([bad(i, device_id="stranger") for i in range(3)])
    assert await world.one("SELECT count(*) FROM quarantine WHERE payload IS NOT NULL") == 9
    assert await world.one("SELECT count(*) FROM quarantine WHERE payload IS NULL") == 0
    await world.send([bad(i, at=at) for i, at in ((10, midnight), (11, tomorrow))])
    past = await world.rows("SELECT day, count FROM quarantine WHERE payload IS NULL ORDER BY day")
    assert past == [(NOW.date(), 1), (tomorrow.date(), 1)]


async def test_conflicts_are_capped_too_and_stay_conflicts(world: World) -> None:
    await world.send([packet(LAMP.id, {"ts": NOW, "power_w": 1})])
    written = await world.send([packet(LAMP.id, {"ts": NOW, "power_w": value}) for value in range(2, 8)])
    assert written.counts == {"stored": 0, "duplicate": 0, "conflict": 6, "quarantined": 0}
    assert (await world.ledger(LAMP.id))[NOW] == (7, 1, 0, 6, 0)
    assert await world.one("SELECT count(*) FROM quarantine") == 4


async def test_a_nul_in_a_topic_does_not_stop_the_batch(world: World) -> None:
    """MQTT forbids it and a broker may let it through; PostgreSQL keeps none in a text."""
    strange = packet(LAMP.id, {"ts": NOW})._replace(topic="siaga/v1/12.09/a\x00b/readings")
    written = await world.send([strange, packet(LAMP.id, {"ts": NOW, "power_w": 1})])
    assert (written.counts["stored"], written.counts["quarantined"]) == (1, 1)
    assert await world.one("SELECT topic FROM quarantine") == "siaga/v1/12.09/a\N{REPLACEMENT CHARACTER}b/readings"


async def test_what_the_database_refused_is_kept_as_well(world: World) -> None:
    entry = Quarantined("storage", "lamp", "siaga/v1/12.09/lamp/readings", b"{}", "22003: out of range", NOW, NOW)
    written = await world.ground.writer.write(Batch([], [entry], 0), NOTHING, NOW)
    assert written.counts["quarantined"] == 1
    assert await world.one("SELECT reason FROM quarantine") == "storage"


def test_fingerprints_group_what_a_person_would_treat_as_one() -> None:
    def entry(detail: str, device_id: str = "lamp", reason: Any = "future_timestamp") -> Quarantined:
        return Quarantined(reason, device_id, "t", b"", detail, NOW, NOW)

    one = fingerprint(entry("ts is 25200 s ahead, limit 300 s"))
    assert fingerprint(entry("ts is 25260 s ahead, limit 300 s")) == one
    assert fingerprint(entry("ts is 25200 s ahead, limit 300 s", device_id="other")) != one
    assert fingerprint(entry("ts is 25200 s ahead, limit 300 s", reason="too_old")) != one
    assert fingerprint(entry("seq: not a number")) != one
