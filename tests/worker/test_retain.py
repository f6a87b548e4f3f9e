"""Retention at work: dropped, archived before where that is asked for, and the same end wherever it is killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest

from devices.completeness import HOUR
from devices.kinds import KINDS
from storage import archive_file, retention, retention_told
from storage.flavour import WEEK, start_of
from storage.ledger_count import count_missing
from tests.storage.rolled import drain
from tests.storage.waiting import until as until_async
from tests.storage.world import LAMP, NOW, World, minutes, packet
from worker.retain import AGAIN_S, STOPPED, retain

Make = Callable[..., Any]
Conn = psycopg.AsyncConnection[Any]

TABLE = "reading_streetlight"
FIRST, SECOND = (start_of(NOW, WEEK) - weeks * WEEK + timedelta(days=2) for weeks in (30, 20))
ADD = f"INSERT INTO {TABLE} (device_id, ts, received_at, qc, qc_reason) VALUES ('lamp', %s, now(), 1, 0)"
COPIES = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'siaga archive' AND wait_event_type = 'Lock'"


async def fill(world: World) -> None:
    """Two old weeks, and the present; rolled up and counted."""
    for ts in (FIRST, FIRST + minutes(7), SECOND, NOW):
        await world.send([packet(LAMP.id, {"ts": ts, "power_w": 80, "seq": int(ts.timestamp()), "boot": "a"})])
    await settle(world)


async def settle(world: World) -> None:
    await drain(world.conn)
    while await count_missing(world.conn, datetime.now(UTC) + 4 * HOUR, 1000):
        pass


async def left(world: World) -> list[datetime]:
    return [ts for (ts,) in await world.rows(f"SELECT ts FROM {TABLE} ORDER BY 1")]


def files(folder: Path) -> dict[str, int]:
    """Rows by name; of what is no Parquet file -1."""
    return {
        each.name: pq.read_metadata(each).num_rows if each.suffix == ".parquet" else -1
        for each in folder.rglob("*")
        if each.is_file()
    }


def file_name(ts: datetime, more: str = "") -> str:
    return f"{TABLE}_{start_of(ts, WEEK):%Y%m%d}{more}.parquet"


def digest(folder: Path, name: str) -> bytes:
    return archive_file.digest(folder / TABLE / name)


async def test_what_had_its_time_goes(world: World, worker: Make) -> None:
    await fill(world)
    here = await worker(retention="streetlight.1h=30")
    assert await retain(here) == 3600
    assert await left(world) == [NOW]
    told = await retention_told.told(world.conn)
    raw, hours = told["streetlight", "raw"], told["streetlight", "1h"]
    assert (raw.keep_days, raw.dropped, raw.held, raw.why, raw.archive_dir) == (90, 2, 0, None, None)
    assert hours.keep_days == 30
    assert raw.next_at - raw.ran_at >= timedelta(hours=1)
    assert len(told) == 4 * len(KINDS)
    assert await retain(here) == 3600
    assert (await retention_told.told(world.conn))["streetlight", "raw"].dropped == 0


async def test_what_is_still_needed_holds_all_that_is_younger(world: World, worker: Make) -> None:
    """Else the time of the older part would be closed while there is something to roll up in it."""
    await fill(world)
    await world.conn.execute("INSERT INTO rollup_mark (kind, bucket) VALUES ('streetlight', %s)", (FIRST,))
    here = await worker()
    assert await retain(here) == AGAIN_S
    assert len(await left(world)) == 4
    raw = (await retention_told.told(world.conn))["streetlight", "raw"]
    assert (raw.dropped, raw.held, raw.why) == (0, 2, "rollup marks")
    assert here.health.detail == "nothing rolled up yet"  # to wait is no failure
    await settle(world)
    assert await retain(here) == 3600
    assert await left(world) == [NOW]


async def test_archived_before(world: World, worker: Make, tmp_path: Path) -> None:
    """Late readings of a week that is gone get a file of their own."""
    await fill(world)
    here = await worker(archive_dir=str(tmp_path))
    await retain(here)
    assert await left(world) == [NOW]
    assert files(tmp_path) == {file_name(FIRST): 2, file_name(SECOND): 1}
    first = digest(tmp_path, file_name(FIRST))
    await world.send([packet(LAMP.id, *({"ts": FIRST + minutes(n), "power_w": 1} for n in (1, 2, 3)))])
    await settle(world)
    await retain(here)
    assert files(tmp_path) == {file_name(FIRST): 2, file_name(FIRST, "-2"): 3, file_name(SECOND): 1}
    assert digest(tmp_path, file_name(FIRST)) == first
    for each in await world.rows("SELECT dropped_at FROM archived"):
        assert each[0] is not None


async def test_readings_that_come_while_a_file_is_written_get_into_it(
    world: World, worker: Make, other: Conn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(world)
    late = iter([FIRST + minutes(1), FIRST + minutes(2)])
    write = archive_file.write

    def overtaken(*args: Any) -> Any:
        done = write(*args)
        with suppress(StopIteration), psycopg.connect(world.url, autocommit=True) as conn:
            conn.execute(ADD, (next(late),))
        return done

    monkeypatch.setattr(archive_file, "write", overtaken)
    assert await retain(await worker(archive_dir=str(tmp_path))) == 3600
    assert await left(world) == [NOW]
    assert files(tmp_path) == {file_name(FIRST): 4, file_name(SECOND): 1}


async def test_a_file_is_not_written_twice(
    world: World, worker: Make, other: Conn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part could not be dropped; what was written before is looked at, and taken if it is whole."""
    monkeypatch.setattr(retention, "LOCK_TIMEOUT", "SET LOCAL lock_timeout = '50ms'")
    await fill(world)
    here = await worker(archive_dir=str(tmp_path))
    async with other.transaction():
        await other.execute(f"SELECT count(*) FROM {TABLE}".encode())
        assert await retain(here) == 3600  # not soon: each try would hold up ingest
        assert files(tmp_path) == {file_name(FIRST): 2}
    file = tmp_path / TABLE / file_name(FIRST)
    before = file.stat()
    await retain(here)
    assert file.stat().st_ino == before.st_ino
    assert await left(world) == [NOW]


async def test_a_file_that_is_damaged_before_the_drop_is_written_again(
    world: World, worker: Make, other: Conn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOCK_TIMEOUT", "SET LOCAL lock_timeout = '50ms'")
    await fill(world)
    here = await worker(archive_dir=str(tmp_path))
    async with other.transaction():
        await other.execute(f"SELECT count(*) FROM {TABLE}".encode())
        await retain(here)
    damage(tmp_path / TABLE / file_name(FIRST))
    await retain(here)
    assert await left(world) == [NOW]
    ((name,),) = await world.rows("SELECT file FROM archived WHERE since = %s", start_of(FIRST, WEEK))
    assert name == f"{TABLE}/{file_name(FIRST, '-2')}"


def damage(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


async def test_without_pyarrow_nothing_is_dropped(
    world: World, worker: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    await fill(world)
    here = await worker(archive_dir=str(tmp_path))
    for _ in range(2):
        assert await retain(here) == AGAIN_S
    assert here.health.state == "degraded"
    assert "retention: SIAGA_ARCHIVE_DIR needs pyarrow: pip install 'siaga[archive]'" in here.health.detail
    assert len(await left(world)) == 4
    monkeypatch.undo()
    await retain(here)
    assert here.health.state == "starting"
    assert await left(world) == [NOW]


async def test_a_folder_that_takes_nothing_holds_readings_and_nothing_else(
    world: World, worker: Make, tmp_path: Path
) -> None:
    await fill(world)
    (tmp_path / TABLE).touch()
    here = await worker(archive_dir=str(tmp_path), retention_5m_days=60)
    assert await retain(here) == AGAIN_S
    assert len(await left(world)) == 4
    told = await retention_told.told(world.conn)
    assert "File exists" in (told["streetlight", "raw"].why or "")
    assert (told["streetlight", "raw"].held, told["streetlight", "5m"].dropped) == (2, 2)


async def test_two_workers_at_once(world: World, worker: Make, tmp_path: Path) -> None:
    await fill(world)
    here, there = await worker(archive_dir=str(tmp_path)), await worker(archive_dir=str(tmp_path))
    rests = await asyncio.gather(retain(here), retain(there))
    assert sorted(rests) in ([AGAIN_S, 3600], [3600, 3600])
    assert await left(world) == [NOW]
    assert files(tmp_path) == {file_name(FIRST): 2, file_name(SECOND): 1}


async def test_it_stops_in_the_middle_of_a_file(world: World, worker: Make, other: Conn, tmp_path: Path) -> None:
    await fill(world)
    here = await worker(archive_dir=str(tmp_path))
    async with other.transaction():
        await other.execute(f"LOCK TABLE ONLY {TABLE} IN ACCESS EXCLUSIVE MODE".encode())
        running = asyncio.create_task(retain(here))

        async def copies() -> bool:
            return bool(await world.rows(COPIES))

        await until_async(copies)
        here.stop.set()
        await running
    assert (await retention_told.told(world.conn))["streetlight", "raw"].why == STOPPED
    assert files(tmp_path) == {}
    assert len(await left(world)) == 4
