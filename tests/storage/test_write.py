"""The writer: what is new is stored whole, what is not is told apart, and a second delivery changes nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest

from ingest.intake import take_in
from storage import flavour
from storage import readings as readings_module
from tests.storage.world import GAUGE, LAMP, NOW, World, minutes, packet

# Everything that a redelivery must leave as it is; the ledger and quarantine only go on counting.
KEPT = (
    "reading_streetlight", "reading_water_level", "latest", "rollup_mark", "alert", "alert_state", "transition",
    "notice_outbox",
)  # fmt: skip


def level(at: datetime, level_m: float, **more: Any) -> dict[str, Any]:
    return {"ts": at, "level_m": level_m, **more}


async def test_a_reading_is_stored_whole(world: World) -> None:
    arrived = NOW + timedelta(seconds=2)
    whole = {
        "ts": NOW, "seq": 991, "boot": "a1b2", "fw": "1.4.0", "level_m": 1.688, "rain_mm": 0.4, "battery_v": 3.71,
        "rssi_dbm": -71, "snr_db": None,
    }  # fmt: skip
    written = await world.send([packet(GAUGE.id, whole, at=arrived)])
    assert written.counts == {"stored": 1, "duplicate": 0, "conflict": 0, "quarantined": 0}
    cursor = await world.conn.execute("SELECT * FROM reading_water_level")
    names = [column.name for column in cursor.description or ()]
    (row,) = await cursor.fetchall()
    assert dict(zip(names, row, strict=True)) == {
        "device_id": "gauge", "ts": NOW, "received_at": arrived, "seq": 991, "boot": "a1b2", "fw": "1.4.0", "qc": 1,
        "qc_reason": 0, "level_m": 1.688, "distance_m": None, "rain_mm": 0.4, "temperature_c": None,
        "battery_v": 3.71, "rssi_dbm": -71.0, "snr_db": None, "uptime_s": None,
    }  # fmt: skip


async def test_what_is_absent_is_null_and_never_nan(world: World) -> None:
    await world.send([packet(LAMP.id, {"ts": NOW, "power_w": 0})])
    ((power, voltage),) = await world.rows("SELECT power_w, voltage_v FROM reading_streetlight")
    assert (power, voltage) == (0.0, None)
    assert await world.one("SELECT \"values\"->'voltage_v' FROM latest") is None


async def test_extremes_survive(world: World) -> None:
    """The largest seq, microseconds, 64 characters of any script, a value far out of its range."""
    at = NOW - timedelta(microseconds=1)
    item = {"ts": at, "seq": 2**63 - 1, "boot": "ⵣ" * 64, "fw": "'; --\\", "power_w": 1.7e308}
    await world.send([packet(LAMP.id, item)])
    row = await world.rows("SELECT ts, seq, boot, fw, power_w, qc FROM reading_streetlight")
    assert row == [(at, 2**63 - 1, "ⵣ" * 64, "'; --\\", 1.7e308, 4)]


async def test_many_kinds_and_devices_in_one_batch(world: World) -> None:
    written = await world.send(
        [
            packet(LAMP.id, *({"ts": NOW - minutes(i), "power_w": i} for i in range(40))),
            packet(GAUGE.id, *(level(NOW - minutes(i), 1) for i in range(30))),
            packet("counter", *({"ts": NOW - minutes(i), "period_s": 60, "count": i} for i in range(20))),
        ]
    )
    assert written.counts["stored"] == 90
    for kind, number in (("streetlight", 40), ("water_level", 30), ("traffic", 20)):
        assert await world.one(f"SELECT count(*) FROM reading_{kind}") == number
    assert await world.one("SELECT flow_vph FROM reading_traffic WHERE count = 19") == 19 * 60


async def test_only_a_repetition_takes_the_slower_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    staged: list[int] = []
    by_staging = readings_module._by_staging

    async def counted(conn: Any, readings: Any, first: Any, repeats: Any) -> Any:
        staged.append(len(first) + len(repeats))
        return await by_staging(conn, readings, first, repeats)

    monkeypatch.setattr(readings_module, "_by_staging", counted)
    await world.send([packet(GAUGE.id, level(NOW, 1))])
    assert staged == []
    written = await world.send([packet(GAUGE.id, level(NOW, 1), level(NOW - minutes(1), 1.5))])
    assert staged == [2]
    assert written.counts == {"stored": 1, "duplicate": 1, "conflict": 0, "quarantined": 0}
    await world.send([packet(GAUGE.id, level(NOW - minutes(2), 1))])
    assert staged == [2]
    assert await world.one("SELECT count(*) FROM reading_water_level") == 3


async def test_the_same_reading_twice_in_a_batch_is_a_duplicate(world: World) -> None:
    same = level(NOW, 1.5, temperature_c=None)
    written = await world.send([packet(GAUGE.id, same), packet(GAUGE.id, same), packet(GAUGE.id, level(NOW, 1.5))])
    assert written.counts == {"stored": 1, "duplicate": 2, "conflict": 0, "quarantined": 0}


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after the other"])
async def test_of_two_values_for_one_time_the_first_stays(world: World, together: bool) -> None:
    first, second = packet(GAUGE.id, level(NOW, 1.5)), packet(GAUGE.id, level(NOW, 1.6, seq=7))
    batches = [[first, second]] if together else [[first], [second]]
    counts = [(await world.send(batch)).counts for batch in batches]
    assert sum(c["stored"] for c in counts) == sum(c["conflict"] for c in counts) == 1
    assert await world.rows("SELECT level_m, seq FROM reading_water_level") == [(1.5, None)]
    ((reason, payload, topic, device_id),) = await world.rows(
        "SELECT reason, payload, topic, device_id FROM quarantine"
    )
    assert (reason, topic, device_id) == ("conflict", first.topic, "gauge")
    # Whole enough to be sent again.
    again = take_in([first._replace(payload=payload)], world.ground.fleet, world.limits)
    assert again.readings[0].ts(0) == NOW
    assert again.readings[0].seq == [7]
    assert again.readings[0].numbers["level_m"].tolist() == [1.6]


async def test_a_repetition_beside_a_conflict_is_still_one(world: World) -> None:
    """Both are compared with what is stored, not with each other."""
    await world.send([packet(GAUGE.id, level(NOW, 1.5))])
    written = await world.send([packet(GAUGE.id, level(NOW, 1.6)), packet(GAUGE.id, level(NOW, 1.5))])
    assert written.counts == {"stored": 0, "duplicate": 1, "conflict": 1, "quarantined": 0}


async def test_present_against_absent_is_a_conflict(world: World) -> None:
    await world.send([packet(GAUGE.id, level(NOW, 1.5))])
    assert (await world.send([packet(GAUGE.id, level(NOW, 1.5, rain_mm=0))])).counts["conflict"] == 1


async def test_other_diagnostics_are_no_conflict(world: World) -> None:
    """A gateway repeats what it heard with another signal strength."""
    await world.send([packet(GAUGE.id, level(NOW, 1.5, rssi_dbm=-70))])
    assert (await world.send([packet(GAUGE.id, level(NOW, 1.5, rssi_dbm=-75))])).counts["duplicate"] == 1


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
async def test_redelivery_changes_nothing_but_counts(world: World, restarted: bool) -> None:
    """Invariant 3: as after a crash between commit and acknowledgement."""
    batch = [
        packet(GAUGE.id, level(NOW - minutes(20), 2.3), level(NOW - minutes(10), 2.6), level(NOW, 3.0)),
        packet(GAUGE.id, level(NOW, 2.9)),
        packet(LAMP.id, {"ts": NOW, "voltage_v": 251}, {"ts": NOW + timedelta(seconds=1), "voltage_v": 252}),
        packet(LAMP.id, {"ts": "yesterday"}),
        packet(LAMP.id, {"ts": NOW - timedelta(days=400), "power_w": 5}),
        packet("nobody", {"ts": NOW}),
    ]
    first = await world.send(batch)
    assert first.counts == {"stored": 6, "duplicate": 0, "conflict": 1, "quarantined": 2}
    assert len(first.transitions) == 3
    before = await world.everything(*KEPT)
    assert all(before.values()), "the batch was to touch every table"
    for _ in range(2):
        if restarted:
            await world.restart()
        again = await world.send(batch)
        assert again.counts == {"stored": 0, "duplicate": 9, "conflict": 0, "quarantined": 0}
        assert again.transitions == []
    assert await world.everything(*KEPT) == before
    assert await world.rows("SELECT count, count(*) FROM quarantine GROUP BY 1") == [(3, 3)]


async def test_redelivery_in_other_batches_and_order(world: World) -> None:
    """After a crash packets come again mixed with new ones, and not in the order of before."""
    packets = [packet(GAUGE.id, level(NOW + timedelta(seconds=i), 1.1 + i / 15)) for i in range(30)]
    await world.send(packets[:20])
    alerts = await world.rows("SELECT what FROM transition ORDER BY id")
    assert alerts == [("raised",)]
    await world.restart()
    rng = np.random.default_rng(5)
    counts = []
    for start in range(0, 30, 7):
        part = packets[start : start + 7]
        rng.shuffle(part)  # type: ignore[arg-type]
        counts.append((await world.send(part)).counts)
    assert sum(c["duplicate"] for c in counts) == 20
    assert sum(c["stored"] for c in counts) == 10
    assert await world.one("SELECT count(*) FROM reading_water_level") == 30
    assert (await world.rows("SELECT what FROM transition ORDER BY id"))[:1] == alerts


async def test_a_batch_of_nothing(world: World) -> None:
    written = await world.send([])
    assert sum(written.counts.values()) == 0
    assert written.transitions == []


async def test_latest_moves_only_forward(world: World) -> None:
    async def latest() -> tuple[Any, ...]:
        ((ts, values, qc),) = await world.rows('SELECT ts, "values", qc FROM latest')
        return ts, values["level_m"], qc

    await world.send([packet(GAUGE.id, level(NOW, 1.5, fw="2"))])
    assert await latest() == (NOW, 1.5, 1)
    await world.send([packet(GAUGE.id, level(NOW - minutes(5), 1.4))])
    assert await latest() == (NOW, 1.5, 1)
    await world.send([packet(GAUGE.id, level(NOW, 1.6))])  # a conflict
    assert await latest() == (NOW, 1.5, 1)
    later = [NOW + timedelta(seconds=s) for s in (3, 1, 2)]
    await world.send([packet(GAUGE.id, *(level(at, 99) for at in later))])
    assert await latest() == (later[0], 99.0, 4)


async def test_marks_name_the_buckets_that_changed(world: World) -> None:
    """The whole bucket for live data, the one device for late data, nothing for what was there already."""
    live, late = NOW - minutes(1), NOW - timedelta(days=30, minutes=3)
    batch = [packet(LAMP.id, {"ts": live}, {"ts": NOW}, {"ts": late}), packet(GAUGE.id, level(live, 1))]
    await world.send(batch)
    marks = set(await world.rows("SELECT kind, bucket, device_id FROM rollup_mark"))
    assert marks == {
        ("streetlight", NOW - minutes(5), None),
        ("streetlight", NOW, None),
        ("streetlight", NOW - timedelta(days=30, minutes=5), "lamp"),
        ("water_level", NOW - minutes(5), None),
    }
    number = await world.one("SELECT count(*) FROM rollup_mark")
    await world.send(batch)
    assert await world.one("SELECT count(*) FROM rollup_mark") == number


async def test_all_sorts_of_readings_in_one_batch(world: World) -> None:
    """Both ways of writing, any time, conflicts, alerts, and the same again after a restart."""
    old = NOW - timedelta(days=3000)
    batch = [
        packet(GAUGE.id, *({"ts": NOW - minutes(20 + i), "level_m": 1.9, "seq": i} for i in range(1, 50))),
        packet(GAUGE.id, {"ts": NOW, "level_m": 2.7}),
        packet(GAUGE.id, {"ts": NOW, "level_m": 2.8}),
        packet(LAMP.id, {"ts": old, "power_w": 5}, {"ts": NOW, "voltage_v": 230}, {"ts": NOW, "voltage_v": 230}),
        packet("nobody", {"ts": NOW}),
    ]
    first = await world.send(batch)
    assert first.counts == {"stored": 52, "duplicate": 1, "conflict": 1, "quarantined": 1}
    assert [t.what for _, t in first.transitions] == ["raised"]
    await world.restart()
    again = await world.send([*batch, packet(LAMP.id, {"ts": NOW + minutes(1), "power_w": 6})])
    assert again.counts == {"stored": 1, "duplicate": 55, "conflict": 0, "quarantined": 0}
    assert again.transitions == []
    assert await world.one("SELECT count(*) FROM reading_water_level") == 50


async def parts(world: World) -> list[flavour.Part]:
    return await flavour.parts(world.conn, await flavour.current_async(world.conn), "reading_streetlight")


async def test_any_time_finds_its_partition(database_url: str) -> None:
    world = await World.make(database_url, LAMP, age_max_days=36_500)
    times = [NOW - timedelta(days=days) for days in (0, 7, 8, 400, 3_650, 36_000)]
    edges = [datetime(2026, 11, 16, tzinfo=UTC), datetime(2026, 11, 16, tzinfo=UTC) - timedelta(microseconds=1)]
    written = await world.send([packet(LAMP.id, *({"ts": at} for at in (*times, *edges)))])
    assert written.counts["stored"] == 8
    assert {ts for (ts,) in await world.rows("SELECT ts FROM reading_streetlight")} == {*times, *edges}
    found = await parts(world)
    assert all(any(part.since <= at < part.until for at in (*times, *edges)) for part in found)
    assert all(sum(part.since <= at < part.until for part in found) == 1 for at in (*times, *edges))
    await world.ground.close()


def test_a_week_begins_on_monday() -> None:
    for year in (1900, 1969, 1970, 1999, 2026, 2099):
        at = datetime(year, 3, 4, 5, 6, tzinfo=UTC)
        week = flavour.start_of(at, flavour.WEEK)
        assert week.weekday() == 0
        assert week.time() == datetime.min.time()
        assert week <= at < week + flavour.WEEK


async def another(world: World) -> World:
    """A second ingest of the same topics, which the first would not let be if it were seen."""
    await world.conn.execute("DELETE FROM ingest_session")
    return await World.make(world.url, ingest_client_id="second")


async def test_two_writers_race_for_a_partition(world: World) -> None:
    """Both find the week missing; both readings are stored."""
    second = await another(world)
    for weeks in range(1, 11):
        at = NOW - weeks * flavour.WEEK
        await asyncio.gather(
            world.send([packet(LAMP.id, {"ts": at})]), second.send([packet(GAUGE.id, level(at, 1)),
            packet(LAMP.id, {"ts": at + minutes(1)})]),
        )  # fmt: skip
    assert await world.one("SELECT count(*) FROM reading_streetlight") == 20
    await second.ground.close()


@pytest.mark.two_sessions
async def test_two_writers_bring_the_same_reading(world: World) -> None:
    """An old process still at its last batch while the next has taken over: one row, one duplicate."""
    second = await another(world)
    batch = [packet(LAMP.id, *({"ts": NOW - minutes(i), "power_w": i} for i in range(100)))]
    both = await asyncio.gather(world.send(batch), second.send(batch))
    assert sum(w.counts["stored"] for w in both) == 100
    assert sum(w.counts["duplicate"] for w in both) == 100
    assert await world.one("SELECT count(*) FROM reading_streetlight") == 100
    await second.ground.close()


async def test_a_partition_that_retention_dropped_is_made_again(world: World) -> None:
    old = NOW - timedelta(days=200)
    await world.send([packet(LAMP.id, {"ts": old, "power_w": 1})])
    (part,) = await parts(world)
    await flavour.drop_part(world.conn, await flavour.current_async(world.conn), "reading_streetlight", part)
    written = await world.send([packet(LAMP.id, {"ts": old + minutes(1), "power_w": 2})])
    assert written.counts["stored"] == 1
    assert await world.rows("SELECT power_w FROM reading_streetlight") == [(2.0,)]
    assert await world.one("SELECT sum(received) FROM ledger") == 2


@pytest.mark.two_sessions
async def test_a_lost_connection_leaves_nothing_half_written(world: World, other: psycopg.AsyncConnection[Any]) -> None:
    """The server ends the session in the middle of a batch: an error, nothing stored, and the next one goes on."""
    pid = world.conn.info.backend_pid
    await other.execute("CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS"
                        " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END'")  # fmt: skip
    await other.execute("CREATE TRIGGER cut BEFORE INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION cut()")
    batch = [packet(GAUGE.id, level(NOW, 2.7)), packet("nobody", {"ts": NOW})]
    with pytest.raises(psycopg.OperationalError):
        await world.send(batch)
    await other.execute("DROP TRIGGER cut ON ledger")
    await world.restart()
    assert world.conn.info.backend_pid != pid
    empty = await world.everything(*KEPT, "ledger", "quarantine")
    assert not any(empty.values())
    written = await world.send(batch)
    assert written.counts == {"stored": 1, "duplicate": 0, "conflict": 0, "quarantined": 1}
    assert [t.what for _, t in written.transitions] == ["raised"]


async def test_states_survive_a_restart(world: World) -> None:
    """read_states after a commit is engine.states, also while a rule waits for its second sample or its time."""
    await world.send(
        [
            packet(GAUGE.id, level(NOW, 2.1)),  # one of the two samples that Siaga 3 needs
            packet(LAMP.id, {"ts": NOW, "voltage_v": 190}),  # low, but not yet for ten minutes
        ]
    )
    states = dict(world.ground.engine.states)
    newest = world.ground.engine.newest_us.tolist()
    heard = world.ground.engine.heard_us.tolist()
    assert {key.rule for key in states} == {"siaga", "voltage_low"}
    await world.restart()
    assert world.ground.engine.states == states
    assert world.ground.engine.newest_us.tolist() == newest
    assert world.ground.engine.heard_us.tolist() == heard
    # The second sample raises, as if nothing had happened; back at rest the state is forgotten.
    written = await world.send(
        [packet(GAUGE.id, level(NOW + minutes(1), 2.1)), packet(LAMP.id, {"ts": NOW + minutes(1), "voltage_v": 220})]
    )
    assert [(t.key.rule, t.what) for _, t in written.transitions] == [("siaga", "raised")]
    await world.restart()
    assert {key.rule for key in world.ground.engine.states} == {"siaga"}
