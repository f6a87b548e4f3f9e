"""What groups of processes use between two moments: CPU time, and memory at its peak."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench.measure import cpu_s, memory_mb, tree

# All processes of a round take 12 ms to ask for their memory: so often it is 2 % of a core.
EVERY_S = 0.5


class Used(NamedTuple):
    """CPU seconds, user and system; memory in MB at its peak (Pss, without shared buffers)."""

    cpu_s: float
    peak_mb: float


class Watch:
    """Watches named groups of processes, each with all below it, from the moment it is made."""

    def __init__(self, groups: Mapping[str, Sequence[int]]) -> None:
        self._groups = groups
        self._cpu_s = self._cpu()
        self._peak_mb = dict.fromkeys(groups, 0.0)
        self._next = 0.0

    def look(self) -> None:
        """Take a sample of memory when it is time for one."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY_S
            for name, pids in self._groups.items():
                held = sum(memory_mb(each) for pid in pids for each in tree(pid))
                self._peak_mb[name] = max(self._peak_mb[name], held)

    def used(self) -> dict[str, Used]:
        """Since the beginning. Processes that have ended count as long as nobody has waited for them."""
        now, self._next = self._cpu(), 0.0
        self.look()
        return {name: Used(now[name] - self._cpu_s[name], self._peak_mb[name]) for name in self._groups}

    def _cpu(self) -> dict[str, float]:
        return {name: sum(cpu_s(each) for pid in pids for each in tree(pid)) for name, pids in self._groups.items()}
