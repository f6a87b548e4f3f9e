"""HTTP: latest of 1,000 devices, a 30-day chart, the alert list, beside a bare FastAPI route with an answer as long.

And what 200 live clients, told of 50 alert events a second, cost ingest of a steady load.

The bare route answers a constant from memory: no key, no limits, no database. Ours and bare take turns on one server
process each, asked by the same client over kept connections. Ratios below 1 are what keys, SQL and JSON cost.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg
import uvicorn
from fastapi import FastAPI
from psycopg.types.json import Jsonb
from starlette.responses import Response

from bench import lamps
from bench.ingest.table import Judged
from bench.measure import keep_json
from bench.servers import TEMPLATE, database
from devices.kinds import KINDS
from simulator.fleet import make_fleet
from simulator.load.main import LoadOptions, run_load
from storage import event_log, keys
from tests.servers import free_port
from tests.stack import Stack, until

KEY = "key-of-the-benchmark"
DAYS, ALERTS = 30, 500
INGEST_BAR = 0.95
UNLIMITED = {"SIAGA_RATE_KEY_PER_MIN": "0", "SIAGA_RATE_ADDRESS_PER_MIN": "0", "SIAGA_LOG_LEVEL": "WARNING"}
ALERT = """
INSERT INTO alert (rule, device_id, kind, metric, severity, peak_severity, active, acked, historical, raised_at,
                   detected_at, value)
VALUES ('lamp_out', %s, 'streetlight', 'power_w', 0, 0, true, false, false, %s, %s, 0.5)
"""


EVENTS_PER_S = 50
EVENTS = """
INSERT INTO transition (alert_id, what, to_severity, event_at, detected_at)
SELECT %s, 'raised', 0, now(), now() FROM generate_series(1, %s)
"""


class Asked(NamedTuple):
    """What a client got: answers a second, and ms that 50 and 99 % of them took at most."""

    per_s: float
    p50_ms: float
    p99_ms: float
    answer_bytes: int


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--devices", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=5.0, help="of one round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--streams", type=int, default=200, help="live clients of the second part; 0: leave it out")
    parser.add_argument("--rate", type=int, default=2_000, help="messages a second of the second part")
    parser.add_argument("--load-seconds", type=int, default=30, help="of each run of the second part")


def run(asked: argparse.Namespace) -> int:
    kept: dict[str, object] = {"devices": asked.devices, "connections": asked.connections}
    with tempfile.TemporaryDirectory(prefix="siaga-bench-") as folder:
        kept["answers"] = _answers(Path(folder), asked)
        if asked.streams:
            alone, beside = _ingest(Path(folder), asked)
            judged = Judged(f"ingest beside {asked.streams} live clients / alone", beside / alone, INGEST_BAR)
            print(f"{alone:,.0f} readings/s alone, {beside:,.0f} beside {asked.streams} live clients   {judged}")
            kept |= {"alone": alone, "beside": beside, "streams": asked.streams}
    print(f"written to {keep_json('api', kept)}")
    return 0


def _answers(folder: Path, asked: argparse.Namespace) -> dict[str, object]:
    told: dict[str, object] = {}
    with database(folder) as postgres:
        url = postgres.url(TEMPLATE)
        device = fill(url, asked.devices)
        paths = {
            f"latest of {asked.devices:,}": f"/api/v1/latest?limit={asked.devices}",
            f"chart of {DAYS} days": f"/api/v1/series?device={device}&metric=power_w&from=-{DAYS}d&points=500",
            f"{ALERTS} alerts": f"/api/v1/alerts?limit={ALERTS}",
        }
        with _ours(url) as ours:
            for name, path in paths.items():
                size = asyncio.run(ask(ours, path, 0.3, 1)).answer_bytes
                with _bare(size) as bare:
                    rounds = [
                        (
                            asyncio.run(ask(ours, path, asked.seconds, asked.connections)),
                            asyncio.run(ask(bare, "/", asked.seconds, asked.connections)),
                        )
                        for _ in range(asked.rounds)
                    ]
                told[name] = _tell(name, rounds)
    return told


def _tell(name: str, rounds: list[tuple[Asked, Asked]]) -> dict[str, object]:
    ours, bare = (max(each, key=lambda a: a.per_s) for each in zip(*rounds, strict=True))
    per_s = median(a.per_s / b.per_s for a, b in rounds)
    p99 = median(a.p99_ms / b.p99_ms for a, b in rounds)
    us = f"{ours.per_s:>6,.0f}/s, p50 {ours.p50_ms:.1f}, p99 {ours.p99_ms:.1f} ms"
    them = f"bare {bare.per_s:>7,.0f}/s, p99 {bare.p99_ms:.1f} ms"
    print(f"{name:<18} {ours.answer_bytes:>9,} bytes {us}   {them}   ratio {per_s:.2f}, of p99 {p99:.1f}", flush=True)
    return {"ours": ours._asdict(), "bare": bare._asdict(), "ratio": per_s, "p99_ratio": p99}


def fill(url: str, number: int) -> str:
    """A fleet with newest readings, open alerts, and one lamp with the readings of 30 days; that lamp."""
    fleet = [device for device in make_fleet(3 * number, lamps.SEED) if device.kind == "streetlight"][:number]
    lamps.register(url, fleet)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    values = dict.fromkeys(KINDS["streetlight"].numbers, 40.125) | {"fw": None}
    with psycopg.connect(url) as conn:
        conn.execute("INSERT INTO api_key (name, digest, role) VALUES ('bench', %s, 'viewer')", (keys.digest(KEY),))
        for device in fleet:
            conn.execute(
                'INSERT INTO latest (device_id, kind, ts, received_at, qc, qc_reason, "values")'
                " VALUES (%s, 'streetlight', %s, %s, 1, 0, %s) ON CONFLICT DO NOTHING",
                (device.id, now, now, Jsonb(values)),
            )
        for device in fleet[:ALERTS]:
            conn.execute(ALERT, (device.id, now, now))
        _readings(conn, fleet[0].id, now)
    return fleet[0].id


def _readings(conn: psycopg.Connection, device: str, now: datetime) -> None:
    """One every five minutes: a chart of 30 days is then drawn from all 8,640 of them."""
    conn.execute("CREATE TABLE reading_streetlight_bench PARTITION OF reading_streetlight DEFAULT")
    conn.execute(
        "INSERT INTO reading_streetlight (device_id, ts, received_at, qc, qc_reason, power_w)"
        " SELECT %s, at, at, 1, 0, 40 + 2 * random() FROM generate_series(%s - make_interval(days => %s), %s,"
        " interval '5 min') AS at",
        (device, now, DAYS, now),
    )
    conn.execute("ANALYZE")


@contextmanager
def _ours(url: str) -> Iterator[str]:
    port = free_port()
    env = {**os.environ, **UNLIMITED, "SIAGA_DATABASE_URL": url, "SIAGA_API_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "siaga", "api"], env=env)
    try:
        until(lambda: _listens(port), "siaga api listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@contextmanager
def _bare(size: int) -> Iterator[str]:
    """FastAPI with one route whose answer has so many bytes."""
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=serve_bare, args=(port, size), daemon=True)
    process.start()
    try:
        until(lambda: _listens(port), "the bare server listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.join()


def serve_bare(port: int, size: int) -> None:
    app = FastAPI()
    body = b"x" * size

    @app.get("/")
    async def answer() -> Response:
        return Response(body, media_type="application/json")

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def ask(url: str, path: str, seconds: float, connections: int) -> Asked:
    """Ask again and again over so many kept connections; a client that costs little, so that the server is measured."""
    end = time.perf_counter() + seconds
    found = await asyncio.gather(*(_ask_on_one(url, path, end) for _ in range(connections)))
    took = sorted(ms for each, _ in found for ms in each)
    return Asked(
        len(took) / seconds, took[len(took) // 2], took[min(int(len(took) * 0.99), len(took) - 1)], found[0][1]
    )


async def _ask_on_one(url: str, path: str, end: float) -> tuple[list[float], int]:
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port, limit=1 << 20)
    request = f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode()
    took: list[float] = []
    length = 0
    while time.perf_counter() < end:
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        took.append((time.perf_counter() - began) * 1000)
    writer.close()
    return took, length


def _ingest(folder: Path, asked: argparse.Namespace) -> tuple[float, float]:
    """Readings a second that ingest commits of a load, alone and with live clients who read everything."""
    stack = Stack(folder / "stack", "--no-simulator", settings=UNLIMITED)
    try:
        stack.start()
        found = [_loaded(stack, asked, streams) for streams in (0, asked.streams, asked.streams, 0)]
        stack.stop()
    finally:
        stack.close()
    return median((found[0], found[3])), median((found[1], found[2]))


def _loaded(stack: Stack, asked: argparse.Namespace, streams: int) -> float:
    stop = multiprocessing.get_context("spawn").Event()
    content = stack.content
    arguments = (content["api_url"], content["admin_key"], streams, stop)
    listening = multiprocessing.get_context("spawn").Process(target=_listen_in_process, args=arguments)
    if streams:
        listening.start()
    told = threading.Event()
    telling = threading.Thread(target=_tell_events, args=(stack, told))
    telling.start()
    seen: list[tuple[float, int]] = []
    watching = threading.Thread(target=_watch, args=(stack, told, seen))
    watching.start()
    env: Mapping[str, str] = stack.env
    run_load(
        LoadOptions(
            env["SIAGA_MQTT_URL"], asked.devices, asked.rate, seconds=asked.load_seconds,
            api_url=env["SIAGA_API_URL"], api_key=env["SIAGA_API_KEY"], processes=1,
        ),
        lambda line: print(line, flush=True),
    )  # fmt: skip
    told.set()
    telling.join()
    watching.join()
    stop.set()
    if streams:
        listening.join(30)
        # Otherwise a run without anybody listening would look like the best of all.
        assert listening.exitcode == 0, "the live clients failed"
    return _steady(seen)


def _tell_events(stack: Stack, stop: threading.Event) -> None:
    """EVENTS_PER_S transitions a second, with clients and without, so that only the clients make the difference."""
    with stack.connect() as conn:
        conn.execute("INSERT INTO device (id, kind) VALUES ('bench-told', 'streetlight') ON CONFLICT DO NOTHING")
        row = conn.execute("SELECT id FROM alert WHERE device_id = 'bench-told'").fetchone()
        if row is None:
            now = datetime.now(UTC)
            row = conn.execute(f"{ALERT} RETURNING id", ("bench-told", now, now)).fetchone()
        assert row is not None
        while not stop.wait(0.1):
            with conn.transaction():
                conn.execute(event_log.LOCK)
                conn.execute(EVENTS, (row[0], EVENTS_PER_S // 10))


def _watch(stack: Stack, stop: threading.Event, seen: list[tuple[float, int]]) -> None:
    """How many readings are committed, five times a second."""
    with stack.connect() as conn:
        while not stop.wait(0.2):
            row = conn.execute("SELECT coalesce(sum(stored), 0) FROM ledger").fetchone()
            assert row is not None
            seen.append((time.perf_counter(), int(row[0])))


def _steady(seen: list[tuple[float, int]]) -> float:
    """Readings a second of the middle 60 % of them: neither the registering before nor the end counts."""
    first, last = seen[0][1], seen[-1][1]
    low, high = (next(s for s in seen if s[1] - first >= share * (last - first)) for share in (0.2, 0.8))
    return (high[1] - low[1]) / (high[0] - low[0])


def _listen_in_process(url: str, key: str, streams: int, stop: object) -> None:
    asyncio.run(_listen(url, key, streams, stop))


async def _listen(url: str, key: str, streams: int, stop: object) -> None:
    where = urlsplit(url)
    request = f"GET /api/v1/stream HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    opened = [await asyncio.open_connection(where.hostname, where.port) for _ in range(streams)]
    for _, writer in opened:
        writer.write(request)
    reading = [asyncio.create_task(_read_on(reader)) for reader, _ in opened]
    await asyncio.to_thread(stop.wait)  # type: ignore[attr-defined]
    for task in reading:
        task.cancel()
    heard = await asyncio.gather(*reading)
    print(f"{streams} live clients heard {min(heard):,} to {max(heard):,} alert events each", flush=True)


async def _read_on(reader: asyncio.StreamReader) -> int:
    """How many alert events came until this was cancelled."""
    heard = 0
    with contextlib.suppress(asyncio.CancelledError):
        while chunk := await reader.read(1 << 16):
            heard += chunk.count(b"event: alert\n")
    return heard
