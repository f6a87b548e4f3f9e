"""A CSV export of millions of readings beside ingest, on the whole of `siaga up`: rows a second, memory, and ingest.

`python -m bench export --rows 10000000 --rate 500` fills a database, lets the simulator publish, looks at ingest for a
while, then exports all that was filled over HTTP and looks again. Memory is that of the API process, tenth by tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg

from bench.measure import memory_mb
from storage.connect import connect_async
from storage.flavour import make_partitions, start_of
from storage.kind_tables import STEPS
from tests.stack import ROOT, Stack, until

PANEL, TABLE = "bench", "reading_streetlight"
EVERY = timedelta(minutes=5)
ALONE_S = 30.0
TENTHS = 10
DEVICES = """
INSERT INTO device (id, kind, region, district, attributes)
SELECT format('export-%%s', lpad(n::text, 5, '0')), 'streetlight', '12.09', '12.09.19',
    jsonb_build_object('panel', %s::text)
FROM generate_series(0, %s) AS n
"""
# In order of time, as they would have come.
FILL = """
INSERT INTO reading_streetlight (device_id, ts, received_at, seq, boot, qc, qc_reason, power_w, voltage_v, current_a,
                                 power_factor, energy_wh, temperature_c)
SELECT d.id, t, t + interval '1 second', extract(epoch FROM t)::bigint / 300, 'b1', 1, 0, 40.25, 229.5, 0.184, 0.953,
    extract(epoch FROM t), 31.25
FROM generate_series(%s::timestamptz, %s::timestamptz - interval '1 second', interval '5 minutes') AS t
CROSS JOIN device AS d WHERE d.attributes ->> 'panel' = %s ORDER BY t, d.id
"""
STORED = "SELECT coalesce(sum(stored), 0)::bigint FROM ledger"


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--devices", type=int, default=2_000, help="whose readings they are")
    parser.add_argument("--rate", type=float, default=500.0, help="messages a second published meanwhile")
    parser.add_argument("--dialect", choices=("rfc4180", "excel-id"), default="rfc4180")


def run(asked: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="siaga-export-") as folder:
        stack = Stack(Path(folder) / "data", "--no-simulator")
        stack.start()
        try:
            with stack.connect() as conn:
                since, end = _fill(stack, conn, asked)
                with _publishing(stack, asked.rate):
                    before = _stored(conn)
                    until(lambda: _stored(conn) > before, "the simulator is heard")
                    _tell_ingest(conn, "alone")
                    _export(stack, conn, asked, since, end)
        finally:
            stack.close()
    return 0


def _fill(stack: Stack, conn: psycopg.Connection, asked: argparse.Namespace) -> tuple[datetime, datetime]:
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
    begin = end - EVERY * (asked.rows // asked.devices)
    conn.execute(DEVICES, (PANEL, asked.devices - 1))
    asyncio.run(_partitions(stack.content["database_url"], begin, end))
    at, began = begin, time.monotonic()
    while at < end:
        until_ = min(at + timedelta(days=1), end)
        conn.execute(FILL, (at, until_, PANEL))
        at = until_
    conn.execute("VACUUM ANALYZE reading_streetlight")
    print(f"filled in {time.monotonic() - began:.0f} s: {asked.devices} devices, {(end - begin).days} days", flush=True)
    return begin, end


async def _partitions(url: str, begin: datetime, end: datetime) -> None:
    days = range((end - begin).days + 2)
    weeks = {start_of(begin + timedelta(days=day), STEPS["raw"]) for day in days}
    async with await connect_async(url, "bench") as conn:
        await make_partitions(conn, TABLE, weeks, STEPS["raw"])


@contextmanager
def _publishing(stack: Stack, rate: float) -> Iterator[None]:
    command = [sys.executable, "-m", "siaga", "simulate", "--devices", "500", "--rate", f"{rate:g}", "--for", "3600s"]
    env = {**os.environ, **stack.env}
    simulator = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        simulator.terminate()
        simulator.wait()


def _export(stack: Stack, conn: psycopg.Connection, asked: argparse.Namespace, since: datetime, end: datetime) -> None:
    query = {
        "kind": "streetlight", "panel": PANEL, "from": since.isoformat(), "to": end.isoformat(), "format": "csv",
        "dialect": asked.dialect,
    }  # fmt: skip
    pid, before, began = stack.pid("api"), _stored(conn), time.monotonic()
    lines = size = told = 0
    first, most = memory_mb(pid), 0.0
    content = stack.content
    headers = {"Authorization": f"Bearer {content['admin_key']}", "Accept-Encoding": "identity"}
    address = f"{content['api_url']}/api/v1/readings"
    with httpx.stream("GET", address, params=query, headers=headers, timeout=600) as answer:
        answer.raise_for_status()
        for piece in answer.iter_raw():
            lines, size = lines + piece.count(b"\n"), size + len(piece)
            if lines * TENTHS >= (told + 1) * asked.rows:
                told = lines * TENTHS // asked.rows
                held = memory_mb(pid)
                most = max(most, held)
                seconds = time.monotonic() - began
                print(f"{lines:>12,} rows  {seconds:6.0f} s  api {held:6.1f} MB", flush=True)
    seconds = time.monotonic() - began
    print(
        f"exported {lines - 1:,} rows, {size / 1e6:,.0f} MB in {seconds:.0f} s: {lines / seconds:,.0f} rows/s; "
        f"api {first:.1f} MB before, {most:.1f} MB at most; "
        f"ingest stored {(_stored(conn) - before) / seconds:,.0f}/s meanwhile"
    )


def _tell_ingest(conn: psycopg.Connection, when: str) -> None:
    before, began = _stored(conn), time.monotonic()
    time.sleep(ALONE_S)
    print(f"ingest {when}: {(_stored(conn) - before) / (time.monotonic() - began):,.0f} stored/s", flush=True)


def _stored(conn: psycopg.Connection) -> int:
    row = conn.execute(STORED).fetchone()
    assert row is not None
    return int(row[0])
