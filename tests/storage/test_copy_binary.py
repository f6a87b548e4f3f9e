"""Columns encoded for COPY come back from PostgreSQL as they went in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import copy_binary

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=70)
ROW = st.tuples(
    st.none() | TEXT,
    st.integers(-(2**50), 2**51),
    st.none() | st.integers(0, 2**63 - 1),
    st.integers(-(2**15), 2**15 - 1),
    st.floats(allow_infinity=False),
)


@pytest.fixture
def conn(empty_database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(empty_database_url, autocommit=True) as conn:
        conn.execute("CREATE TABLE t (n serial, a text, b timestamptz, c int8, d int2, e float8)")
        yield conn


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(rows=st.lists(ROW, min_size=1, max_size=20))
def test_what_goes_in_comes_back(conn: psycopg.Connection, rows: list[tuple]) -> None:
    copied(conn, rows)
    found = conn.execute("SELECT a, b, c, d, e FROM t ORDER BY n").fetchall()
    conn.execute("TRUNCATE t")
    assert len(found) == len(rows)
    for (a, b, c, d, e), (text, us, big, small, number) in zip(found, rows, strict=True):
        assert (a, b, c, d) == (text, EPOCH + timedelta(microseconds=us), big, small)
        assert e is None if math.isnan(number) else e == number


def test_more_rows_than_are_laid_out_at_once(conn: psycopg.Connection) -> None:
    rows = [(f"é{n}", n, None if n % 3 else n, n % 1000, math.nan if n % 2 else n / 7) for n in range(10_001)]
    copied(conn, rows)
    counted = conn.execute("SELECT count(*), count(c), count(e), sum(length(a)), sum(c) FROM t").fetchone()
    assert counted == (
        10_001, 3_334, 5_001, sum(len(a) for a, *_ in rows), sum(n for n in range(10_001) if n % 3 == 0)
    )  # fmt: skip


def copied(conn: psycopg.Connection, rows: list[tuple]) -> None:
    a, b, c, d, e = zip(*rows, strict=True)
    columns = [
        copy_binary.texts(a),
        copy_binary.times(np.array(b, dtype=np.int64)),
        copy_binary.optional_integers(c),
        copy_binary.integers(np.array(d), 2),
        copy_binary.floats(np.array(e, dtype=np.float64)),
    ]
    with conn.cursor() as cursor, cursor.copy("COPY t (a, b, c, d, e) FROM STDIN (FORMAT BINARY)") as copy:
        for piece in copy_binary.encode(columns):
            copy.write(piece)
