"""`siaga storage`: what is kept where and how long, what holds parts back, and whether the archive is whole."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from click.testing import Result
from typer.testing import CliRunner

from devices.kinds import KINDS
from runtime.settings import Settings
from siaga.cli import app
from siaga.storage_status import size_text
from storage.flavour import WEEK, start_of
from tests.servers import free_port
from tests.storage.rolled import drain
from tests.storage.world import LAMP, NOW, World, minutes, packet
from worker import context
from worker.retain import retain

OLD = start_of(NOW, WEEK) - 20 * WEEK
MARK = "INSERT INTO rollup_mark (kind, bucket) VALUES ('streetlight', %s)"


def siaga(url: str, *words: str, code: int = 0, **env: str) -> Result:
    done = CliRunner().invoke(app, ["storage", *words], env={"SIAGA_DATABASE_URL": url, **env})
    assert done.exit_code == code, done.output
    return done


async def fill(url: str) -> None:
    world = await World.make(url, LAMP)
    for ts in (OLD, OLD + minutes(7), NOW):
        await world.send([packet(LAMP.id, {"ts": ts, "power_w": 80})])
    await drain(world.conn)
    await world.conn.execute("DELETE FROM ledger_mark")
    await world.ground.close()


async def run_retention(url: str, **settings: Any) -> None:
    here = context.make(Settings(database_url=url, **settings), asyncio.Event())
    await retain(here)


@pytest.fixture
def filled(database_url: str) -> Iterator[str]:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # what retention logs is not the command's
    asyncio.run(fill(database_url))
    yield database_url
    structlog.reset_defaults()


def table(url: str, name: str) -> dict[str, Any]:
    told = json.loads(siaga(url, "status", "--json").stdout)
    found: dict[str, Any] = next(each for each in told["tables"] if each["table"] == name)
    return found


def test_before_the_first_run(filled: str) -> None:
    said = siaga(filled, "status", SIAGA_RETENTION="streetlight.raw=30").stdout
    lines = said.splitlines()
    assert lines[0].startswith("plain PostgreSQL, PostgreSQL 18")
    assert "retention has not run yet" in lines[1]
    assert "archive: none, readings are just dropped; 0 files" in lines[2]
    assert max(map(len, lines)) <= 110
    (raw,) = (line for line in lines if line.startswith("reading_streetlight"))
    assert f"{OLD:%Y-%m-%d %H:%M}  {NOW:%Y-%m-%d %H:%M}  30 days" in raw
    assert raw.endswith("  1")


def test_after_a_run(filled: str) -> None:
    before = table(filled, "reading_streetlight")
    assert (before["parts"], before["oldest"], before["due_parts"], before["last_run"]) == (
        2, "2026-07-06T00:00:00Z", 1, None,
    )  # fmt: skip
    asyncio.run(run_retention(filled, retention="streetlight.raw=50"))
    told = json.loads(siaga(filled, "status", "--json", SIAGA_RETENTION_RAW_DAYS="7").stdout)
    assert (told["flavour"], told["timescaledb"], told["timescaledb_policies"]) == ("plain PostgreSQL", None, [])
    assert told["archive"] == {"folder": None, "files": 0, "bytes": 0}
    assert len(told["tables"]) == 4 * len(KINDS)
    raw = table(filled, "reading_streetlight")
    assert (raw["kind"], raw["level"], raw["parts"], raw["oldest"]) == ("streetlight", "raw", 1, "2026-11-24T12:00:00Z")
    assert (raw["keep_days"], raw["last_run_dropped"], raw["due_parts"]) == (50, 1, 0)  # as the worker has it
    assert raw["next_run"] > raw["last_run"]
    assert raw["bytes"] > 0
    assert table(filled, "rollup_streetlight_5m")["parts"] == 2
    assert "1 parts dropped, 0 held back; next 20" in siaga(filled, "status").stdout


def test_what_holds_parts_back(filled: str) -> None:
    with psycopg.connect(filled, autocommit=True) as conn:
        conn.execute(MARK, (OLD,))
    asyncio.run(run_retention(filled))
    said = siaga(filled, "status").stdout
    assert "held back: 1 of 1 due parts of reading_streetlight by rollup marks\n" in said
    with psycopg.connect(filled, autocommit=True) as conn:
        conn.execute("DELETE FROM rollup_mark")
        conn.execute("INSERT INTO ledger_mark (hour, device_id) VALUES (%s, 'lamp')", (OLD,))
    said = siaga(filled, "status").stdout
    assert "held back: 1 of 1 due parts of reading_streetlight by the ledger\n" in said
    assert "held back at the last run: 1 parts of reading_streetlight: rollup marks\n" in said


def test_the_archive_is_listed_and_checked(filled: str, tmp_path: Path) -> None:
    asyncio.run(run_retention(filled, archive_dir=str(tmp_path)))
    file = f"reading_streetlight/reading_streetlight_{OLD:%Y%m%d}.parquet"
    (line,) = (line for line in siaga(filled, "archived").stdout.splitlines() if line.startswith(file))
    assert line.split()[1] == "2"
    (told,) = json.loads(siaga(filled, "archived", "--json").stdout)
    assert (told["file"], told["rows"], told["since"], told["wrong"]) == (file, 2, "2026-07-06T00:00:00Z", None)
    assert f"archive: {tmp_path}; 1 files" in siaga(filled, "status").stdout
    folder = {"SIAGA_ARCHIVE_DIR": str(tmp_path)}
    assert "ok" in siaga(filled, "archived", "--check", **folder).stdout
    (tmp_path / file).write_bytes(b"PAR1")
    wrong = siaga(filled, "archived", "--check", code=1, **folder)
    assert "WRONG" in wrong.stdout
    assert f"{file}: is not the file that was written" in wrong.stderr
    (told,) = json.loads(siaga(filled, "archived", "--check", "--json", code=1, **folder).stdout)
    assert "SHA-256" in told["wrong"]
    assert "SIAGA_ARCHIVE_DIR is not set" in siaga(filled, "archived", "--check", code=1).stderr


def test_what_is_not_there(empty_database_url: str) -> None:
    assert "run `siaga migrate`" in siaga(empty_database_url, "status", code=1).stderr
    nobody = f"postgresql://siaga:x@127.0.0.1:{free_port()}/siaga"
    assert "siaga: connection" in siaga(nobody, "status", code=1).stderr
    done = CliRunner().invoke(app, ["storage", "archived"], env={"SIAGA_DATABASE_URL": None})
    assert done.exit_code == 1
    assert "SIAGA_DATABASE_URL is not set" in done.stderr
    wrong = siaga(empty_database_url, "status", code=1, SIAGA_RETENTION="streetlight.raw=ever")
    assert "SIAGA_RETENTION" in wrong.stderr


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_400, "99.4 kB"), (999_600, "1.0 MB"), (1.5e15, "1500 TB")],
)
def test_sizes_are_as_people_write_them(size: float, text: str) -> None:
    assert size_text(size) == text
