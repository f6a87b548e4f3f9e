"""What endpoints take from the query, without a server."""

from __future__ import annotations

import base64
import contextlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.params import limit_of, moment, read_cursor, window, write_cursor
from api.problems import Problem

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
INT8 = st.integers(-(2**63) + 1, 2**63 - 1)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-24T19:10:00+07:00", datetime(2026, 11, 24, 12, 10, tzinfo=UTC)),
        ("2026-11-24T19:10:00 07:00", datetime(2026, 11, 24, 12, 10, tzinfo=UTC)),  # + read as a space
        ("2026-11-24 12:10Z", datetime(2026, 11, 24, 12, 10, tzinfo=UTC)),
        ("2026-11-24t12:10:00.250z", datetime(2026, 11, 24, 12, 10, 0, 250_000, tzinfo=UTC)),
        ("2026-11-24T02:10:00-09:30", datetime(2026, 11, 24, 11, 40, tzinfo=UTC)),
        ("2026-11-24T12:10:00.123456789Z", datetime(2026, 11, 24, 12, 10, 0, 123_456, tzinfo=UTC)),
        ("-6h", NOW - timedelta(hours=6)),
        ("-90s", NOW - timedelta(seconds=90)),
        ("-5m", NOW - timedelta(minutes=5)),
        ("-400d", NOW - timedelta(days=400)),
        ("-0s", NOW),
    ],
)
def test_times(text: str, at: datetime) -> None:
    assert moment("from", text, NOW) == at
    assert moment("from", text, NOW).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "yesterday", "6h", "+6h", "-6w", "-h", "--6h", "-123456s", "-1.5h", "-6h "),
        *("2026-11-24", "2026-11-24T12:00:00", "2026-13-01T00:00:00Z", "2026-02-30T12:00:00Z", "2026-11-24T25:00:00Z"),
        *("2026-11-24T12:00:00+99:00", "1732449600", "２０２６-11-24T12:00:00Z", "-６h", "0001-01-01T00:00:00+23:00"),
        *("1899-12-31T23:59:59Z", "-99999d", "2026-11-24T12:00:00Z\n", "-6h\n"),
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(Problem, match="from") as refused:
        moment("from", text, NOW)
    assert refused.value.status_code == 422
    assert refused.value.errors[0]["field"] == "from"


@given(st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)), st.integers(-1439, 1439))  # noqa: DTZ001
def test_a_time_we_write_is_read_as_the_same(naive: datetime, minutes: int) -> None:
    at = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert moment("from", at.isoformat(), NOW) == at


def test_windows() -> None:
    day = timedelta(days=1)
    assert window(None, None, NOW, day) == (NOW - day, NOW)
    assert window("-2h", None, NOW, day) == (NOW - timedelta(hours=2), NOW)
    assert window(None, "-2h", NOW, day) == (NOW - timedelta(hours=2) - day, NOW - timedelta(hours=2))
    assert window("-2h", "-2h", NOW, day) == (NOW - timedelta(hours=2),) * 2
    with pytest.raises(Problem, match="after to"):
        window("-1h", "-2h", NOW, day)


def test_limits_name_their_setting() -> None:
    assert limit_of(None, 1000) == 1000
    assert limit_of(None, 1000, 50) == 50
    assert limit_of(None, 10, 50) == 10
    assert limit_of(1000, 1000, 50) == 1000
    with pytest.raises(Problem, match=r"1001 is more than 1000 \(SIAGA_PAGE_MAX\)"):
        limit_of(1001, 1000)


@given(st.lists(st.booleans() | INT8 | st.text(st.characters(blacklist_categories=("C", "Z"))), min_size=1, max_size=5))
def test_a_cursor_is_read_as_written(position: list[Any]) -> None:
    assert read_cursor(write_cursor(*position), *(type(part) for part in position)) == position


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with contextlib.suppress(Problem):
        assert isinstance(read_cursor(text, str)[0], str)


@pytest.mark.parametrize(
    ("position", "shape"),
    [(["a"], [int]), ([1], [str]), ([True], [int]), ([1], [bool]), ([1.5], [int]), (["a", 1], [str]), ([2**63], [int])],
)
def test_a_cursor_of_another_shape_is_refused(position: list[Any], shape: list[type]) -> None:
    with pytest.raises(Problem):
        read_cursor(write_cursor(*position), *shape)
