"""The plan of an answer of /metrics: buckets that rise, and every rollup row in exactly one of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api.buckets import DAY, HOUR, LENGTHS, MINUTE, NOTHING, Name, Plan, at_most, plan
from api.params import Window
from storage.read_metrics import Slice

JAKARTA = ZoneInfo("Asia/Jakarta")
GRAINS = {"5m": 5 * MINUTE, "1h": HOUR}
# Half and quarter hours, summer time at 2:00, at midnight and by half an hour, and a day that there never was.
ZONES = [
    *("Asia/Jakarta", "Asia/Jayapura", "UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York", "America/Havana"),
    *("Asia/Beirut", "Australia/Lord_Howe", "Pacific/Apia"),
]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def rows_of(rollup: str, since: datetime, until: datetime, home: ZoneInfo) -> list[tuple[str, datetime, datetime]]:
    """(rollup, start, end) of every rollup row that begins in [since, until)."""
    if rollup == "1d":
        day = since.astimezone(home).date()
        days = [day + timedelta(days=i) for i in range((until - since).days + 3)]
        starts = sorted({datetime(d.year, d.month, d.day, tzinfo=home).astimezone(UTC) for d in days})
        return [(rollup, a, b) for a, b in pairwise(starts) if since <= a < until]
    grain = GRAINS[rollup]
    first = since + (-(since - utc(1970, 1, 1)) % grain)
    return [(rollup, first + i * grain, first + (i + 1) * grain) for i in range(-(-(until - first) // grain))]


def taken(part: Slice, home: ZoneInfo) -> list[tuple[str, datetime, datetime]]:
    """The rows that a slice reads."""
    rows = rows_of(part.rollup, part.since, part.until, home)
    if part.but_since is None or part.but_until is None:
        return rows
    return [row for row in rows if not part.but_since <= row[1] < part.but_until]


def check(name: Name, window: Window, now: datetime, zone: ZoneInfo, home: ZoneInfo) -> Plan:
    """What holds of every plan; the plan."""
    made = plan(name, window, now, zone, home)
    starts = [b.start for b in made.buckets]
    assert all(a < b for a, b in pairwise(starts)), "buckets do not rise"
    assert len(starts) <= at_most(name, window)
    until = min(window.until, now)
    if not starts:
        assert not made.slices
        # Nothing to show only where the window is within one row of the finest rollup.
        assert until - window.since < HOUR
        return made
    # Of what is still to come there are no rows.
    rows = sorted((row for part in made.slices for row in taken(part, home) if row[1] < now), key=lambda row: row[1])
    finest = min((GRAINS.get(rollup, DAY) for rollup, _, _ in rows), default=5 * MINUTE)
    # Rows join without a gap and without overlap: each moment is counted once.
    assert all(a[2] == b[1] for a, b in pairwise(rows))
    if rows:
        assert rows[0][1] <= window.since < rows[0][2]
        # The last row is cut by `until` no further than the precision promised; what runs at `now` is in.
        assert rows[-1][2] > until - max(finest, HOUR if any(r == "1d" for r, _, _ in rows) else finest)
        if until == now:
            assert rows[-1][2] >= until
    # No row lies across the border of two buckets.
    edges = {start for _, start, _ in rows} | {end for _, _, end in rows}
    for _, start, end in rows:
        assert bisect_right(starts, start) > 0
        assert bisect_right(starts, start) == bisect_left(starts, end)
    for bucket, end in pairwise(made.buckets):
        if not bucket.partial:
            assert {bucket.start, end.start} <= edges, "a bucket that is not whole and does not say so"
    return made


@given(
    name=st.sampled_from(sorted(LENGTHS)),
    zone=st.sampled_from(ZONES),
    home=st.sampled_from(ZONES),
    since=st.datetimes(datetime(2011, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001
    length=st.integers(0, 3 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))
    | st.timedeltas(timedelta(), 20 * DAY),
    ago=st.timedeltas(timedelta(), 3 * DAY),
)
@example("12h", "Pacific/Apia", "Asia/Jakarta", datetime(2011, 12, 28), 5 * DAY, timedelta())  # noqa: DTZ001
@example("1d", "Pacific/Apia", "Pacific/Apia", datetime(2011, 12, 28), 5 * DAY, timedelta())  # noqa: DTZ001
@example("2h", "America/Havana", "America/Havana", datetime(2025, 11, 1), 3 * DAY, timedelta())  # noqa: DTZ001
@settings(max_examples=150, deadline=None)
def test_every_row_is_in_exactly_one_bucket(
    name: Name, zone: str, home: str, since: datetime, length: timedelta, ago: timedelta
) -> None:
    start = since.replace(tzinfo=UTC)
    window = Window(start, start + length)
    check(name, window, window.until - ago, ZoneInfo(zone), ZoneInfo(home))
    check(name, window, window.until + DAY, ZoneInfo(zone), ZoneInfo(home))


@pytest.mark.parametrize("name", sorted(LENGTHS))
def test_a_whole_day_in_jakarta(name: Name) -> None:
    window = Window(utc(2026, 11, 23, 17), utc(2026, 11, 24, 17))
    made = check(name, window, utc(2026, 12, 1), JAKARTA, JAKARTA)
    expected = 1 if name == "1mo" else DAY // LENGTHS[name]
    assert len(made.buckets) == expected
    assert [b.partial for b in made.buckets] == [name == "1mo"] * expected
    assert made.buckets[0].start == (utc(2026, 10, 31, 17) if name == "1mo" else window.since)


def test_days_and_months_begin_at_midnight_of_the_zone() -> None:
    window = Window(utc(2026, 10, 15), utc(2026, 12, 15))
    months = plan("1mo", window, utc(2027, 1, 1), JAKARTA, JAKARTA)
    assert [(b.start, b.partial) for b in months.buckets] == [
        (utc(2026, 9, 30, 17), True),
        (utc(2026, 10, 31, 17), False),
        (utc(2026, 11, 30, 17), True),
    ]
    days = plan("1d", window, utc(2027, 1, 1), ZoneInfo("UTC"), JAKARTA)
    assert {b.start.hour for b in days.buckets} == {0}
    # Days of another zone than that of the daily rollups are made of hours.
    assert {part.rollup for part in days.slices} <= {"1h", "5m"}


def test_summer_time_gives_days_of_23_and_25_hours() -> None:
    zone = ZoneInfo("America/New_York")
    made = plan("1d", Window(utc(2026, 3, 7, 5), utc(2026, 3, 10, 4)), utc(2027, 1, 1), zone, zone)
    assert [b.start for b in made.buckets] == [utc(2026, 3, 7, 5), utc(2026, 3, 8, 5), utc(2026, 3, 9, 4)]
    assert not any(b.partial for b in made.buckets)
    made = plan("1d", Window(utc(2026, 10, 31, 4), utc(2026, 11, 3, 5)), utc(2027, 1, 1), zone, zone)
    assert [b.start.hour for b in made.buckets] == [4, 4, 5]


def test_the_running_bucket_is_partial_and_whole_rows_of_it_are_read() -> None:
    now = utc(2026, 11, 24, 12, 20)
    made = plan("1h", Window(utc(2026, 11, 24, 10), now), now, JAKARTA, JAKARTA)
    assert [b.partial for b in made.buckets] == [False, False, True]
    assert made.slices == [Slice("1h", utc(2026, 11, 24, 10), utc(2026, 11, 24, 13))]


def test_edges_come_from_the_finer_rollup() -> None:
    made = plan("1h", Window(utc(2026, 11, 24, 10, 7), utc(2026, 11, 24, 12, 50)), utc(2027, 1, 1), JAKARTA, JAKARTA)
    assert [(b.start.hour, b.partial) for b in made.buckets] == [(10, True), (11, False), (12, True)]
    assert made.slices == [
        Slice("1h", utc(2026, 11, 24, 11), utc(2026, 11, 24, 12)),
        Slice("5m", utc(2026, 11, 24, 10, 5), utc(2026, 11, 24, 12, 50), utc(2026, 11, 24, 11), utc(2026, 11, 24, 12)),
    ]


@pytest.mark.parametrize("name", sorted(LENGTHS))
def test_nothing_is_shown_of_the_future(name: Name) -> None:
    now = utc(2026, 11, 24)
    assert plan(name, Window(now, now + DAY), now, JAKARTA, JAKARTA) == NOTHING
    assert plan(name, Window(now - DAY, now - DAY), now, JAKARTA, JAKARTA) == NOTHING


def test_buckets_are_as_long_as_their_name_says() -> None:
    for name, length in LENGTHS.items():
        if name in ("1d", "1mo"):
            continue
        made = plan(name, Window(utc(2026, 11, 1), utc(2026, 11, 8)), utc(2027, 1, 1), JAKARTA, JAKARTA)
        assert set(Counter(b.start - a.start for a, b in pairwise(made.buckets))) == {length}, name
