"""Times as people write them on the command line: 90s, 1h30m, 7d; a moment; how much faster than real."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

LONGEST_S = 3_660 * 86_400.0  # ten years
YEARS = (1971, 2199)
_DURATION = re.compile(r"^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?$")


def parse_duration(text: str, option: str = "--for") -> float:
    """Seconds of 90s, 10m, 1h30m, 7d or plain seconds, ten years at most. Raises ValueError."""
    match = _DURATION.match(text.strip())
    units = (86_400, 3600, 60, 1)
    seconds = sum(float(n or 0) * unit for n, unit in zip(match.groups(), units, strict=True)) if match else 0
    if seconds <= 0:
        raise ValueError(f"{option} {text!r}: write 90s, 10m, 1h30m or 7d")
    if seconds > LONGEST_S:
        raise ValueError(f"{option} {text!r}: 3660d at most")
    return seconds


def parse_speed(text: str) -> float | None:
    """None for `max`, else how many times faster. Raises ValueError."""
    if text == "max":
        return None
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise ValueError(f"--speed {text!r}: write max, or how many times faster than real, such as 60")
    return factor


def parse_start(text: str, now: datetime) -> datetime:
    """A moment in RFC 3339 with offset, `now`, or relative to now, as -24h. Raises ValueError."""
    if text == "now":
        return now
    if text.startswith("-") and _DURATION.match(text[1:]):
        return now - timedelta(seconds=parse_duration(text[1:], "--start"))
    try:
        start: datetime | None = datetime.fromisoformat(text)
    except ValueError:
        start = None
    if start is None or start.tzinfo is None:
        raise ValueError(f"--start {text!r}: write a time with its offset (2026-11-20T00:00+07:00), now, or -24h")
    if not YEARS[0] <= start.year <= YEARS[1]:
        raise ValueError(f"--start {text!r}: its year must be from {YEARS[0]} to {YEARS[1]}")
    return start
