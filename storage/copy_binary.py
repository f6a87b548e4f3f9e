"""Columns to the bytes of a binary COPY or of array parameters, a whole batch at a time.

psycopg formats a row in 2–3 µs; done in NumPy it is less than half of that. Every cell is laid out at its column's
full width beside a mask of what is really sent; NULLs and the rests of short texts drop out in one selection. Format:
PostgreSQL manual, COPY, "Binary Format"; arrays: array_recv in src/backend/utils/adt/arrayfuncs.c.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import pq
from psycopg.adapt import Dumper

from devices.kind import Floats

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
# PostgreSQL counts from 2000-01-01 UTC.
POSTGRES_EPOCH_US = 946_684_800 * 1_000_000
ROWS_AT_ONCE = 4_096
COUNT_BYTES = 2  # before every row of a COPY

Bytes = npt.NDArray[np.uint8]


class Column(NamedTuple):
    """Cells of one column, [rows, width] bytes in network order, and how many of each count; -1 is NULL."""

    cells: Bytes
    length: npt.NDArray[np.int32]


def floats(values: Floats) -> Column:
    """float8; NaN, our sign for absent, becomes NULL."""
    return Column(_cells(values.astype(">f8")), np.where(np.isnan(values), -1, 8).astype(np.int32))


def integers(values: npt.NDArray[Any], size: int) -> Column:
    """int2, int4 or int8 by size, without NULLs."""
    return Column(_cells(values.astype(f">i{size}")), np.full(len(values), size, dtype=np.int32))


def optional_integers(values: Sequence[int | None]) -> Column:
    """int8; None becomes NULL."""
    if None not in values:
        return integers(np.array(values, dtype=np.int64), 8)
    there = np.array([value is not None for value in values], dtype=np.bool_)
    column = integers(np.array([value or 0 for value in values], dtype=np.int64), 8)
    return column._replace(length=np.where(there, 8, -1).astype(np.int32))


def times(us: npt.NDArray[np.int64]) -> Column:
    """timestamptz, from microseconds since 1970 UTC."""
    return integers(us - POSTGRES_EPOCH_US, 8)


def texts(values: Sequence[str | None]) -> Column:
    """text without NUL characters; None becomes NULL."""
    absent = values.count(None)
    if absent == len(values):
        return Column(np.empty((absent, 0), dtype=np.uint8), np.full(absent, -1, dtype=np.int32))
    present = [value or "" for value in values] if absent else values
    try:
        array = np.array(present, dtype=np.str_).astype(np.bytes_)
    except UnicodeEncodeError:  # NumPy encodes nothing but ASCII
        array = np.array([str(value).encode() for value in present], dtype=np.bytes_)
    length = np.strings.str_len(array).astype(np.int32)
    if absent:
        length[[value is None for value in values]] = -1
    return Column(_cells(array), length)


def encode(columns: Sequence[Column]) -> Iterator[bytes]:
    """The COPY stream of these columns, in pieces. All columns have the same number of rows."""
    yield HEADER
    for start in range(0, len(columns[0].length), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        yield _rows([Column(cells[rows], length[rows]) for cells, length in columns])
    yield TRAILER


class Array(bytes):
    """A one-dimensional array as a query parameter, in binary. The query must say its type: %s::text[]."""


class ArrayDumper(Dumper):
    """Sends an Array as it is. Registered once, for every connection of this process."""

    format = pq.Format.BINARY

    def dump(self, obj: Array) -> bytes:
        return obj


psycopg.adapters.register_dumper(Array, ArrayDumper)


def array(column: Column, type_name: str) -> Array:
    """An array of one column. type_name is PostgreSQL's name of an element: text, int8, timestamptz."""
    length = column.length
    head = np.array([1, int((length < 0).any()), psycopg.adapters.types[type_name].oid, len(length), 1], dtype=">i4")
    return Array(head.tobytes() + _laid([column]))


def _rows(columns: Sequence[Column]) -> bytes:
    """Rows as COPY wants them: the number of columns before each."""
    rows = len(columns[0].length)
    count = Column(np.empty((rows, 0), dtype=np.uint8), np.full(rows, len(columns), dtype=np.int32))
    return _laid([count, *columns], COUNT_BYTES)


def _laid(columns: Sequence[Column], first: int = 4) -> bytes:
    """Length and cell after length and cell, row by row; the first length takes `first` bytes."""
    rows = len(columns[0].length)
    row_bytes = first - 4 + sum(4 + column.cells.shape[1] for column in columns)
    laid = np.empty((rows, row_bytes), dtype=np.uint8)
    sent = np.ones((rows, row_bytes), dtype=np.bool_)
    at = 0
    for cells, length in columns:
        size = 4 if at else first
        laid[:, at : at + size] = _cells(length.astype(f">i{size}"))
        at += size
        width = cells.shape[1]
        laid[:, at : at + width] = cells
        if (length < width).any():
            sent[:, at : at + width] = np.arange(width) < length[:, None]
        at += width
    return laid.tobytes() if sent.all() else laid[sent].tobytes()


def _cells(values: npt.NDArray[Any]) -> Bytes:
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), values.itemsize)
