"""A steady load on the whole of `siaga up`: memory and CPU of every part, minute by minute.

`python -m bench soak --minutes 10 --devices 1000 --rate 500` prints a line a minute and, at the end, whether what was
published is what is stored, and how memory of the last third compares with that of the second (1.00 is steady; the
first third fills caches).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean

from bench.measure import cpu_s, memory_mb, shared_mb, tree
from tests.stack import ROOT, Stack, until

EVERY_S = 10.0
STORED = "SELECT coalesce(sum(stored), 0)::bigint, coalesce(sum(received - stored), 0)::bigint FROM ledger"


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--devices", type=int, default=1_000)
    parser.add_argument("--rate", type=float, default=500.0, help="messages a second")


def run(asked: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="siaga-soak-") as folder:
        stack = Stack(Path(folder) / "data", "--no-simulator")
        stack.start()
        try:
            _soak(stack, asked)
        finally:
            stack.stop()
    return 0


def _soak(stack: Stack, asked: argparse.Namespace) -> None:
    simulate = [
        sys.executable, "-m", "siaga", "simulate", "--devices", str(asked.devices), "--rate", f"{asked.rate:g}",
        "--for", f"{round(asked.minutes * 60)}s",
    ]  # fmt: skip
    simulator = subprocess.Popen(
        simulate, cwd=ROOT, env={**os.environ, **stack.env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    parts = {**stack.content["pids"], "simulator": simulator.pid, "siaga up": stack.content["pid"]}
    # PostgreSQL's buffers fill up to a bound of their own (shared_buffers) and are no sign of a leak.
    memory: dict[str, list[float]] = {name: [] for name in (*parts, "(buffers)")}
    began, cpu_before, told = time.monotonic(), _cpu(parts), 0
    while simulator.poll() is None:
        time.sleep(EVERY_S)
        if simulator.poll() is not None:
            break
        for name, pid in parts.items():
            below = [pid] if name == "siaga up" else tree(pid)
            memory[name].append(sum(map(memory_mb, below)))
        memory["(buffers)"].append(sum(map(shared_mb, tree(parts["database"]))))
        minute = int((time.monotonic() - began) / 60)
        if minute > told:
            told = minute
            print(f"{minute:>3} min  " + "  ".join(f"{n} {m[-1]:.0f} MB" for n, m in memory.items()), flush=True)
    seconds = time.monotonic() - began
    said = simulator.stdout.read() if simulator.stdout else ""
    last = [line for line in said.splitlines() if line.startswith(("Done", "Ended"))]
    print("\n".join(last))
    published = int(last[-1].split("published ")[1].split(" ")[0].rstrip(",").replace(",", ""))
    with stack.connect() as conn:
        stored, other = until(lambda: _stored(conn, published), f"{published} are stored", 60)
    print(f"stored {stored:,} of {published:,} published; {other:,} duplicates or refused")
    for name, used in _cpu({n: p for n, p in parts.items() if n != "simulator"}).items():
        print(f"{name:<10} {100 * (used - cpu_before[name]) / seconds:5.1f} % of a core", end="  ")
        _tell_memory(memory[name])
    for name in ("simulator", "(buffers)"):
        print(f"{name:<10} {'':>17}", end="  ")
        _tell_memory(memory[name])


def _stored(conn: object, published: int) -> tuple[int, int] | None:
    row = conn.execute(STORED).fetchone()  # type: ignore[attr-defined]
    return (row[0], row[1]) if row[0] >= published else None


def _cpu(parts: dict[str, int]) -> dict[str, float]:
    """CPU used so far. What has ended below `siaga up` were parts of their own."""
    return {n: sum(map(cpu_s, [pid] if n == "siaga up" else tree(pid))) for n, pid in parts.items()}


def _tell_memory(samples: list[float]) -> None:
    third = len(samples) // 3
    if third:
        middle, end = fmean(samples[third : 2 * third]), fmean(samples[2 * third :])
        print(f"{samples[0]:6.0f} MB at first, {end:6.0f} MB at last, last third / second {end / middle:.3f}")
    else:
        print(f"{samples[-1] if samples else float('nan'):6.0f} MB")
