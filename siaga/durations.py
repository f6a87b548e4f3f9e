"""Durations as people say them."""

from __future__ import annotations


def seconds_text(seconds: float) -> str:
    """As people say it: 12 s, 5 min, 3 h, 12 days."""
    size = abs(seconds)
    for unit, length, until in (("s", 1, 120), ("min", 60, 7_200), ("h", 3_600, 172_800)):
        if size < until:
            return f"{seconds / length:.{1 if size < 10 and unit == 's' else 0}f} {unit}"
    return f"{seconds / 86_400:.0f} days"
