"""One drain: a backlog is made, a competitor takes it in, what it used is measured and what it stored is counted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench import backlog
from bench.ingest.competitor import Competitor, Task, one
from bench.servers import TEMPLATE, Broker
from bench.usage import Used, Watch
from tests.servers import Postgres

CLIENT_ID, DATABASE = "bench-ingest", "bench_ingest"
# The broker's own work on what was published last is not the competitor's.
SETTLE_S = 1.0
CONNECT_S, DRAIN_S = 60.0, 900.0  # deadlines for what hangs
# Reading /proc/net/tcp takes 6 ms.
CONNECTED_S = 0.01
LOOK_S = 0.004
ESTABLISHED = "01"


@dataclass(frozen=True)
class Drained:
    """seconds from the connection to the last reading committed; readings a second; rows stored, None without a table,
    and as many as there must be."""

    seconds: float
    rate: float
    rows: int | None
    wanted: int
    used: dict[str, Used]  # client, broker, database


def drain(
    competitor: Competitor,
    broker: Broker,
    postgres: Postgres,
    made: backlog.Written,
    each: int,
    kept: str | None = None,
) -> Drained:
    """Into a fresh database, or into the one at `kept`. Raises RuntimeError when the competitor ends early or never."""
    backlog.forget(broker.url, CLIENT_ID)
    backlog.subscribe(broker.url, CLIENT_ID)
    backlog.publish(broker.url, made.file)
    log = made.file.with_name(f"{competitor.letter}.log")
    with nullcontext(kept) if kept else _database(postgres, competitor) as url:
        task = Task(broker.url, CLIENT_ID, url, made.packets, made.readings, each, log)
        time.sleep(SETTLE_S)
        seconds, used = _timed(competitor, task, broker, postgres)
        rows = _rows(url, competitor.count) if competitor.count else None
    backlog.forget(broker.url, CLIENT_ID)
    wanted = made.packets if competitor.counts_packets else made.readings
    return Drained(seconds, made.readings / seconds, rows, wanted, used)


def _timed(competitor: Competitor, task: Task, broker: Broker, postgres: Postgres) -> tuple[float, dict[str, Used]]:
    """The clock runs from the TCP connection to the broker, a handshake before the first packet: the same for all."""
    assert broker.pid
    assert postgres.pid
    with competitor.start(task) as running:
        began = time.monotonic()
        connected = finished = False
        # A backlog of a few packets may be gone between two looks; its time then has the start-up in it.
        while not connected and not (finished := running.done()):
            _in_time(competitor, task, began + CONNECT_S, CONNECTED_S)
            connected = _connected(broker.port)
        if connected:
            began = time.monotonic()
        watch = Watch({"client": running.pids, "broker": [broker.pid], "database": [postgres.pid]})
        while not finished and not (finished := running.done()):
            watch.look()
            _in_time(competitor, task, began + DRAIN_S)
        seconds = time.monotonic() - began
        return seconds, watch.used()


def _in_time(competitor: Competitor, task: Task, deadline: float, pause_s: float = LOOK_S) -> None:
    if time.monotonic() > deadline:
        said = task.log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"({competitor.letter}) {competitor.name} does not come to an end:\n{said}")
    time.sleep(pause_s)


def _connected(port: int) -> bool:
    """Whether anybody on this machine has a connection to this port."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(row[3] == ESTABLISHED and row[2].endswith(f":{port:04X}") for row in rows)


@contextmanager
def _database(postgres: Postgres, competitor: Competitor) -> Iterator[str]:
    """A fresh one, with its table."""
    url = postgres.create(DATABASE, TEMPLATE if competitor.table is None else "template1")
    if competitor.table:
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(competitor.table.encode())
    try:
        yield url
    finally:
        postgres.drop(DATABASE)


def _rows(url: str, question: str) -> int:
    with psycopg.connect(url, autocommit=True) as conn:
        return one(conn, question)
