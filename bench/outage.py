"""The database away for minutes while devices go on publishing: memory of ingest, nothing lost, and how fast it drains.

PostgreSQL is really stopped and started again. The backlog's rate, with new readings still coming, is told as a share
of that of `python -m bench ingest --only e`, which is measured first on the same servers.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from bench import backlog, lamps
from bench.ingest import ours
from bench.ingest.competitor import ROOT, one, stop
from bench.ingest.drain import drain
from bench.ingest.table import Judged
from bench.measure import keep_json, memory_mb, tree
from bench.options import names_of
from bench.servers import BROKERS, TEMPLATE, Broker, MissingError, broker, database
from bench.steady import Stream, stream
from devices.device import Device
from tests.servers import Postgres

CLIENT_ID, DATABASE = "bench-outage", "bench_outage"
MEMORY_BAR_MB, SHARE_BAR = 300.0, 0.8
ALONE = 100_000  # readings
BEFORE_S, AFTER_S = 15.0, 10.0  # of calm
LOOK_S, TELL_S = 0.2, 60.0
DRAIN_S = 3_600.0  # a deadline for what hangs
EACH = "SELECT device_id, count(*), count(DISTINCT seq), max(seq) FROM reading_streetlight GROUP BY device_id"


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the database is away")
    parser.add_argument("--rate", type=float, default=2_000.0, help="messages a second")
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--brokers", type=names_of(BROKERS), default=list(BROKERS), help=f"of {', '.join(BROKERS)}")


def run(asked: argparse.Namespace) -> int:
    """1 when a reading is lost or stored twice, or ingest ended."""
    devices, results = lamps.lamps(asked.devices), []
    for key in asked.brokers:
        with tempfile.TemporaryDirectory(prefix="siaga-bench-") as folder, database(Path(folder)) as postgres:
            lamps.register(postgres.url(TEMPLATE), devices)
            try:
                with broker(key, Path(folder)) as server:
                    made = backlog.write(Path(folder) / "messages", lamps.messages(devices, ALONE, 1, time.time()))
                    alone = drain(ours.COMPETITOR, server, postgres, made, 1).rate
                    print(f"{key}: {alone:,.0f} readings/s without an outage", flush=True)
                    results.append(_outage(asked, key, server, postgres, devices, alone, Path(folder) / "ingest.log"))
            except MissingError as missing:
                print(f"{BROKERS[key].name} is left out: {missing}", flush=True)
    print(f"written to {keep_json('outage', results)}")
    return 0 if all(result["wrong"] == 0 for result in results) else 1


def _outage(
    asked: argparse.Namespace,
    key: str,
    server: Broker,
    postgres: Postgres,
    devices: list[Device],
    alone: float,
    log: Path,
) -> dict[str, Any]:
    url = postgres.create(DATABASE, TEMPLATE)
    backlog.subscribe(server.url, CLIENT_ID)
    with log.open("ab") as said:
        env = ours.environment(server.url, CLIENT_ID, url)
        ingest = subprocess.Popen(ours.COMMAND, cwd=ROOT, env=env, stderr=said)
    watch = _Watch(key, ingest, server)
    try:
        with stream(server.url, len(devices), asked.rate) as publishing:
            watch.until(lambda: False, BEFORE_S)
            watch.tell("the database stops", publishing)
            postgres.stop()
            watch.until(lambda: False, asked.minutes * 60, publishing)
            postgres.start()
            watch.tell("the database is there again", publishing)
            back, before = time.monotonic(), _stored(url)
            watch.until(lambda: _stored(url) > before, DRAIN_S)
            first, first_at = _stored(url), time.monotonic()
            watch.until(lambda: _stored(url) >= publishing.acknowledged, DRAIN_S, publishing)
            last, last_at = _stored(url), time.monotonic()
            watch.tell("drained", publishing)
            watch.until(lambda: False, AFTER_S)
            counts = publishing.end()
        total = sum(counts)
        watch.until(lambda: _stored(url) >= total, BEFORE_S + AFTER_S)
        wrong = _wrong(url, {device.id: n for device, n in zip(devices, counts, strict=True)})
    finally:
        stop(ingest)
        postgres.drop(DATABASE)
    rate = (last - first) / max(last_at - first_at, LOOK_S)
    judged = [
        Judged("drain / alone", rate / alone, SHARE_BAR),
        # Less is better: the bar over the figure.
        Judged("300 MB / peak", MEMORY_BAR_MB / watch.peak_mb, 1.0),
    ]
    print(
        f"{key}: {asked.minutes:g} min without the database at {asked.rate:g} messages/s: {total:,} published, "
        f"{wrong:,} devices with a reading lost or doubled; ingest {watch.peak_mb:.0f} MB, broker "
        f"{watch.broker_mb:.0f} MB at their peaks; first commit {first_at - back:.1f} s after the database, "
        f"then {rate:,.0f} readings/s\n" + "   ".join(map(str, judged)),
        flush=True,
    )
    return {
        "broker": key, "minutes": asked.minutes, "rate": asked.rate, "published": total, "wrong": wrong,
        "ingest_peak_mb": watch.peak_mb, "broker_peak_mb": watch.broker_mb, "first_commit_s": first_at - back,
        "drained_in_s": last_at - back, "drain_rate": rate, "alone_rate": alone,
        "judged": [each._asdict() for each in judged],
    }  # fmt: skip


class _Watch:
    """Waits, and meanwhile keeps the peaks of memory and says how it goes."""

    def __init__(self, key: str, ingest: subprocess.Popen[bytes], server: Broker) -> None:
        self._key, self._ingest, self._server = key, ingest, server
        self._began = self._told = time.monotonic()
        self.peak_mb = self.broker_mb = self._now_mb = 0.0

    def until(self, reached: Callable[[], bool], most_s: float, publishing: Stream | None = None) -> None:
        """Raises RuntimeError when ingest ends."""
        deadline = time.monotonic() + most_s
        while time.monotonic() < deadline and not reached():
            if self._ingest.poll() is not None:
                raise RuntimeError(f"{self._key}: ingest ended with {self._ingest.returncode}")
            self._look()
            if publishing and time.monotonic() >= self._told + TELL_S:
                self.tell("", publishing)
            time.sleep(LOOK_S)

    def tell(self, what: str, publishing: Stream) -> None:
        self._told = time.monotonic()
        print(
            f"{self._key} {self._told - self._began:>6.0f} s: {publishing.acknowledged:,} acknowledged, ingest "
            f"{self._now_mb:.0f} MB, broker {self.broker_mb:.0f} MB{f'; {what}' if what else ''}", flush=True,
        )  # fmt: skip

    def _look(self) -> None:
        self._now_mb = sum(map(memory_mb, tree(self._ingest.pid)))
        self.peak_mb = max(self.peak_mb, self._now_mb)
        assert self._server.pid
        self.broker_mb = max(self.broker_mb, sum(map(memory_mb, tree(self._server.pid))))


def _stored(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as conn:
        return one(conn, ours.STORED)


def _wrong(url: str, published: dict[str, int]) -> int:
    """Devices of which not exactly the readings published are stored: as many, of as many numbers, none left out."""
    with psycopg.connect(url, autocommit=True) as conn:
        stored = {row[0]: tuple(row[1:]) for row in conn.execute(EACH)}
    return sum(stored.get(device, (0, 0, -1)) != (n, n, n - 1 if n else -1) for device, n in published.items())
