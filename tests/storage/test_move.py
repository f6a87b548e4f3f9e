"""`siaga storage move`: a plain database with data in it becomes one of TimescaleDB, and nothing is lost on the way."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from devices.kinds import KINDS
from storage import flavour
from storage.connect import connect, connect_async
from storage.flavour import Flavour
from storage.kind_tables import STEPS, table_of
from storage.migrate import migrate
from storage.move import MoveError, move
from storage.rollup import drain_whole
from tests.storage.rolled import WIB, assert_rolled, drain
from tests.storage.waiting import until
from tests.storage.world import COUNTER, GAUGE, LAMP, NOW, World, minutes, packet

pytestmark = [
    pytest.mark.two_sessions,
    pytest.mark.parametrize("server_name", ["timescale 2.19", "timescale 2.31"], indirect=True),
]
TABLES = [table_of(kind, level) for kind in KINDS.values() for level in STEPS]
# Told to go on line by line, so that it can be killed after any of them.
STEP_BY_STEP = """
import sys
from storage.move import move
move(sys.argv[1], lambda line: (print(line, flush=True), sys.stdin.readline()))
"""


@pytest.fixture
async def plain(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database made before its server had TimescaleDB: three years of readings, rolled up."""
    with monkeypatch.context() as patch:
        patch.setattr(flavour, "TIMESCALE_OFFERED", "SELECT false")
        migrate(empty_database_url, lambda line: None)
    world = await World.make(empty_database_url, LAMP, GAUGE, COUNTER)
    times = [NOW - timedelta(days=days, minutes=5 * i) for days in (0, 1, 8, 300, 1000) for i in range(20)]
    await world.send([
        packet(LAMP.id, *({"ts": at, "power_w": 80, "energy_wh": i} for i, at in enumerate(sorted(times)))),
        packet(GAUGE.id, *({"ts": at, "level_m": 1.5} for at in times[:30])),
    ])  # fmt: skip
    await drain(world.conn)
    await world.ground.close()
    return empty_database_url


def contents(url: str) -> dict[str, list[Any]]:
    with connect(url, "test") as conn:
        return {table: sorted(conn.execute(f"SELECT t::text FROM {table} t".encode()).fetchall()) for table in TABLES}


def left(conn: psycopg.Connection[Any]) -> list[str]:
    query = "SELECT relname FROM pg_class WHERE relname ~ '^mov(ing|ed)_' OR relname ~ '_p[0-9]{8}$'"
    return [name for (name,) in conn.execute(query)]


def moved(url: str) -> bool:
    with connect(url, "test") as conn:
        return flavour.current(conn).has_hypertables


async def test_everything_is_there_and_goes_on(plain: str) -> None:
    before = contents(plain)
    assert len(before["reading_streetlight"]) == 100
    lines: list[str] = []
    move(plain, lines.append)
    assert contents(plain) == before
    assert any(line.startswith("reading_streetlight 2024-") and " 20 rows" in line for line in lines)
    assert [line for line in lines if line.endswith("100 % of all")]
    with connect(plain, "test") as conn:
        assert flavour.current(conn) is Flavour.TIMESCALE_APACHE
        found = conn.execute("SELECT hypertable_name FROM timescaledb_information.hypertables").fetchall()
        assert {name for (name,) in found} == set(TABLES)
        assert left(conn) == []
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.execute("INSERT INTO reading_streetlight SELECT * FROM reading_streetlight LIMIT 1")
    lines.clear()
    move(plain, lines.append)
    assert lines == ["nothing to move: this is TimescaleDB (Apache licence)"]
    migrate(plain, lines.append)
    assert not [line for line in lines if "created" in line]
    world = await World.make(plain)
    written = await world.send([packet(LAMP.id, {"ts": NOW + minutes(1), "power_w": 81, "energy_wh": 200})])
    assert written.counts["stored"] == 1
    await drain(world.conn)
    await assert_rolled(world.conn)
    await world.ground.close()


def test_a_dry_run_changes_nothing(plain: str) -> None:
    lines: list[str] = []
    move(plain, lines.append, dry_run=True)
    assert "reading_streetlight: 100 rows in 4 parts" in lines
    assert lines[-1].endswith("nothing was done")
    with connect(plain, "test") as conn:
        assert conn.execute("SELECT FROM pg_extension WHERE extname = 'timescaledb'").rowcount == 0


@pytest.mark.parametrize(
    "at", ["reading_streetlight 2026", "rollup_water_level_1d", "the hypertables", "dropped moved_r"]
)
def test_killed_it_is_run_again(plain: str, at: str) -> None:
    before = contents(plain)
    with subprocess.Popen(
        (sys.executable, "-c", STEP_BY_STEP, plain), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        while at not in (line := process.stdout.readline()):
            assert line, f"it ended before it said {at}"
            process.stdin.write("\n")
            process.stdin.flush()
        process.kill()
    assert contents(plain) == before
    assert moved(plain) == (at in ("the hypertables", "dropped moved_r"))
    with connect(plain, "test") as conn:
        move(plain, lambda line: None)
        assert contents(plain) == before
        assert left(conn) == []


async def test_it_waits_for_nobody_who_writes(plain: str) -> None:
    world = await World.make(plain)
    with pytest.raises(MoveError, match="ingest siaga-ingest is running: stop it"):
        await asyncio.to_thread(move, plain, lambda line: None)
    await world.send([packet(LAMP.id, {"ts": NOW + minutes(1), "power_w": 80})])
    await world.ground.close()
    assert not moved(plain)


async def test_ingest_and_worker_lose_nothing(plain: str) -> None:
    """Ingest begins meanwhile, and waits; the worker, on a connection of before, passes on; who reads goes on."""
    mark = "INSERT INTO rollup_mark (kind, bucket) VALUES ('streetlight', %s)"
    rows = "SELECT count(*) FROM reading_streetlight"
    waiting: list[asyncio.Task[Any]] = []
    loop = asyncio.get_running_loop()
    async with (
        await connect_async(plain, "worker") as worker,
        await connect_async(plain, "reader") as reader,
        await connect_async(plain, "look") as look,
    ):
        await worker.execute("DELETE FROM rollup_streetlight_5m WHERE bucket = %s", (NOW,))
        await worker.execute(mark, (NOW,))

        async def meanwhile() -> None:
            waiting.append(asyncio.create_task(World.make(plain)))
            assert await drain_whole(worker, KINDS["streetlight"], WIB, 500) is None
            await until(lambda: waits_for_its_turn(look))
            assert await (await reader.execute(rows)).fetchone() == (100,)

        def log(line: str) -> None:
            if line.startswith("rollup_water_level_5m") and not waiting:
                asyncio.run_coroutine_threadsafe(meanwhile(), loop).result(60)

        await asyncio.to_thread(move, plain, log)
        (world,) = await asyncio.gather(*waiting)
        await drain(worker)
        await assert_rolled(worker)
    times = [NOW + minutes(1), NOW - timedelta(days=500)]
    written = await world.send([packet(LAMP.id, *({"ts": at, "power_w": 81} for at in times))])
    assert written.counts["stored"] == 2
    assert await world.one(rows) == 102
    await drain(world.conn)
    await assert_rolled(world.conn)
    # Nothing lies in the roots of hypertables, where it would not be seen.
    assert {
        size for (size,) in await world.rows("SELECT pg_relation_size(t::regclass) FROM unnest(%s::text[]) t", TABLES)
    } == {0}
    await world.ground.close()


async def waits_for_its_turn(look: psycopg.AsyncConnection[Any]) -> bool:
    cursor = await look.execute("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    return cursor.rowcount > 0


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        (lambda conn: conn.execute("UPDATE alembic_version SET version_num = '0001'"), "run siaga migrate"),
        (lambda conn: conn.execute("SELECT pg_advisory_lock(x'7369616761206d69'::bigint)"), "is at work"),
    ],
    ids=["old schema", "migrating"],
)
def test_refusals(plain: str, prepare: Callable[[psycopg.Connection[Any]], object], why: str) -> None:
    before = contents(plain)
    with connect(plain, "test") as conn:
        prepare(conn)
        with pytest.raises(MoveError, match=why):
            move(plain, lambda line: None)
    assert contents(plain) == before
