"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from simulator.times import parse_duration, parse_speed, parse_start

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("1h30m", 5400),
        ("2h", 7200),
        ("45", 45),
        ("1.5s", 1.5),
        ("1h2m3s", 3723),
        (" 5s ", 5),
        ("7d", 604_800),
        ("1d12h", 129_600),
        ("1d1s", 86_401),
        ("3660d", 3660 * 86_400),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "0", "0m", "0d", "m5", "d", "1w", "1h1d", "10 m", "1m1h", "-1s", "1,5s", "1.5h", "inf", "nan"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"--for .*write 90s, 10m, 1h30m or 7d"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["3661d", "9" * 400 + "d", "9" * 30])
def test_a_duration_has_a_limit_and_an_option(text: str) -> None:
    with pytest.raises(ValueError, match=r"--backfill .*3660d at most"):
        parse_duration(text, "--backfill")


@pytest.mark.parametrize(("text", "speed"), [("max", None), ("1", 1), ("60", 60), ("0.5", 0.5), ("1e6", 1e6)])
def test_speeds(text: str, speed: float | None) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["", "fast", "0", "-1", "nan", "inf", "MAX", "60x"])
def test_what_is_no_speed(text: str) -> None:
    with pytest.raises(ValueError, match=r"--speed .*write max, or how many times faster"):
        parse_speed(text)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("now", NOW),
        ("-24h", NOW - timedelta(hours=24)),
        ("-7d", NOW - timedelta(days=7)),
        ("-90", NOW - timedelta(seconds=90)),
        ("2026-11-20T00:00+07:00", datetime(2026, 11, 19, 17, tzinfo=UTC)),
        ("2026-11-20T00:00:00.5Z", datetime(2026, 11, 20, 0, 0, 0, 500_000, tzinfo=UTC)),
        ("2027-01-01T00:00-01:00", datetime(2027, 1, 1, tzinfo=timezone(timedelta(hours=-1)))),
    ],
)
def test_starts(text: str, start: datetime) -> None:
    assert parse_start(text, NOW) == start


@pytest.mark.parametrize("text", ["", "-", "+1h", "-1w", "yesterday", "2026-11-20", "2026-11-20T00:00", "24h"])
def test_what_is_no_start(text: str) -> None:
    with pytest.raises(ValueError, match="--start"):
        parse_start(text, NOW)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0001-01-01T00:00+00:00", "1971 to 2199"),
        ("9999-12-31T23:59-12:00", "1971 to 2199"),
        ("-9999d", "3660d at most"),
    ],
)
def test_a_start_out_of_all_reason_is_told_its_limit(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=f"--start .*{told}"):
        parse_start(text, NOW)
