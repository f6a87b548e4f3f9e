"""What was received, what became of it, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from siaga.client.answers import Number, Time, read
from siaga.client.plain import Plain
from siaga.client.values import Moment, span


@dataclass(frozen=True, slots=True)
class LedgerHour:
    hour: Time
    received: int
    stored: int
    duplicate: int
    conflict: int
    quarantined: int
    missing: int
    expected: int
    completeness: Number


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """hour, kind and district as far as it was asked by these."""

    received: int
    stored: int
    duplicate: int
    conflict: int
    quarantined: int
    missing: int
    expected: int
    completeness: Number
    final: bool
    hour: Time | None = None
    kind: str | None = None
    district: str | None = None


@dataclass(frozen=True, slots=True)
class MissingRange:
    boot: str
    first: int
    last: int
    count: int
    after: Time
    until: Time


@dataclass(frozen=True, slots=True)
class Drift:
    device_id: str
    offset_s: Number
    drift_s_per_day: Number
    n: int
    flagged: bool


class LedgerCalls(Plain):
    """The ledger of a device or of the fleet."""

    def ledger(self, device: str, *, since: Moment | None = None, until: Moment | None = None) -> list[LedgerHour]:
        items = self.items("/ledger", device=device, **span(since, until))
        return [read(LedgerHour, each) for each in items]

    def ledger_summary(
        self,
        by: Sequence[str] = ("hour",),
        *,
        kind: str | None = None,
        district: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
    ) -> list[SummaryLine]:
        """The ledger of the whole fleet by hour, kind, district, or several of these."""
        items = self.items("/ledger/summary", by=by, kind=kind, district=district, **span(since, until))
        return [read(SummaryLine, each) for each in items]

    def missing(self, device: str, *, since: Moment | None = None, until: Moment | None = None) -> list[MissingRange]:
        """Ranges of sequence numbers that are missing."""
        items = self.items("/ledger/missing", device=device, **span(since, until))
        return [read(MissingRange, each) for each in items]

    def drift(self, device: str, *, since: Moment | None = None, until: Moment | None = None) -> Drift:
        """How far a device's clock is off, and how fast it drifts."""
        return read(Drift, self.get("/ledger/drift", device=device, **span(since, until)))
