"""The time that a truth speaks for."""

from __future__ import annotations

from typing import NamedTuple


class Window(NamedTuple):
    """µs since 1970 UTC; both ends belong to it."""

    since_us: int
    until_us: int

    def holds(self, at_us: int) -> bool:
        return self.since_us <= at_us <= self.until_us

    def touches(self, start_us: int, length_us: int) -> bool:
        """Whether a stretch of time, its end left out, has a moment in common with this one."""
        return start_us <= self.until_us and start_us + length_us > self.since_us
