"""The same schema, writer and reads on TimescaleDB (Apache licence); skipped where there is none to test on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from devices.completeness import HOUR
from devices.kinds import KINDS
from storage import flavour, kind_tables, read_latest, read_readings
from storage.ledger_count import count_missing
from storage.ledger_sum import sum_hours
from storage.migrate import migrate
from tests.storage.test_migrate import MoreAir, air_quality, columns
from tests.storage.world import COUNTER, GAUGE, LAMP, NOW, World, minutes, packet


@pytest.fixture
async def world(timescale_url: str) -> Any:
    migrate(timescale_url, lambda line: None)
    made = await World.make(timescale_url, LAMP, GAUGE, COUNTER)
    yield made
    await made.ground.close()


def test_readings_are_hypertables(timescale_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    migrate(timescale_url, lines.append)
    assert "TimescaleDB (Apache licence)" in lines[0]
    lines.clear()
    migrate(timescale_url, lines.append)
    assert [line for line in lines if "created" in line or "migrated" in line] == []
    monkeypatch.setitem(KINDS, "air_quality", air_quality())
    migrate(timescale_url, lines.append)
    monkeypatch.setitem(KINDS, "air_quality", air_quality(MoreAir))
    migrate(timescale_url, lines.append)
    with psycopg.connect(timescale_url) as conn:
        assert flavour.current(conn) is flavour.Flavour.TIMESCALE_APACHE
        tables = conn.execute("SELECT hypertable_name FROM timescaledb_information.hypertables").fetchall()
        assert {name for (name,) in tables} == {
            kind_tables.table_of(kind, level) for kind in KINDS.values() for level in kind_tables.STEPS
        }
        assert "ozone_ug_m3" in columns(conn, "reading_air_quality")


async def test_the_writer_keeps_its_promises(world: World) -> None:
    """Both ways of writing, any time, conflicts, alerts and a redelivery after a restart."""
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
    chunks = "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = 'reading_streetlight'"
    assert await world.one(chunks) == 2


async def test_what_was_written_can_be_read(world: World) -> None:
    await world.send([packet(GAUGE.id, *({"ts": NOW - minutes(i), "level_m": 2.0 - i / 60} for i in range(10)))])
    window = read_readings.Window(GAUGE.id, NOW - minutes(5), NOW + minutes(1), None, 100)
    found = await read_readings.readings(world.conn, KINDS["water_level"], window, as_json=True)
    assert [row.ts for row in found] == [NOW - minutes(i) for i in range(5, -1, -1)]
    (latest,) = await read_latest.list_latest(world.conn, "water_level", None, None, "", 10)
    assert (latest.device_id, latest.level_m) == (GAUGE.id, 2.0)
    assert (await read_latest.rates(world.conn, [latest], NOW))[GAUGE.id] == pytest.approx(1.0)


async def test_what_is_missing_is_counted(world: World) -> None:
    readings = [{"ts": NOW - minutes(9 - seq), "seq": seq, "boot": "a", "level_m": 2.0} for seq in (1, 2, 6)]
    await world.send([packet(GAUGE.id, each) for each in readings])
    at = NOW + 4 * HOUR
    assert await count_missing(world.conn, at, 10) is False
    await sum_hours(world.conn, at, 10)
    assert await world.one("SELECT sum(missing)::int FROM ledger_sum WHERE kind = 'water_level'") == 3
