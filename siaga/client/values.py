"""Values on their way out: what a query and a body may hold. Times must be aware; a naive one is a ValueError."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypedDict
from urllib.parse import quote

Moment = datetime | str  # str: RFC 3339 with an offset, or relative to now as "-6h"
Value = str | float | datetime | Sequence[str] | Sequence[float] | None


class Groups(TypedDict, total=False):
    """Devices by what they belong to."""

    district: str | None
    panel: str | None
    feeder: str | None
    river: str | None
    site: str | None


class Place(Groups, total=False):
    """Devices by where they are. bbox: west, south, east, north; near: lat, lon, radius in m."""

    gateway: str | None
    bbox: Sequence[float] | None
    near: Sequence[float] | None


def only(known: type[Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """The same, if all of it is known; a slip is told before anything is asked."""
    unknown = told.keys() - known.__annotations__.keys()
    if unknown:
        raise TypeError(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(known.__annotations__)}")
    return dict(told)


def given(**values: Any) -> dict[str, Any]:
    """What was said, without what was left out."""
    return {name: value for name, value in values.items() if value is not None}


def span(since: Moment | None, until: Moment | None) -> dict[str, Moment | None]:
    """A range in the API's words, of which the first is none for a Python argument."""
    return {"from": since, "to": until}


def part(text: str) -> str:
    """A name as a part of a path."""
    return quote(text, safe="")


def as_query(values: Mapping[str, Value]) -> dict[str, str]:
    """The query of a request, without what was left out."""
    return {name: _text(value) for name, value in given(**values).items()}


def as_body(value: Any) -> bytes:
    """JSON, with times as they are sent."""
    return json.dumps(value, default=_plain, ensure_ascii=False, allow_nan=False).encode()


def time_text(at: datetime) -> str:
    """RFC 3339 in UTC."""
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no zone; make it aware, as datetime.now(UTC) is")
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _text(value: Value) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case datetime():
            return time_text(value)
        case Sequence():
            return ",".join(map(str, value))
        case _:
            return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return time_text(value)
    raise TypeError(f"{value!r} cannot be sent as JSON")
