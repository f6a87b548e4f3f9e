"""Where the time of (e) goes: the same run under py-spy, perf or, where neither is, cProfile."""

from __future__ import annotations

import pstats
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench.ingest import ours
from bench.ingest.competitor import Competitor, Running, Task, python
from bench.measure import RESULTS

FIRST = "first"  # the first of TOOLS that is installed
SHOWN = 40  # lines
RATE_HZ = 499  # no divisor of anything that happens every 10 ms


class Tool(NamedTuple):
    """program: what must be installed, "" for Python's own. command(out) is put before `siaga ingest`'s own words."""

    program: str
    command: Callable[[Path], Sequence[str]]
    report: Callable[[Path], str]


def competitor(name: str) -> Competitor:
    """(e) under a profiler. Raises SystemExit when it is not installed."""
    for key, tool in TOOLS.items():
        if name in (FIRST, key) and (not tool.program or shutil.which(tool.program)):
            return replace(ours.COMPETITOR, name=f"Siaga under {key}", start=partial(_start, key, tool))
    raise SystemExit(f"--profile {name}: it is not installed")


@contextmanager
def _start(key: str, tool: Tool, task: Task) -> Iterator[Running]:
    RESULTS.mkdir(exist_ok=True)
    out = RESULTS / f"profile-{task.each}.{key}"
    out.unlink(missing_ok=True)
    with ours.start(task, [*tool.command(out)]) as running:
        yield running
    if not out.exists():
        raise RuntimeError(f"{key} has written nothing:\n{task.log.read_text(errors='replace')[-2000:]}")
    text = tool.report(out)
    written = out.with_suffix(".txt")
    written.write_text(text, encoding="utf-8")
    print(f"\n{key}, {task.each} a message (whole in {written}):\n" + "\n".join(text.splitlines()[:SHOWN]), flush=True)


def _stacks(out: Path) -> str:
    """Samples by the function that ran, and by all that it ran for, from py-spy's folded stacks."""
    own: dict[str, int] = {}
    below: dict[str, int] = {}
    total = 0
    for line in out.read_text(encoding="utf-8").splitlines():
        stack, _, samples = line.rpartition(" ")
        frames = stack.split(";")
        total += int(samples)
        own[frames[-1]] = own.get(frames[-1], 0) + int(samples)
        for frame in set(frames):
            below[frame] = below.get(frame, 0) + int(samples)
    lines = [
        f"{own.get(frame, 0) / total:>6.1%} {below[frame] / total:>10.1%}   {frame}"
        for frame in sorted(below, key=lambda name: -own.get(name, 0))
    ]
    return "\n".join([f"{'own':>6} {'with below':>10}   of {total:,} samples", *lines])


def _perf(out: Path) -> str:
    command = ["perf", "report", "--stdio", "--no-children", "-g", "none", "--sort", "dso,symbol", "-i", str(out)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _calls(out: Path) -> str:
    with out.with_suffix(".txt").open("w", encoding="utf-8") as stream:
        pstats.Stats(str(out), stream=stream).sort_stats("tottime").print_stats(200)
    return out.with_suffix(".txt").read_text(encoding="utf-8")


TOOLS = {
    "py-spy": Tool(
        "py-spy",
        lambda out: (
            "py-spy", "record", "--native", "--rate", str(RATE_HZ), "--format", "raw", "--output", str(out), "--",
            *ours.COMMAND,
        ),
        _stacks,
    ),
    "perf": Tool(
        "perf",
        lambda out: ("perf", "record", "-q", "-F", str(RATE_HZ), "-g", "-o", str(out), "--", *ours.COMMAND),
        _perf,
    ),
    "cprofile": Tool("", lambda out: python("cProfile", "-o", out, "-m", "siaga", "ingest"), _calls),
}  # fmt: skip
