"""A route that is on its way out says so in every answer: `Deprecation` (RFC 9745), `Sunset` (RFC 8594), and links.

Declared where the route is: `@ENDPOINTS.get(…, deprecated=Deprecated(…))`. docs/api.md has the policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime

# What docs/api.md promises: so long an address goes on working after it was said to be on its way out.
LEAST = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Deprecated:
    """since: no new client should use it; until: it is gone from then on; instead: the address that takes its place."""

    since: date
    until: date
    instead: str

    def __post_init__(self) -> None:
        if self.until - self.since < LEAST:
            raise ValueError(f"{self.until} is less than {LEAST.days} days after {self.since}")

    @property
    def headers(self) -> Mapping[str, str]:
        since, until = _midnight(self.since), _midnight(self.until)
        return {
            "Deprecation": f"@{since.timestamp():.0f}",
            "Sunset": format_datetime(until, usegmt=True),
            # Beside `rel="next"` of a page: a header of its own.
            "Link": f'<{self.instead}>; rel="successor-version"',
        }

    @property
    def sentence(self) -> str:
        return f"Deprecated since {self.since}, gone from {self.until} on; use {self.instead}."


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
