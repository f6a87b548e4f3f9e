"""The process: `siaga worker` on a server of its own that is killed under it, and kill -9 of the worker itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from storage.migrate import migrate
from tests.servers import Postgres, free_port
from tests.storage.world import World, transition
from tests.worker.conftest import Service

ROOT = Path(__file__).resolve().parents[2]
PART = "SELECT state, detail FROM part WHERE name = 'worker' AND beat_at > now() - interval '10 seconds'"
ADD_DEVICE = "INSERT INTO device (id, kind) VALUES ('lamp', 'streetlight')"
MARK = "INSERT INTO rollup_mark (kind, bucket) VALUES ('streetlight', '2026-11-24T12:00Z')"
MARKS = "SELECT count(*) FROM rollup_mark"
# More than there is between two rounds.
LAG_S = 4.0


@contextmanager
def running(url: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    env = {**os.environ, "SIAGA_DATABASE_URL": url, "SIAGA_DATABASE_RETRY_MAX_S": "1", **settings}
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "siaga", "worker"], cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(true: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ask(url: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows; none while the server is away."""
    try:
        with psycopg.connect(url, autocommit=True) as conn:
            cursor = conn.execute(query.encode(), values)
            return cursor.fetchall() if cursor.description else []
    except psycopg.OperationalError:
        return []


def metric(port: int, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    (line,) = [line for line in lines if line.startswith(f"{name} ")]
    return float(line.split()[-1])


def is_up(url: str) -> bool:
    return any(state == "up" for state, _ in ask(url, PART))


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Postgres]:
    server = Postgres(tmp_path / "home")
    server.start()
    yield server
    server.stop()


def test_it_outlives_its_database(own_server: Postgres) -> None:
    url = own_server.create("siaga")
    with running(url) as worker:
        # Started before there is a schema: it waits.
        until(lambda: "siaga migrate" in (worker.stderr.readline() if worker.stderr else ""))
        migrate(url, lambda line: None)
        until(lambda: is_up(url))
        own_server.kill()
        own_server.start()
        ask(url, ADD_DEVICE)
        ask(url, MARK)
        until(lambda: ask(url, MARKS) == [(0,)])
        ask(url, "DELETE FROM part")  # what it said before the restart
        until(lambda: is_up(url))
        worker.terminate()
        said = worker.communicate(timeout=60)[1]
        assert worker.returncode == 0, said
        assert "worker.stopped" in said
        assert "Traceback" not in said
        assert ask(url, "SELECT * FROM part") == []


def test_it_stops_without_its_database(own_server: Postgres) -> None:
    """Until then its lag rises for Prometheus, too: nobody else could tell."""
    url, port = own_server.create("siaga"), free_port()
    migrate(url, lambda line: None)
    with running(url, SIAGA_WORKER_METRICS_PORT=str(port)) as worker:
        until(lambda: is_up(url))
        own_server.kill()
        until(lambda: metric(port, "siaga_worker_rollup_lag_seconds") > LAG_S)
        worker.terminate()
        said = worker.communicate(timeout=60)[1]
        assert worker.returncode == 0, said
        assert "Traceback" not in said
    own_server.start()


async def test_a_notice_under_way_when_killed_is_sent_by_the_next_worker(world: World, service: Service) -> None:
    service.answering.clear()
    await world.move(transition("raised", 2))
    with running(world.url, SIAGA_NOTIFY_URLS=service.url()) as worker:
        until(service.arrived.is_set)
        worker.kill()
        worker.wait()
    ((status,),) = await world.rows("SELECT status::text FROM procrastinate_jobs")
    assert status == "doing"
    service.answering.set()
    # As if half a minute had passed.
    await world.conn.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'")
    with running(world.url, SIAGA_NOTIFY_URLS=service.url()) as worker:
        until(lambda: ask(world.url, "SELECT 1 FROM delivery WHERE sent_at IS NOT NULL"))
        until(lambda: ask(world.url, "SELECT status::text FROM procrastinate_jobs") == [("succeeded",)])
        worker.terminate()
        assert worker.wait(60) == 0
    assert len(service.taken) == 2


def test_prometheus_finds_its_metrics(database_url: str) -> None:
    port = free_port()
    with running(database_url, SIAGA_WORKER_METRICS_PORT=str(port)):
        until(lambda: is_up(database_url))
        assert metric(port, "siaga_worker_rollup_lag_seconds") >= 0
        assert metric(port, 'siaga_worker_notices_total{outcome="sent"}') == 0
