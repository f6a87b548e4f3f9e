"""The archive: what was in a part is in its file, to the last bit, and a file that is needed is never written over."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg.rows import dict_row

from devices.kinds import KINDS
from storage import archive, archive_file
from storage.archive import Archived, digest, free_name, names
from storage.archive_file import ArchiveError, Source, check, count_rows, write
from storage.connect import connect
from storage.flavour import WEEK, Part, start_of
from tests.storage.world import COUNTER, LAMP, NOW, World, packet

LAMPS = KINDS["streetlight"]
WEEK_AGO = Part("unused", start_of(NOW, WEEK) - WEEK, start_of(NOW, WEEK))
AT = WEEK_AGO.since + timedelta(hours=5)
NOTHING: frozenset[str] = frozenset()
TOLD = Archived("t", NOW, NOW, "t/t_1.parquet", 1, 1, b"", NOW)


@pytest.fixture
def conn(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database_url, "archive") as conn:
        yield conn


def always() -> bool:
    return True


def made(done: Archived | None) -> Archived:
    assert done is not None
    return done


def files(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]


async def fill(world: World) -> None:
    """Numbers and texts that are hard to write down, and what is before and after."""
    odd = [
        {"power_w": 0.1 + 0.2, "energy_wh": 1e-300, "seq": 2**63 - 1, "boot": 'a,"\n b\\N', "fw": ""},
        {"power_w": -0.0, "energy_wh": 123456789.123456789, "boot": "é\t", "fw": "NULL", "seq": 0},
        {"voltage_v": 999, "fw": "\\."},
    ]
    sent = [{"ts": AT + timedelta(microseconds=number), **each} for number, each in enumerate(odd)]
    others = [{"ts": WEEK_AGO.since - timedelta(seconds=1)}, {"ts": WEEK_AGO.since}, {"ts": WEEK_AGO.until}]
    await world.send([packet(LAMP.id, each) for each in [*sent, *others]])


async def test_every_value_comes_back(world: World, conn: psycopg.Connection[Any], tmp_path: Path) -> None:
    await fill(world)
    await world.conn.execute("ALTER TABLE reading_streetlight ADD COLUMN no_longer_declared double precision")
    done = made(write(conn, Source(LAMPS, WEEK_AGO, tmp_path), NOTHING, None, always))
    assert (done.file, done.rows) == (f"reading_streetlight/reading_streetlight_{WEEK_AGO.since:%Y%m%d}.parquet", 4)
    query = "SELECT * FROM reading_streetlight WHERE ts >= %s AND ts < %s ORDER BY device_id, ts"
    with conn.cursor(row_factory=dict_row) as cursor:
        stored = cursor.execute(query, (WEEK_AGO.since, WEEK_AGO.until)).fetchall()
    read = pq.read_table(tmp_path / done.file)
    assert read.to_pylist() == stored
    assert read.num_rows == 4
    assert str(read.column("power_w")[1].as_py()) == str(0.1 + 0.2)
    types = dict(zip(read.schema.names, read.schema.types, strict=True))
    assert types["ts"] == types["received_at"] == pa.timestamp("us", "UTC")
    assert types["device_id"] == types["boot"] == pa.dictionary(pa.int32(), pa.string())
    assert (types["power_w"], types["seq"], types["qc"]) == (pa.float64(), pa.int64(), pa.int16())
    assert check(tmp_path, done) is None


async def test_a_file_says_what_it_is(world: World, conn: psycopg.Connection[Any], tmp_path: Path) -> None:
    await fill(world)
    done = made(write(conn, Source(LAMPS, WEEK_AGO, tmp_path), NOTHING, None, always))
    read = pq.ParquetFile(tmp_path / done.file)
    told = json.loads(read.schema_arrow.metadata[b"siaga"])
    assert (told["kind"], told["table"], told["units"]["energy_wh"]) == ("streetlight", "reading_streetlight", "W.h")
    assert datetime.fromisoformat(told["since"]) == WEEK_AGO.since == done.since
    assert datetime.fromisoformat(told["until"]) == WEEK_AGO.until == done.until
    assert told["siaga"]
    assert read.schema_arrow.field("voltage_v").metadata == {b"unit": b"V"}
    assert read.metadata.row_group(0).column(0).compression == "ZSTD"
    again = made(write(conn, Source(LAMPS, WEEK_AGO, tmp_path / "again"), NOTHING, None, always))
    assert again.sha256 == done.sha256  # the same rows make the same bytes


async def test_row_groups_are_small_and_in_order(
    world: World, conn: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_file, "GROUP_ROWS", 10)
    sent = [{"ts": AT + timedelta(minutes=number), "count": number} for number in range(25)]
    await world.send([packet(COUNTER.id, *reversed(sent))])
    done = made(write(conn, Source(KINDS["traffic"], WEEK_AGO, tmp_path), NOTHING, None, always))
    read = pq.ParquetFile(tmp_path / done.file)
    assert [read.metadata.row_group(n).num_rows for n in range(read.num_row_groups)] == [10, 10, 5]
    assert read.read().column("count").to_pylist() == list(range(25))


async def test_where_nothing_is_there_is_no_file(conn: psycopg.Connection[Any], tmp_path: Path) -> None:
    assert write(conn, Source(LAMPS, WEEK_AGO, tmp_path), NOTHING, None, always) is None
    assert files(tmp_path) == []


async def test_what_fails_leaves_nothing_behind(world: World, conn: psycopg.Connection[Any], tmp_path: Path) -> None:
    await fill(world)
    source = Source(LAMPS, WEEK_AGO, tmp_path)
    (tmp_path / source.table).mkdir()
    (tmp_path / source.table / "of a killed run.parquet.part").touch()
    with pytest.raises(ArchiveError, match="stopped"):
        write(conn, source, NOTHING, None, lambda: False)
    assert files(tmp_path) == []
    made(write(conn, source, NOTHING, None, always))  # and the connection is as good as before


async def test_names(world: World, conn: psycopg.Connection[Any], tmp_path: Path) -> None:
    """What is recorded, and what is there with other content, stays; the same once more takes its own place."""
    await fill(world)
    source = Source(LAMPS, WEEK_AGO, tmp_path)
    first = made(write(conn, source, NOTHING, None, always))
    left = made(write(conn, source, NOTHING, None, always))
    assert left.file == first.file
    late = made(write(conn, source, frozenset({first.file}), None, always))
    assert late.file == first.file.replace(".parquet", "-2.parquet")
    (tmp_path / first.file).write_bytes(b"of another database")
    assert made(write(conn, source, NOTHING, None, always)).file == late.file
    (tmp_path / late.file).write_bytes(b"older, of the same part")
    assert made(write(conn, source, NOTHING, late.file, always)).file == late.file
    assert count_rows(tmp_path / late.file) == 4
    assert (tmp_path / first.file).read_bytes() == b"of another database"


def test_a_name_tells_the_beginning() -> None:
    day, hour = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 5, 6, tzinfo=UTC)
    assert list(islice(names("t", day), 3)) == [
        "t/t_20260105.parquet",
        "t/t_20260105-2.parquet",
        "t/t_20260105-3.parquet",
    ]
    assert next(names("t", hour)) == "t/t_20260105T0600.parquet"
    assert free_name(Path("/nowhere"), "t", day, {"t/t_20260105.parquet"}, b"") == "t/t_20260105-2.parquet"


async def test_a_file_is_checked(tmp_path: Path) -> None:
    file = tmp_path / TOLD.file
    assert check(tmp_path, TOLD) == "t/t_1.parquet: No such file or directory"
    file.parent.mkdir()
    pq.write_table(pa.table({"x": [1, 2]}), file)
    assert check(tmp_path, TOLD) == "t/t_1.parquet: is not the file that was written (SHA-256 differs)"
    told = TOLD._replace(sha256=digest(file))
    assert check(tmp_path, told) == "t/t_1.parquet: 2 rows, 1 were recorded"
    assert check(tmp_path, told._replace(rows=2)) is None


async def test_a_row_stands_for_a_file_and_is_final_once_the_part_is_gone(world: World) -> None:
    conn = world.conn
    first = TOLD._replace(sha256=b"1")
    await archive.keep(conn, first)
    assert await archive.pending(conn, "t", NOW) == first
    assert await archive.taken(conn, "t", NOW) == NOTHING
    better = TOLD._replace(rows=2, sha256=b"2")
    await archive.keep(conn, better)
    assert await archive.everything(conn) == [better]
    await archive.let_go(conn, "t", NOW)
    assert await archive.pending(conn, "t", NOW) is None
    assert await archive.taken(conn, "t", NOW) == {first.file}
    late = TOLD._replace(file="t/t_1-2.parquet")
    await archive.keep(conn, late)
    assert [(each.file, each.dropped_at is None) for each in await archive.everything(conn)] == [
        (first.file, False), (late.file, True),
    ]  # fmt: skip
    with pytest.raises(psycopg.errors.UniqueViolation):
        await archive.keep(conn, TOLD._replace(since=NOW + timedelta(days=7)))


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive_file.ready(tmp_path / "new")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ArchiveError, match=r"SIAGA_ARCHIVE_DIR needs pyarrow: pip install 'siaga\[archive\]'"):
        archive_file.ready(tmp_path)
