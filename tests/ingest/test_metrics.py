"""What Prometheus is told by the process while its database is away: then nobody else tells it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx

from storage.migrate import migrate
from tests.ingest.listening import Publisher, until
from tests.servers import Nats, Postgres, free_port

ROOT = Path(__file__).resolve().parents[2]


async def test_what_is_held_is_told_without_the_database(nats: Nats, region: str, tmp_path: Path) -> None:
    server, port = Postgres(tmp_path / "home"), free_port()
    server.start()
    url = server.create("siaga")
    migrate(url, lambda line: None)
    env = os.environ | {
        "SIAGA_DATABASE_URL": url, "SIAGA_MQTT_URL": nats.url, "SIAGA_INGEST_REGIONS": region,
        "SIAGA_INGEST_CLIENT_ID": f"siaga-ingest-{region.replace('.', '-')}", "SIAGA_INGEST_METRICS_PORT": str(port),
    }  # fmt: skip
    said = tmp_path / "said"

    def metric(name: str) -> float:
        try:
            lines = httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
        except httpx.TransportError:
            return -1
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[-1])

    with (
        said.open("wb") as log,
        subprocess.Popen([sys.executable, "-m", "siaga", "ingest"], env=env, stderr=log) as ran,  # noqa: ASYNC220
    ):
        try:
            await until(lambda: metric("siaga_ingest_subscribed") == 1)
            server.kill()
            with Publisher(nats.url, region) as device:
                await device.send("one", "two", "three")
                await until(lambda: metric("siaga_ingest_held_packets") == 3)
            server.start()
            await until(lambda: metric("siaga_ingest_held_packets") == 0)
            await until(lambda: metric('siaga_ingest_readings_total{outcome="quarantined"}') == 3)
        finally:
            ran.terminate()
            ran.wait()
            server.stop()
    lines = said.read_text()
    assert f"part=ingest-{region.replace('.', '-')} event=broker.connected" in lines, lines
    assert f"filters=siaga/v1/{region}/+/readings" in lines
