"""What endpoints take from the query: times, limits, cursors, names. Refusals are 422 and name field and limit."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NamedTuple

from fastapi import Query
from pydantic import AfterValidator, WithJsonSchema

from api.problems import wrong_field
from devices.kinds import KINDS
from devices.topics import DEVICE_ID, REGION

RELATIVE = re.compile(r"^-([0-9]{1,5})([smhd])$")
# The sign of an offset often arrives as a space, because + means that in a query.
ABSOLUTE = re.compile(
    r"^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(?:([Zz])|([+\- ])(\d\d:\d\d))$", re.ASCII
)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
CURSOR_MAX = 500
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)

Moment = Annotated[
    str,
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "pattern": RELATIVE.pattern}],
            "description": "RFC 3339 with offset, or relative to now: -6h (s, m, h, d)",
        }
    ),
]


def _known_kind(name: str) -> str:
    if name not in KINDS:
        raise ValueError(f"unknown kind; known are {', '.join(sorted(KINDS))}")
    return name


KindName = Annotated[str, AfterValidator(_known_kind), WithJsonSchema({"type": "string", "enum": sorted(KINDS)})]
KindFilter = Annotated[KindName | None, Query(description="only this kind")]
DeviceId = Annotated[str, Query(pattern=DEVICE_ID.pattern)]
DistrictFilter = Annotated[
    str | None, Query(pattern=REGION.pattern, description="only this district (kecamatan code, 12.09.19)")
]
From = Annotated[Moment | None, Query(alias="from", description="from this time on")]
To = Annotated[Moment | None, Query(alias="to", description="before this time; now when left out")]
Limit = Annotated[int | None, Query(ge=1, description="items in one answer")]
Cursor = Annotated[
    str | None, Query(max_length=CURSOR_MAX, description="next_cursor of the page before; opaque", min_length=1)
]


class Window(NamedTuple):
    """Half-open: since <= t < until."""

    since: datetime
    until: datetime


def moment(field: str, text: str, now: datetime) -> datetime:
    """An aware UTC time from RFC 3339 or relative text."""
    try:
        at = _relative(text, now) or _absolute(text)
    except (ValueError, OverflowError):
        at = None
    if at is None:
        raise wrong_field(field, f"{text!r} is no time; write 2026-11-24T19:10:00+07:00, or -6h for six hours ago")
    if at < EARLIEST:
        raise wrong_field(field, f"{text!r} is before {EARLIEST.year}")
    return at


def window(since: str | None, until: str | None, now: datetime, default: timedelta) -> Window:
    """The time range of a query; `default` long when nothing is said."""
    end = moment("to", until, now) if until is not None else now
    start = moment("from", since, now) if since is not None else end - default
    if start > end:
        raise wrong_field("from", f"{start.isoformat()} is after to, {end.isoformat()}")
    return Window(start, end)


def limit_of(limit: int | None, most: int, default: int | None = None, setting: str = "SIAGA_PAGE_MAX") -> int:
    """The page size; at most what that setting says."""
    if limit is not None and limit > most:
        raise wrong_field("limit", f"{limit} is more than {most} ({setting}); use a cursor")
    return limit or min(default or most, most)


def write_cursor(*position: str | int | bool) -> str:
    """An opaque text for the place where a page ended."""
    return base64.urlsafe_b64encode(json.dumps(position, separators=(",", ":")).encode()).rstrip(b"=").decode()


def read_cursor(cursor: str, *shape: type) -> Sequence[Any]:
    """The position in a cursor. Raises 422 when this endpoint has not written it."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        position = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if isinstance(position, list) and [type(part) for part in position] == list(shape) and _storable(position):
            return position
    except (ValueError, RecursionError):
        pass
    raise wrong_field("cursor", "not one that this address has given; leave it out to start from the beginning")


def cursor_time(text: str) -> datetime:
    """A time in a cursor."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong_field("cursor", "not one that this address has given") from None


def _storable(position: list[Any]) -> bool:
    """Texts and numbers that PostgreSQL has: somebody may have written the cursor by hand."""
    texts = "".join(part for part in position if isinstance(part, str))
    return texts.isprintable() and all(abs(n) < 2**63 for n in position if isinstance(n, int))


def _relative(text: str, now: datetime) -> datetime | None:
    match = RELATIVE.fullmatch(text)
    return now - timedelta(**{UNITS[match[2]]: int(match[1])}) if match else None


def _absolute(text: str) -> datetime | None:
    match = ABSOLUTE.fullmatch(text)
    if match is None:
        return None
    day, clock, zulu, sign, offset = match.groups()
    zone = "+00:00" if zulu else f"{'-' if sign == '-' else '+'}{offset}"
    return datetime.fromisoformat(f"{day}T{clock}{zone}").astimezone(UTC)
