"""How long `siaga ingest` takes to start with a large fleet, and what it holds then.

Every device has reported once before, so that there are latest values and alert states to take up.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from bench import backlog, lamps
from bench.ingest import ours
from bench.ingest.competitor import ROOT, one, stop
from bench.ingest.table import Judged
from bench.measure import keep_json, memory_mb
from bench.servers import TEMPLATE, broker, database
from simulator.fleet import make_fleet

CLIENT_ID, DATABASE = "bench-start", "bench_start"
START_BAR_S, MEMORY_BAR_MB = 5.0, 400.0
# What ingest logs once the broker has accepted its subscription.
LISTENING = "subscription.accepted"
LOOK_S, MOST_S = 0.01, 300.0
CALM_S = 3.0  # after the start, for what it does once


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)


def run(asked: argparse.Namespace) -> int:
    devices = make_fleet(asked.devices, lamps.SEED)
    with (
        tempfile.TemporaryDirectory(prefix="siaga-bench-") as folder,
        database(Path(folder)) as postgres,
        broker("nats", Path(folder)) as nats,
    ):
        url = postgres.create(DATABASE, TEMPLATE)
        lamps.register(url, devices)
        print(f"{len(devices):,} devices registered", flush=True)
        backlog.subscribe(nats.url, CLIENT_ID)
        made = backlog.write(Path(folder) / "messages", lamps.messages(devices, len(devices), 1, time.time()))
        backlog.publish(nats.url, made.file)
        log, env = Path(folder) / "ingest.log", ours.environment(nats.url, CLIENT_ID, url)
        _, peak_mb = _start(env, log, lambda: _stored(url) >= made.readings)
        print(f"{made.readings:,} readings taken in, {peak_mb:.0f} MB at its peak", flush=True)
        rounds = [_start(env, log, lambda: True) for _ in range(asked.rounds)]
    seconds, held_mb = min(s for s, _ in rounds), max(mb for _, mb in rounds)
    for number, (s, mb) in enumerate(rounds, 1):
        print(f"start {number}: {s:.2f} s until subscribed, {mb:.0f} MB", flush=True)
    # Less is better: the bar over the figure.
    judged = [
        Judged(f"{START_BAR_S:g} s / start", START_BAR_S / seconds, 1.0),
        Judged(f"{MEMORY_BAR_MB:g} MB / peak", MEMORY_BAR_MB / max(held_mb, peak_mb), 1.0),
    ]
    print("   ".join(map(str, judged)))
    written = {"devices": len(devices), "starts": rounds, "peak_mb": peak_mb, "judged": [j._asdict() for j in judged]}
    print(f"written to {keep_json('start', written)}")
    return 0


def _start(env: dict[str, str], log: Path, enough: Callable[[], bool]) -> tuple[float, float]:
    """Seconds from the command to the subscription, and MB at the peak until there is enough and a moment after."""
    log.write_bytes(b"")
    began = time.monotonic()
    with log.open("ab") as out:
        process = subprocess.Popen(ours.COMMAND, cwd=ROOT, env=env, stderr=out)
    try:
        peak_mb = 0.0
        while LISTENING not in log.read_text(errors="replace"):
            if process.poll() is not None or time.monotonic() > began + MOST_S:
                raise RuntimeError(f"ingest does not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(LOOK_S)
        seconds = time.monotonic() - began
        calm = time.monotonic() + CALM_S
        while time.monotonic() < calm or not enough():
            if process.poll() is not None or time.monotonic() > began + MOST_S:
                raise RuntimeError(f"ingest does not take in what there is:\n{log.read_text(errors='replace')[-2000:]}")
            peak_mb = max(peak_mb, memory_mb(process.pid))
            time.sleep(0.1)
        return seconds, peak_mb
    finally:
        stop(process)


def _stored(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as conn:
        return one(conn, ours.STORED)
