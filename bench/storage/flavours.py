"""Bytes a row on every flavour, of the same readings, old enough for the columnstore where there is one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bench.lamps import SEED
from bench.storage import fill, sizes
from simulator.fleet import make_fleet
from simulator.pace import FIELD_PACE_S
from storage.connect import connect_async
from storage.fleet import import_devices
from storage.migrate import migrate
from tests.community import Community
from tests.servers import Postgres, Timescale

DEVICES, DAYS = 300, 3
OLD = timedelta(days=40)
# What the scheduler would do, which the WASM has not.
JOBS = "SELECT job_id FROM timescaledb_information.jobs WHERE proc_name = 'policy_compression'"

Server = Postgres | Timescale | Community
SERVERS: dict[str, Callable[[Path], Server]] = {
    "plain PostgreSQL 18": lambda folder: Postgres(folder / "plain"),
    "TimescaleDB 2.19, Apache": lambda folder: Timescale("trixie"),
    "TimescaleDB 2.31, Apache": lambda folder: Timescale("forky"),
    "TimescaleDB 2.23, community: columnstore": lambda folder: Community(folder / "community"),
}


async def measured() -> dict[str, Any]:
    """Tables with their bytes a row, by flavour; what is not installed is left out."""
    found = {}
    for name, make in SERVERS.items():
        with tempfile.TemporaryDirectory(prefix="siaga-bench-") as folder:
            try:
                server = make(Path(folder))
            except (pytest.skip.Exception, pytest.fail.Exception) as missing:
                print(f"{name} is left out: {missing}", flush=True)
                continue
            server.start()
            try:
                found[name] = await _measured(server.create("bench_flavour"))
            finally:
                server.stop()
    return found


async def _measured(url: str) -> dict[str, Any]:
    migrate(url, lambda line: None)
    devices = make_fleet(DEVICES, SEED)
    span = fill.span_of(DAYS, datetime.now(UTC) - OLD)
    async with await connect_async(url, "bench") as conn:
        await import_devices(conn, devices)
        await fill.fill_readings(conn, devices, span, FIELD_PACE_S, lambda line: None)
        await fill.roll_up(conn, span, lambda line: None)
    with psycopg.connect(url, autocommit=True) as sync:
        jobs = sync.execute(JOBS).fetchall() if _has_jobs(sync) else []
        for (job,) in jobs:
            sync.execute(f"CALL run_job({job})".encode())
        sync.execute("VACUUM")
    return await sizes.measured(url, 0, 0)


def _has_jobs(conn: psycopg.Connection) -> bool:
    row = conn.execute("SELECT to_regclass('timescaledb_information.jobs') IS NOT NULL").fetchone()
    return bool(row and row[0])
