"""Readings of one part as a Parquet file. pyarrow is optional and loaded when it is needed.

Promise: a file that has its name is whole and on the disk. Memory stays flat: rows come ordered out of a COPY and go
into the file a row group at a time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

import psycopg
from psycopg import sql

from devices.kind import Kind
from storage.archive import Archived, digest, free_name
from storage.as_json import time_text
from storage.flavour import Part
from storage.kind_tables import reading_table

# All columns there are, also those that the kind no longer declares. 64k rows of 20 columns are 10 MB as text.
COLUMNS = """
SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
COPY = """
COPY (SELECT {columns} FROM {table} WHERE ts >= {since} AND ts < {until} ORDER BY device_id, ts)
TO STDOUT (FORMAT csv)
"""
TEXT_FORM = "SET LOCAL datestyle = 'ISO'; SET LOCAL extra_float_digits = 1"
GROUP_ROWS = 65_536
PART_SUFFIX = ".part"
METADATA = b"siaga"


class ArchiveError(Exception):
    """Readings could not be written to the archive, or are not in it as they should be; the message says why."""


class Source(NamedTuple):
    """What is to be archived, and the folder under which its file will be."""

    kind: Kind
    part: Part
    folder: Path

    @property
    def table(self) -> str:
        return reading_table(self.kind)


def write(
    conn: psycopg.Connection[Any], source: Source, recorded: frozenset[str], name: str | None, go_on: Callable[[], bool]
) -> Archived | None:
    """Write a part to a file and say what is in it, None where nothing is; blocks for as long as it takes.

    recorded are names that are taken; name is that of a file to be replaced, if there is one. go_on() is asked now and
    then. Raises ArchiveError, OSError, psycopg.Error; then no file is left behind.
    """
    folder = source.folder / source.table
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"*{PART_SUFFIX}"):  # by a run that was killed
        left.unlink()
    part = folder / f"{source.table}_{source.part.since:%Y%m%d%H%M}.parquet{PART_SUFFIX}"
    try:
        with part.open("wb") as opened:
            rows = _fill(conn, source, opened, go_on)
            opened.flush()
            os.fsync(opened.fileno())
        if not rows:
            return None
        sha256, size = digest(part), part.stat().st_size
        if (there := count_rows(part)) != rows:
            raise ArchiveError(f"{part}: {there} rows can be read of {rows} written")
        name = name or free_name(source.folder, source.table, source.part.since, recorded, sha256)
        part.replace(source.folder / name)
    finally:
        part.unlink(missing_ok=True)
    for each in (folder, source.folder):
        _sync(each)
    _, since, until = source.part
    return Archived(source.table, since, until, name, rows, size, sha256, datetime.now(UTC))


def check(folder: Path, told: Archived) -> str | None:
    """What is wrong with a file; None if it holds what was recorded. Raises ArchiveError where there is no pyarrow."""
    file = folder / told.file
    try:
        if digest(file) != told.sha256:
            return f"{told.file}: is not the file that was written (SHA-256 differs)"
        rows = count_rows(file)
    except OSError as error:
        return f"{told.file}: {error.strerror or error}"
    return None if rows == told.rows else f"{told.file}: {rows} rows, {told.rows} were recorded"


def count_rows(file: Path) -> int:
    """By the file's own footer. Raises ArchiveError, OSError."""
    _, _, parquet = _pyarrow()
    with parquet.ParquetFile(file) as opened:
        return int(opened.metadata.num_rows)


def ready(folder: Path) -> None:
    """Make sure that files can be written there. Raises ArchiveError, OSError."""
    _pyarrow()
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise ArchiveError(f"SIAGA_ARCHIVE_DIR: {folder} cannot be written to")


def _fill(conn: psycopg.Connection[Any], source: Source, opened: IO[bytes], go_on: Callable[[], bool]) -> int:
    """The rows of a part into an open file; how many."""
    arrow, csv, parquet = _pyarrow()
    rows = 0
    with conn.transaction():
        conn.execute(TEXT_FORM)
        columns = conn.execute(COLUMNS, (source.table,)).fetchall()
        schema = _schema(arrow, source, columns)
        with parquet.ParquetWriter(opened, schema, compression="zstd") as writer:
            for number, text in _groups(conn, source, [name for name, _ in columns], go_on):
                group = _parse(csv, schema, text)
                if group.num_rows != number:
                    raise ArchiveError(f"{source.table}: {number} rows came and were read as {group.num_rows}")
                writer.write_table(group, row_group_size=GROUP_ROWS)
                rows += number
    return rows


def _groups(
    conn: psycopg.Connection[Any], source: Source, names: list[str], go_on: Callable[[], bool]
) -> Iterator[tuple[int, bytes]]:
    """Numbers of rows, and these rows as CSV."""
    query = sql.SQL(COPY).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, names)),
        table=sql.Identifier(source.table),
        since=sql.Literal(source.part.since),
        until=sql.Literal(source.part.until),
    )
    with conn.cursor() as cursor, cursor.copy(query) as copy:
        lines = iter(copy)  # the server sends a row a message
        while group := list(islice(lines, GROUP_ROWS)):
            if not go_on():
                raise ArchiveError(f"{source.table}: stopped")
            yield len(group), b"".join(group)


def _parse(csv: Any, schema: Any, text: bytes) -> Any:
    """CSV of PostgreSQL: what is absent is empty, an empty text is in quotes."""
    return csv.read_csv(
        BytesIO(text),
        csv.ReadOptions(column_names=schema.names, use_threads=False),
        csv.ParseOptions(newlines_in_values=True),
        csv.ConvertOptions(
            column_types=schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )


def _schema(arrow: Any, source: Source, columns: list[tuple[str, str]]) -> Any:
    """Types of the columns, with what a reader must know of the file. The same rows always make the same bytes."""
    types = {
        "timestamp with time zone": arrow.timestamp("us", "UTC"),
        "double precision": arrow.float64(),
        "bigint": arrow.int64(),
        "integer": arrow.int32(),
        "smallint": arrow.int16(),
        "text": arrow.dictionary(arrow.int32(), arrow.string()),
    }
    units = {name: metric.unit for name, metric in source.kind.metrics.items()}
    told = {
        "siaga": version("siaga"),
        "kind": source.kind.name,
        "table": source.table,
        "since": time_text(source.part.since),
        "until": time_text(source.part.until),
        "units": units,
    }
    fields = [
        arrow.field(name, types[of], metadata={"unit": units[name]} if name in units else None) for name, of in columns
    ]
    return arrow.schema(fields, metadata={METADATA: json.dumps(told).encode()})


def _pyarrow() -> tuple[Any, Any, Any]:
    try:
        import pyarrow
        from pyarrow import csv, parquet
    except ImportError as error:
        raise ArchiveError(f"SIAGA_ARCHIVE_DIR needs pyarrow: pip install 'siaga[archive]' ({error})") from None
    return pyarrow, csv, parquet


def _sync(folder: Path) -> None:
    """So that a name outlives a power cut."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
