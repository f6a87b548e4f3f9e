"""A second ingest process waits, and takes over when the first is killed: nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.failure.world import quick_nats
from tests.ingest.listening import Publisher
from tests.servers import Nats, free_port
from tests.stack import until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MESSAGES = 3_000
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
HOLDER = """
SELECT l.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND a.application_name = 'siaga ingest' AND a.datname = current_database()
"""


class Pair:
    """Two ingest processes of one session, the second started when the first holds the lock."""

    def __init__(self, database_url: str, mqtt_url: str, logs: Path) -> None:
        self.env = {
            **os.environ, "SIAGA_DATABASE_URL": database_url, "SIAGA_MQTT_URL": mqtt_url,
            "SIAGA_INGEST_CLIENT_ID": "ingest-standby", "SIAGA_INGEST_REGIONS": "12.10",
        }  # fmt: skip
        self.database_url, self.logs, self.metrics_port = database_url, logs, free_port()
        self.active = self._start("active")
        self.holder = until(self.holding, "the first holds the lock")
        self.standby = self._start("standby", SIAGA_INGEST_METRICS_PORT=str(self.metrics_port))
        until(lambda: "start.waiting" in self.said("standby"), "the second says that it waits")

    def _start(self, name: str, **more: str) -> subprocess.Popen[bytes]:
        with (self.logs / name).open("wb") as log:
            command = [sys.executable, "-m", "siaga", "ingest"]
            return subprocess.Popen(command, cwd=ROOT, env={**self.env, **more}, stdout=log, stderr=log)

    def said(self, name: str) -> str:
        return (self.logs / name).read_text()

    def holding(self) -> int | None:
        """The back-end that holds the lock."""
        with psycopg.connect(self.database_url) as conn:
            row = conn.execute(HOLDER).fetchone()
        return int(row[0]) if row else None

    def close(self) -> None:
        for process in (self.active, self.standby):
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Nats]:
    server = quick_nats(tmp_path / "store")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def pair(database_url: str, nats: Nats, tmp_path: Path) -> Iterator[Pair]:
    with psycopg.connect(database_url) as conn:
        conn.execute("INSERT INTO device (id, kind, region) VALUES ('lamp', 'streetlight', '12.10')")
    pair = Pair(database_url, nats.url, tmp_path)
    yield pair
    pair.close()


def test_the_standby_takes_over_and_nothing_is_lost_or_doubled(pair: Pair, nats: Nats) -> None:
    until(lambda: "subscription.accepted" in pair.said("active"), "the first listens")
    texts = [
        json.dumps({"ts": (START + timedelta(seconds=n)).isoformat(), "seq": n, "power_w": n / 10})
        for n in range(MESSAGES)
    ]
    with Publisher(nats.url, "12.10") as lamp, psycopg.connect(pair.database_url, autocommit=True) as conn:

        def stored() -> int:
            row = conn.execute("SELECT count(*) FROM reading_streetlight").fetchone()
            assert row
            return int(row[0])

        lamp.publish(*texts[: MESSAGES // 2])
        until(lambda: stored() > 0, "the first commits")
        pair.active.kill()
        killed = time.monotonic()
        lamp.publish(*texts[MESSAGES // 2 :])
        until(lambda: pair.holding() not in (None, pair.holder), "the second holds the lock")
        print(f"the lock changed hands {time.monotonic() - killed:.1f} s after the kill")
        until(lambda: "subscription.accepted" in pair.said("standby"), "the second listens")
        print(f"the standby listened {time.monotonic() - killed:.1f} s after the kill")
        until(lambda: lamp.acknowledged.issuperset(texts), "the broker has all")
        until(lambda: stored() == MESSAGES, "every reading is stored once")
        # What the metrics say of the standby's own share.
        found = httpx.get(f"http://127.0.0.1:{pair.metrics_port}/metrics").text
        lines = dict(line.rsplit(" ", 1) for line in found.splitlines() if not line.startswith("#"))
        assert float(lines['siaga_ingest_readings_total{outcome="stored"}']) > 0
        assert float(lines["siaga_ingest_devices"]) == 1
        assert float(lines["siaga_ingest_commit_seconds_count"]) == float(lines["siaga_ingest_batch_packets_count"]) > 0
        assert float(lines['siaga_ingest_quarantined_total{reason="malformed"}']) == 0
        ledger = conn.execute("SELECT sum(stored), sum(quarantined), sum(conflict) FROM ledger").fetchone()
        assert ledger == (MESSAGES, 0, 0)
