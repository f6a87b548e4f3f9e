"""What competes: how it is started, how it is known to be done, and what it must have stored."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

ROOT = Path(__file__).resolve().parents[2]
STOP_S = 30.0
# How finely the end is told where it is asked for: a question costs the database 0.3 ms.
ASK_MOST_S, ASK_LEAST_S = 0.05, 0.005

# All that a lamp can send, and who sent it.
COLUMNS = {
    "device_id": "text", "ts": "timestamptz", "seq": "int8", "boot": "text", "fw": "text",
    **dict.fromkeys(
        (
            "power_w", "voltage_v", "current_a", "power_factor", "dimming_pct", "energy_wh", "operating_h",
            "switch_count", "temperature_c", "battery_v", "rssi_dbm", "snr_db", "uptime_s",
        ),
        "float8",
    ),
}  # fmt: skip
TABLE = f"""
CREATE TABLE reading (id bigint GENERATED ALWAYS AS IDENTITY, {", ".join(f"{n} {t}" for n, t in COLUMNS.items())});
CREATE INDEX ON reading (device_id, ts);
"""


class Task(NamedTuple):
    """What is to be taken in: a backlog of `packets` with `readings`, `each` in a packet, kept for client_id."""

    broker: str  # URL
    client_id: str
    database: str  # URL
    packets: int
    readings: int
    each: int
    log: Path


class Running(NamedTuple):
    """A started competitor: its processes, and whether everything is stored and acknowledged."""

    pids: Sequence[int]
    done: Callable[[], bool]


@dataclass(frozen=True)
class Competitor:
    """table: what its database needs first; None for ours. count: readings or packets stored, as SQL; "" if none.

    missing() tells what is not installed, and the cure; "" when nothing is missing.
    """

    letter: str
    name: str
    start: Callable[[Task], AbstractContextManager[Running]]
    table: str | None
    count: str
    counts_packets: bool = False
    missing: Callable[[], str] = lambda: ""


def python(*arguments: object) -> list[str]:
    return [sys.executable, "-m", *map(str, arguments)]


@contextmanager
def talking(task: Task, command: Sequence[str], env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """A process that is done when it says so: with one line."""
    with child(task, command, env, subprocess.PIPE) as process:
        yield Running([process.pid], said(process, task.log))


@contextmanager
def child(
    task: Task, command: Sequence[str], env: Mapping[str, str] | None = None, out: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that complains into the log and is stopped at the end."""
    with task.log.open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=log)
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()


def said(process: subprocess.Popen[bytes], log: Path) -> Callable[[], bool]:
    """Whether the process has said its line. Raises RuntimeError when it ends without."""
    out = process.stdout
    assert out

    def done() -> bool:
        if not select.select([out], [], [], 0)[0]:
            return False
        if not out.readline():
            raise _early(log)
        return True

    return done


def counted(
    process: subprocess.Popen[bytes], task: Task, question: str, conn: psycopg.Connection
) -> Callable[[], bool]:
    """Whether the number that answers the question has reached all readings.

    Asked rarely at first, and the more often the nearer the end. Raises RuntimeError when the process ends early.
    """
    began = time.monotonic()
    next_ask = began

    def done() -> bool:
        nonlocal next_ask
        now = time.monotonic()
        if now < next_ask:
            return False
        number = one(conn, question)
        rate = number / (now - began)
        left_s = (task.readings - number) / rate if number else ASK_MOST_S
        next_ask = now + min(max(ASK_LEAST_S, left_s / 4), ASK_MOST_S)
        if number < task.readings and os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            raise _early(task.log)
        return number >= task.readings

    return done


def _early(log: Path) -> RuntimeError:
    return RuntimeError(f"it ended early: {log.name}\n{log.read_text(errors='replace')[-2000:]}")


def one(conn: psycopg.Connection, question: str) -> int:
    row = conn.execute(question.encode()).fetchone()
    assert row
    return int(row[0])
