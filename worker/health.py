"""How the worker is, in the words of its row in `part`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from storage.as_json import time_text
from storage.parts import Facts, How, State

# Live data older than this that is not rolled up: screens show old numbers as new.
LAG_MAX_S = 60.0
# One failure may be a restart of the database; the next is a fault.
FAILURES_MAX = 1


class Backlog(NamedTuple):
    """What the broker holds: messages not yet acknowledged, all bytes of its store, and the most it takes, if known."""

    messages: int
    bytes: int
    limit_bytes: int | None


@dataclass
class Health:
    """What the jobs found out, each in its turn."""

    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    rolled_up_to: datetime | None = None
    pending: int = 0
    backlog: Backlog | None = None  # None: not asked, or no answer
    _fresh_since: float = field(default_factory=time.monotonic)
    _failures: dict[str, tuple[int, str]] = field(default_factory=dict)

    def rolled_up(self, at: datetime, began: float, pending: int) -> None:
        """All live data up to `at` is in the rollups; `began` is that moment on the monotonic clock."""
        self.rolled_up_to, self._fresh_since, self.pending = at, began, pending

    def succeeded(self, job: str) -> None:
        self._failures.pop(job, None)

    def failed(self, job: str, error: str) -> bool:
        """Remember a failure; True if it is worth a line in the log: another one than the last time."""
        times, before = self._failures.get(job, (0, ""))
        self._failures[job] = (times + 1, error)
        return error != before

    def about(self, job: str) -> Callable[[str | None], None]:
        """Where a job that runs by itself tells its failures, and by None that it is well again."""

        def report(error: str | None) -> None:
            if error is None:
                self.succeeded(job)
            else:
                self.failed(job, error)

        return report

    @property
    def how(self) -> How:
        return How(self.state, self.detail, self.facts)

    @property
    def facts(self) -> Facts:
        held = self.backlog
        return {
            "rollup_lag_s": round(self.lag_s, 1),
            "rollup_pending_marks": self.pending,
            "broker_held_messages": held and held.messages,
            "broker_held_bytes": held and held.bytes,
            "broker_limit_bytes": held and held.limit_bytes,
        }

    @property
    def lag_s(self) -> float:
        """Age of the newest live data that is not rolled up."""
        return time.monotonic() - self._fresh_since

    @property
    def state(self) -> State:
        if self.lag_s > LAG_MAX_S or self._repeated:
            return "degraded"
        return "up" if self.rolled_up_to else "starting"

    @property
    def detail(self) -> str:
        if self._repeated:
            return "; ".join(f"{job}: {error}" for job, error in self._repeated.items())
        if self.rolled_up_to is None:
            return "nothing rolled up yet"
        return f"rolled up to {time_text(self.rolled_up_to.replace(microsecond=0))}, {self.pending} marks pending"

    @property
    def _repeated(self) -> dict[str, str]:
        return {job: error for job, (times, error) in self._failures.items() if times > FAILURES_MAX}
