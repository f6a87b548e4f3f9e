"""Which flag the server stores a reading with, given the readings of its device that arrived before it.

A second, plain implementation of the checks over time in docs/quality.md: one reading after the other, one metric after
the other. The numbers are those that the kind declares.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from devices.device import Device
from devices.kinds import KINDS
from devices.quality import ROUNDING, Change, Flat, Quality, Reason, Restless

MS = 1_000


@dataclass(slots=True)
class _Accepted:
    """The last value that was taken for real, and how many after it in a row were too far above (below: negative)."""

    value: float
    at_ms: int
    off: int = 0


@dataclass(slots=True)
class _Run:
    """Values that have hardly moved since a time."""

    low: float
    high: float
    since_ms: int
    count: int = 1


@dataclass(slots=True)
class _Counter:
    """A counter as last told, and each time that it rose by one: the time of the reading before."""

    value: float
    at_ms: int
    rose: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Watched:
    """One device as the server has seen it; readings come in the order of arrival."""

    device: Device
    newest_ms: int | None = None
    accepted: dict[str, _Accepted] = field(default_factory=dict)
    runs: dict[str, _Run] = field(default_factory=dict)
    counters: dict[str, _Counter] = field(default_factory=dict)

    def judge(self, ts_ms: int, values: dict[str, float | None], qc: int, reason: int) -> tuple[int, int]:
        """Flag and reasons of a reading whose fields alone gave qc and reason."""
        if self.newest_ms is not None and ts_ms <= self.newest_ms:
            return qc, reason
        gap_ms = None if self.newest_ms is None else ts_ms - self.newest_ms
        self.newest_ms = ts_ms
        if qc > Quality.NOT_EVALUATED:
            return qc, reason
        for name, metric in KINDS[self.device.kind].metrics.items():
            value = values.get(name)
            if value is None:
                continue
            if metric.change is not None and (found := self._change(metric.change, name, value, ts_ms)):
                qc, reason = max(qc, Quality.SUSPECT), reason | found
            if metric.flat is not None and (how := self._flat(metric.flat, name, value, ts_ms, gap_ms)):
                qc, reason = max(qc, how), reason | Reason.FLAT
            if metric.restless is not None and self._restless(metric.restless, name, value, ts_ms):
                reason |= Reason.RESTLESS
        return int(qc), int(reason)

    def _change(self, check: Change, name: str, value: float, ts_ms: int) -> int:
        """Reasons to doubt a value, 0 for none."""
        last = self.accepted.get(name)
        if last is None:
            self.accepted[name] = _Accepted(value, ts_ms)
            return 0
        step = value - last.value
        if check.rises_only and step < 0:
            step = 0.0
        if abs(step) <= self._allowed(check, ts_ms - last.at_ms):
            self.accepted[name] = _Accepted(value, ts_ms)
            return 0
        if step > 0:
            last.off = last.off + 1 if last.off > 0 else 1
        else:
            last.off = last.off - 1 if last.off < 0 else -1
        if abs(last.off) >= check.confirm:
            self.accepted[name] = _Accepted(value, ts_ms)
            return 0
        return Reason.RATE | Reason.SPIKE if abs(step) > check.spike else Reason.RATE

    def _allowed(self, check: Change, ms: int) -> float:
        """How far a value may be from another so many ms away; without end where the device does not say."""
        per_s = check.per_s
        if check.per is not None:
            told = self.device.attributes.get(check.per)
            if told is None:
                return float("inf")
            per_s = check.per_s * float(told)
        return max(check.least, per_s * (ms * 1_000) / 1_000_000)

    def _flat(self, check: Flat, name: str, value: float, ts_ms: int, gap_ms: int | None) -> int:
        """SUSPECT or FAIL for a value that has stood still for so long, 0 for none."""
        step = self.device.attributes.get(check.step) if check.step is not None else None
        if step is not None and float(step) > check.tolerance:
            return 0
        run = self.runs.get(name)
        if (
            run is None
            or gap_ms is None
            or gap_ms > check.suspect_s * MS
            or value <= check.above
            or max(run.high, value) - min(run.low, value) > check.tolerance + ROUNDING
        ):
            self.runs[name] = _Run(value, value, ts_ms)
            return 0
        run.low, run.high, run.count = min(run.low, value), max(run.high, value), run.count + 1
        lasts_ms = ts_ms - run.since_ms
        if lasts_ms < check.suspect_s * MS or run.count < check.samples:
            return 0
        return Quality.FAIL if lasts_ms >= check.fail_s * MS else Quality.SUSPECT

    def _restless(self, check: Restless, name: str, value: float, ts_ms: int) -> bool:
        """Whether a counter has risen so often within so long; twice within one reading's time is twice."""
        last = self.counters.get(name)
        if last is None:
            self.counters[name] = _Counter(value, ts_ms)
            return False
        last.rose += [last.at_ms] * min(int(max(0, value - last.value)), check.rise)
        last.rose = [at_ms for at_ms in last.rose if at_ms >= ts_ms - check.within_s * MS]
        last.value, last.at_ms = value, ts_ms
        return len(last.rose) >= check.rise
