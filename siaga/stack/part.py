"""A part of the stack: what to start, how to know that it works, how to stop it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from siaga.stack.processes import Identity

# What to say of a part that works ("PostgreSQL 18.4 on …"), or None while it does not.
Check = Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class Part:
    """Parts of one stage start together, after those of earlier stages work; all stop in the reverse order."""

    name: str
    stage: int
    command: tuple[str, ...]
    env: Mapping[str, str]
    ready: Check
    # ingest, worker and api write their own row of the `part` table; for the others the supervisor does.
    reports: bool = False
    # Ask `ready` again for every row the supervisor writes. A part that does not answer then is `degraded`.
    ask_again: bool = False
    # Not ready before it has lived for this long.
    settle_s: float = 0.0
    start_s: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_s: float = 10.0
    # What the kernel sends when `siaga up` is killed. Everything acknowledged is committed, so nothing is lost by -9.
    death_signal: signal.Signals = signal.SIGKILL
    identity: Identity = "self"
    folder: Path | None = None
    before_start: Callable[[], None] | None = None
