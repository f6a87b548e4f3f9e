"""The time that a truth speaks for."""

from __future__ import annotations

from typing import NamedTuple

from storage.audit import Ints


class Window(NamedTuple):
    """µs since 1970 UTC; both ends belong to it."""

    since_us: int
    until_us: int

    def holds(self, at_us: int) -> bool:
        return self.since_us <= at_us <= self.until_us

    def reaching(self, at_us: Ints) -> Window:
        """This one, and as far as these times lie around it: a clock that runs ahead tells of hours after the end."""
        return Window(int(at_us.min(initial=self.since_us)), int(at_us.max(initial=self.until_us)))

    def touches(self, start_us: int, length_us: int) -> bool:
        """Whether a stretch of time, its end left out, has a moment in common with this one."""
        return start_us <= self.until_us and start_us + length_us > self.since_us
