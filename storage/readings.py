"""Readings of one kind into its table: first come, first stored, and every other row told apart.

Optimistic: a plain binary COPY; only after a unique violation the slower way through a staging table that finds out
which rows were there already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import psycopg
from psycopg import sql

from devices.batch import Readings
from devices.kind import Kind
from storage import copy_binary
from storage.kind_tables import READING_COLUMNS, reading_table

FIXED = tuple(name for name, _ in READING_COLUMNS)


class Stored(NamedTuple):
    """Rows of a batch by what became of them: a duplicate has the stored values, a conflict has others."""

    stored: list[int]
    duplicate: list[int]
    conflict: list[int]


async def write_readings(conn: psycopg.AsyncConnection[Any], readings: Readings) -> Stored:
    """Store what is new. Runs inside the caller's transaction."""
    first, repeats = _first_of_each(readings)
    try:
        async with conn.transaction():
            await _copy(conn, reading_table(readings.kind), readings, first, numbered=False)
    except psycopg.errors.UniqueViolation:
        # What is stored may be neither of two rows for one time: each is compared with it, not with the other.
        return await _by_staging(conn, readings, first, [row for row, _ in repeats])
    outcome = Stored(list(first), [], [])
    for row, earlier in repeats:
        (outcome.duplicate if _same(readings, row, earlier) else outcome.conflict).append(row)
    return outcome


def _first_of_each(readings: Readings) -> tuple[Sequence[int], list[tuple[int, int]]]:
    """Rows whose (device, ts) is new within the batch, and (row, earlier row) for the others."""
    order = np.lexsort((readings.ts_us, readings.device))
    device, ts_us = readings.device[order], readings.ts_us[order]
    if not ((device[1:] == device[:-1]) & (ts_us[1:] == ts_us[:-1])).any():
        return range(len(readings)), []
    seen: dict[tuple[int, int], int] = {}
    first, repeats = [], []
    for row, key in enumerate(zip(readings.device.tolist(), readings.ts_us.tolist(), strict=True)):
        earlier = seen.setdefault(key, row)
        if earlier == row:
            first.append(row)
        else:
            repeats.append((row, earlier))
    return first, repeats


def _same(readings: Readings, a: int, b: int) -> bool:
    columns = (readings.numbers[name] for name in readings.kind.metrics)
    return all(column[a] == column[b] or np.isnan([column[a], column[b]]).all() for column in columns)


async def _copy(
    conn: psycopg.AsyncConnection[Any], table: str, readings: Readings, rows: Sequence[int], numbered: bool
) -> None:
    columns = [*FIXED, *readings.kind.numbers]
    if numbered:
        columns.append("row_number")
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    async with conn.cursor() as cursor, cursor.copy(statement) as copy:
        for piece in copy_binary.encode(_cells(readings, rows, numbered)):
            await copy.write(piece)


def _cells(readings: Readings, rows: Sequence[int], numbered: bool) -> list[copy_binary.Column]:
    """The columns of these rows in the order of the table, the row number last."""
    every = rows == range(len(readings))
    chosen: Any = slice(None) if every else np.asarray(rows, dtype=np.intp)

    def of(values: Sequence[Any]) -> Sequence[Any]:
        return values if every else [values[row] for row in rows]

    columns = [
        copy_binary.texts(of(readings.device_id)),
        copy_binary.times(readings.ts_us[chosen]),
        copy_binary.times(readings.received_us[chosen]),
        copy_binary.optional_integers(of(readings.seq)),
        copy_binary.texts(of(readings.boot)),
        copy_binary.texts(of(readings.fw)),
        copy_binary.integers(readings.qc[chosen], 2),
        copy_binary.integers(readings.reason[chosen], 4),
        *(copy_binary.floats(readings.numbers[name][chosen]) for name in readings.kind.numbers),
    ]
    if numbered:
        columns.append(copy_binary.integers(np.asarray(rows, dtype=np.intp), 4))
    return columns


async def _by_staging(
    conn: psycopg.AsyncConnection[Any], readings: Readings, first: Sequence[int], repeats: Sequence[int]
) -> Stored:
    kind = readings.kind
    stage = f"stage_{kind.name}"
    for statement in _staging(kind, stage):
        await conn.execute(statement)
    await _copy(conn, stage, readings, [*first, *repeats], numbered=True)
    new = await conn.execute(_insert_new(kind, stage), (list(first),))
    inserted = {(device_id, ts) async for device_id, ts in new}
    stored: list[int] = []
    there: list[int] = []
    for row in first:
        (stored if (readings.device_id[row], readings.ts(row)) in inserted else there).append(row)
    there += repeats
    same = {number: equal async for number, equal in await conn.execute(_compare(kind, stage), (there,))}
    await conn.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(stage)))
    return Stored(stored, [r for r in there if same[r]], [r for r in there if not same[r]])


def _staging(kind: Kind, stage: str) -> list[sql.Composed]:
    # LIKE a table that migrate may extend: dropped with the session, so it is never older than this connection.
    name, like = sql.Identifier(stage), sql.Identifier(reading_table(kind))
    return [
        sql.SQL("CREATE TEMP TABLE IF NOT EXISTS {} (LIKE {}, row_number int) ON COMMIT DELETE ROWS").format(name, like)
    ]


def _insert_new(kind: Kind, stage: str) -> sql.Composed:
    columns = sql.SQL(", ").join(map(sql.Identifier, (*FIXED, *kind.numbers)))
    return sql.SQL(
        "INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage} WHERE row_number = ANY (%s)"
        " ORDER BY row_number ON CONFLICT DO NOTHING RETURNING device_id, ts"
    ).format(table=sql.Identifier(reading_table(kind)), columns=columns, stage=sql.Identifier(stage))


def _compare(kind: Kind, stage: str) -> sql.Composed:
    """Only metrics are compared: a gateway that sends the same values with another signal strength repeats itself."""
    metrics = list(kind.metrics)
    mine = sql.SQL(", ").join(sql.Identifier("s", name) for name in metrics)
    theirs = sql.SQL(", ").join(sql.Identifier("r", name) for name in metrics)
    return sql.SQL(
        "SELECT s.row_number, ROW({mine}) IS NOT DISTINCT FROM ROW({theirs})"
        " FROM {stage} s JOIN {table} r USING (device_id, ts) WHERE s.row_number = ANY (%s)"
    ).format(mine=mine, theirs=theirs, stage=sql.Identifier(stage), table=sql.Identifier(reading_table(kind)))
