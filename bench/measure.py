"""What a benchmark prints: a figure of ours beside that of a reference on the same work in the same minute."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Figure:
    """ours and reference in `unit`; higher is better unless `less_is_better`."""

    name: str
    unit: str
    ours: float
    reference: float
    reference_is: str
    less_is_better: bool = False

    @property
    def ratio(self) -> float:
        return self.ours / self.reference if self.reference else float("nan")

    def __str__(self) -> str:
        better = "less is better" if self.less_is_better else "more is better"
        return (
            f"{self.name:<34} {self.ours:>12,.1f} {self.unit:<10} ratio {self.ratio:>6.2f} ({better}); "
            f"reference {self.reference:,.1f}: {self.reference_is}"
        )


def keep(figures: list[Figure]) -> None:
    """Print the figures, and keep them in bench/results (git-ignored)."""
    RESULTS.mkdir(exist_ok=True)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    with (RESULTS / "figures.jsonl").open("a", encoding="utf-8") as file:
        for figure in figures:
            print(figure, flush=True)
            file.write(json.dumps({"at": at, **asdict(figure), "ratio": figure.ratio}) + "\n")
    sys.stdout.flush()


def keep_json(name: str, content: Any) -> Path:
    """Write a whole result into bench/results, under its name and the time; the file."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    file.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return file


def memory_mb(pid: int) -> float:
    """Memory of a process, MB; pages it shares with others are divided among them. Shared buffers do not count."""
    held = _smaps(pid)
    return held.get("Pss", 0.0) - held.get("Pss_Shmem", 0.0)


def shared_mb(pid: int) -> float:
    """A process's part of shared memory, MB: of PostgreSQL, the buffers it has filled so far."""
    return _smaps(pid).get("Pss_Shmem", 0.0)


def _smaps(pid: int) -> dict[str, float]:
    """What the kernel says of a process's memory, MB. It walks all pages for it: 1 to 3 ms."""
    rows = (line.split() for line in _read(f"/proc/{pid}/smaps_rollup").splitlines()[1:])
    return {row[0].rstrip(":"): int(row[1]) / 1024 for row in rows}


def tree(pid: int) -> list[int]:
    """A process and all below it; none when it is gone."""
    if not (task := Path(f"/proc/{pid}/task")).exists():
        return []
    children = [int(child) for thread in task.iterdir() for child in _read(f"{thread}/children").split()]
    return [pid, *(below for child in children for below in tree(child))]


def cpu_s(pid: int) -> float:
    """CPU time a process has used, with that of its children that have ended, s."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:  # a process may end between being listed and being read
        return ""
