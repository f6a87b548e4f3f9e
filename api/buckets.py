"""Which buckets an answer of /metrics has, and from which rollups they are made. Pure.

Up to 1 h buckets follow UTC; longer ones, days and months follow the wall clock of the zone asked for.
from and to count to the precision of the finest rollup used: 5 min; 1 h where days come from daily rollups.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from api.params import Window
from storage.kind_tables import Level
from storage.read_metrics import Slice

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MONTH_AT_LEAST = timedelta(days=28)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Name = Literal["5m", "10m", "15m", "20m", "30m", "1h", "2h", "3h", "4h", "6h", "8h", "12h", "1d", "1mo"]
# Only lengths that divide an hour or a day: every bucket then begins where people expect it.
LENGTHS: dict[Name, timedelta] = {
    "5m": 5 * MINUTE, "10m": 10 * MINUTE, "15m": 15 * MINUTE, "20m": 20 * MINUTE, "30m": 30 * MINUTE,
    "1h": HOUR, "2h": 2 * HOUR, "3h": 3 * HOUR, "4h": 4 * HOUR, "6h": 6 * HOUR, "8h": 8 * HOUR, "12h": 12 * HOUR,
    "1d": DAY, "1mo": MONTH_AT_LEAST,
}  # fmt: skip


class Bucket(NamedTuple):
    start: datetime
    partial: bool


class Plan(NamedTuple):
    """The buckets of an answer, and the rollup rows that fill them: each row in exactly one slice.

    steps are the starts of what devices are taken together by: the buckets, or the days of months.
    """

    buckets: list[Bucket]
    slices: list[Slice]
    steps: list[datetime]

    @property
    def starts(self) -> list[datetime]:
        return [bucket.start for bucket in self.buckets]


NOTHING = Plan([], [], [])


def at_most(name: Name, window: Window) -> int:
    """No more buckets than this touch the window; cheap, to be asked before `plan`."""
    return int((window.until - window.since) / LENGTHS[name]) + 2


def plan(name: Name, window: Window, now: datetime, zone: ZoneInfo, home: ZoneInfo) -> Plan:
    """Buckets that touch the window, up to now; home is the zone of the daily rollups."""
    until = min(window.until, now)
    if window.since >= until:
        return NOTHING
    main, fine = _rollups(name, zone, home, Window(window.since, until))
    grain = HOUR if (fine or main) == "1h" else 5 * MINUTE
    since = _floor(window.since, grain)
    # What is rolled up so far of the running bucket is all there is: nothing to cut.
    open_ended = until >= now
    end = until if open_ended else _floor(until, grain)
    if since >= end:
        return NOTHING
    boundaries = _boundaries(name, since, end, zone)
    buckets = [Bucket(a, a < since or b > end) for a, b in pairwise(boundaries)]
    steps = _boundaries("1d", since, end, zone)[:-1] if name == "1mo" else boundaries[:-1]
    if fine is None:
        return Plan(buckets, [Slice(main, since, end)], steps)
    whole_since = _whole(main, since, home)
    whole_until = boundaries[-1] if open_ended else _whole(main, end, home, after=False)
    if whole_since >= whole_until:
        return Plan(buckets, [Slice(fine, since, end)], steps)
    slices = [Slice(main, whole_since, whole_until)]
    if since < whole_since or whole_until < end:
        slices.append(Slice(fine, since, end, whole_since, whole_until))
    return Plan(buckets, slices, steps)


def _rollups(name: Name, zone: ZoneInfo, home: ZoneInfo, window: Window) -> tuple[Level, Level | None]:
    """The coarsest rollup whose buckets fit into ours, and the finer one for the edges that the window cuts."""
    if LENGTHS[name] < HOUR:
        return "5m", None
    if name == "1h":
        return "1h", "5m"
    whole_hours = all(_offset(at, zone) % HOUR == timedelta(0) for at in window)
    if name in ("1d", "1mo") and zone.key == home.key:
        return "1d", "1h" if whole_hours else "5m"
    return ("1h", "5m") if whole_hours else ("5m", None)


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _floor(at: datetime, grain: timedelta) -> datetime:
    return at - (at - EPOCH) % grain


def _whole(rollup: Level, at: datetime, home: ZoneInfo, after: bool = True) -> datetime:
    """The nearest start of a rollup bucket: at or after `at`, or else at or before it."""
    name: Name = "1d" if rollup == "1d" else "1h"
    before, following = _boundaries(name, at, at + timedelta(microseconds=1), home)[:2]
    return before if before == at or not after else following


def _boundaries(name: Name, since: datetime, end: datetime, zone: ZoneInfo) -> list[datetime]:
    """Starts of the buckets that touch [since, end), and the end of the last one."""
    rising = _starts(name, since, zone)
    found = list(takewhile(lambda start: start < end, rising))
    # takewhile has swallowed the one that ended it: the end of the last bucket is the start of the next.
    return [*found, next(_starts(name, end, zone, at_or_after=True))]


def _starts(name: Name, since: datetime, zone: ZoneInfo, at_or_after: bool = False) -> Iterator[datetime]:
    """Starts from the bucket that holds `since` on; at_or_after leaves it out unless it begins there."""
    length = LENGTHS[name]
    local = length > HOUR
    at = since.astimezone(zone).replace(tzinfo=None) if local else since
    if name == "1mo":
        at = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    else:
        at -= (at - at.replace(hour=0, minute=0, second=0, microsecond=0)) % length
    before = datetime.min.replace(tzinfo=UTC)
    while True:
        start = at.replace(tzinfo=zone).astimezone(UTC) if local else at
        # A zone may leave out a whole day (Apia, 2011): its buckets would begin where those of the next day do.
        if start > before and (start >= since or not at_or_after):
            yield start
            before = start
        at = (at + 32 * DAY).replace(day=1) if name == "1mo" else at + length
