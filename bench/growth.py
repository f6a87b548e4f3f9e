"""Ingest on an empty database beside one that has grown, and on the grown one while other work goes on.

First a backlog is drained into an empty database and into the grown one, round after round. Then lamps publish
steadily, and what is stored is told while the worker rolls up days anew, while a week is archived, while retention
drops weeks, while all readings are exported. The grown database takes about 230 bytes of disk a reading.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psycopg

from bench import backlog, lamps
from bench.ingest import ours
from bench.ingest.competitor import ROOT, Running, Task, child, counted, one, python, stop
from bench.ingest.drain import drain
from bench.ingest.table import Judged
from bench.measure import keep_json
from bench.servers import TEMPLATE, Broker, broker, database
from bench.steady import Stream, stream
from bench.storage import fill
from bench.storage.fill import DAY, Span
from devices.device import Device
from storage.connect import connect_async
from tests.servers import Postgres

GROWN, CLIENT_ID = "bench_grown", "bench-growth"
EVERY_S = 60.0  # between two readings of a lamp in the grown database
FALL_BAR, LEVEL_BAR = 0.9, 0.95
BACKLOG, DRAINED = 100_000, 200  # readings in a round, and how many lamps they are of
SETTLE_S = 10.0
# Of the newest hours: to add up a ledger of millions of lines would be work of its own.
RECENT = "SELECT coalesce(sum(stored), 0)::bigint FROM ledger WHERE hour >= now() - interval '2 hours'"
LEDGER = """
INSERT INTO ledger (device_id, hour, received, stored)
SELECT id, h, 60, 60 FROM device
CROSS JOIN generate_series(%s::timestamptz, %s::timestamptz - interval '3 hours', interval '1 hour') AS h
"""
MARKS = """
INSERT INTO rollup_mark (kind, bucket)
SELECT 'streetlight', b FROM generate_series(%s::timestamptz, %s::timestamptz, interval '5 minutes') AS b
"""
EXPORT = """
import sys, psycopg
with psycopg.connect(sys.argv[1]) as conn, conn.cursor().copy(
    "COPY (SELECT * FROM reading_streetlight ORDER BY device_id, ts) TO STDOUT (FORMAT csv)"
) as copy:
    for _ in copy:
        pass
"""


class Level(NamedTuple):
    """What is stored and published a second meanwhile, and how many readings wait at the end."""

    stored: float
    published: float
    waiting: int


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--readings", type=int, default=20_000_000, help="in the grown database, by default 20 million")
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=5_000.0, help="messages a second of the steady stream")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each work is watched")


def run(asked: argparse.Namespace) -> int:
    devices = lamps.lamps(asked.devices)
    with (
        tempfile.TemporaryDirectory(prefix="siaga-bench-") as folder,
        database(Path(folder)) as postgres,
        broker("nats", Path(folder)) as nats,
    ):
        lamps.register(postgres.url(TEMPLATE), devices)
        url = postgres.create(GROWN, TEMPLATE)
        span = asyncio.run(_grow(url, devices, asked.readings))
        rates = _drained(asked, postgres, nats, url, Path(folder))
        levels = _levels(asked, nats, url, span, Path(folder))
    judged = [Judged("grown / empty", median(rates["grown"]) / median(rates["empty"]), FALL_BAR)]
    calm = levels["calm"].stored
    judged += [
        Judged(f"{name} / calm", each.stored / calm, LEVEL_BAR) for name, each in levels.items() if name != "calm"
    ]
    print("   ".join(map(str, judged)))
    written = {
        "readings": asked.readings, "rates": rates, "rate": asked.rate,
        "levels": {name: level._asdict() for name, level in levels.items()},
        "judged": [each._asdict() for each in judged],
    }  # fmt: skip
    print(f"written to {keep_json('growth', written)}")
    return 0


async def _grow(url: str, devices: list[Device], readings: int) -> Span:
    """So many readings of the time before, with what belongs to them: the span they fill."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    span = Span(now - timedelta(hours=round(readings / len(devices) * EVERY_S / 3600)), now)
    async with await connect_async(url, "bench") as conn:
        began = time.monotonic()
        stored = await fill.fill_readings(conn, devices, span, {"streetlight": EVERY_S}, _say)
        _say(f"{stored:,} readings in {time.monotonic() - began:,.0f} s")
        await fill.fill_latest(conn, span)
        await conn.execute(LEDGER, span)
        await conn.execute("VACUUM ANALYZE")
        await conn.execute("CHECKPOINT")
        size = await (await conn.execute("SELECT pg_database_size(current_database())")).fetchone()
        _say(f"grown: {size[0] / 1e9:.1f} GB" if size else "")
    return span


def _drained(
    asked: argparse.Namespace, postgres: Postgres, nats: Broker, url: str, folder: Path
) -> dict[str, list[float]]:
    """Readings a second of the rounds."""
    rates: dict[str, list[float]] = {"empty": [], "grown": []}
    every = lamps.lamps(asked.devices)
    for number in range(asked.rounds):
        # Others in each round: what the same lamps measured in the same five minutes would be duplicates.
        few = every[number * DRAINED : (number + 1) * DRAINED]
        for name in list(rates) if number % 2 else list(reversed(rates)):
            made = backlog.write(folder / "messages", lamps.messages(few, BACKLOG, 1, time.time()))
            kept = url if name == "grown" else None
            competitor = replace(ours.COMPETITOR, start=_from_here, count="")
            rates[name].append(drain(competitor, nats, postgres, made, 1, kept).rate)
            _say(f"round {number + 1}, {name}: {rates[name][-1]:,.0f} readings/s")
    return rates


@contextmanager
def _from_here(task: Task) -> Iterator[Running]:
    """Ingest, which is done when so many more are stored than are now."""
    env = ours.environment(task.broker, task.client_id, task.database)
    with psycopg.connect(task.database, autocommit=True) as conn:
        before = one(conn, RECENT)
        with child(task, ours.COMMAND, env) as process:
            yield Running([process.pid], counted(process, task, f"SELECT ({RECENT}) - {before}", conn))


def _levels(asked: argparse.Namespace, nats: Broker, url: str, span: Span, folder: Path) -> dict[str, Level]:
    """A steady stream into the grown database, beside nothing and beside each other work."""
    env = ours.environment(nats.url, CLIENT_ID, url)
    backlog.subscribe(nats.url, CLIENT_ID)
    with psycopg.connect(url, autocommit=True) as conn, (folder / "level.log").open("ab") as log:
        ingest = subprocess.Popen(ours.COMMAND, cwd=ROOT, env=env, stderr=log)
        others: dict[str, tuple[list[str], Mapping[str, str]]] = {
            "calm": ([], {}),
            "rollups": (python("siaga", "worker"), {"SIAGA_RETENTION_RAW_DAYS": "0"}),
            "archive": (
                python("siaga", "worker"),
                {"SIAGA_RETENTION_RAW_DAYS": "1", "SIAGA_ARCHIVE_DIR": str(folder / "archive")},
            ),
            "retention": (python("siaga", "worker"), {"SIAGA_RETENTION_RAW_DAYS": "1"}),
            "export": ([sys.executable, "-c", EXPORT, url], {}),
        }
        try:
            with stream(nats.url, asked.devices, asked.rate) as publishing:
                before = one(conn, RECENT)
                levels = {}
                for name, (command, more) in others.items():
                    if name == "rollups":
                        conn.execute(MARKS, (span.until - 2 * DAY, span.until))
                    levels[name] = _level(
                        asked.seconds, publishing, conn, before, command, {**env, **more}, log.fileno()
                    )
                    _say(f"{name}: {levels[name]}")
                publishing.end()
        finally:
            stop(ingest)
    return levels


def _level(
    seconds: float,
    publishing: Stream,
    conn: psycopg.Connection,
    before: int,
    command: list[str],
    env: Mapping[str, str],
    log: int,
) -> Level:
    """How it goes while a command runs; it is stopped afterwards, wherever it is."""
    other = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=log) if command else None
    try:
        time.sleep(SETTLE_S)
        first, first_at, published = one(conn, RECENT), time.monotonic(), publishing.acknowledged
        time.sleep(seconds)
        stored, took = one(conn, RECENT), time.monotonic() - first_at
        return Level(
            (stored - first) / took, (publishing.acknowledged - published) / took,
            publishing.acknowledged - (stored - before),
        )  # fmt: skip
    finally:
        if other:
            stop(other)


def _say(text: str) -> None:
    print(text, flush=True)
