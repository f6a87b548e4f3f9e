"""The image, built as a release builds it, and its parts run from it: readings come in, pages go out, SIGTERM ends it.

Five minutes; it runs where SIAGA_TEST_IMAGE is set.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from runtime.mqtt_url import parse_url
from siaga.client import Client
from siaga.stack.ports import LOOPBACK
from storage import keys
from storage.connect import connect
from tests.deploy.container import Image
from tests.servers import Nats, Postgres, free_port
from tests.stack import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("SIAGA_TEST_IMAGE"), reason="five minutes; SIAGA_TEST_IMAGE=1 runs it"),
]

KEY = "of-an-admin-in-a-test"
PARTS = ("ingest", "worker", "api")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    made = Image(tmp_path_factory.mktemp("image"))
    yield made
    made.close()


def test_it_is_what_the_file_says(image: Image, tmp_path: Path) -> None:
    config = image.inspect()
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["/opt/siaga/bin/siaga"]
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert config["Labels"]["org.opencontainers.image.version"] == "test"
    said = image.run("siaga", "--help", env={}, log=tmp_path / "log")
    assert "watch a regency" in said
    for name in ("pip", "gcc", "npm", "node", "curl"):
        assert not any(
            (image.root / folder / name).exists() for folder in ("opt/siaga/bin", "usr/bin", "usr/local/bin")
        )
    assert not (image.root / "src").exists()
    assert (image.root / "opt/siaga/lib/python3.13/site-packages/api/dashboard/vendor/versions.json").exists()


def test_its_parts_work(image: Image, postgres: Postgres, nats: Nats, tmp_path: Path) -> None:
    url = postgres.create("in_containers")
    ports = {name: free_port() for name in PARTS}
    env = {
        "SIAGA_DATABASE_URL": url, "SIAGA_MQTT_URL": nats.url, "SIAGA_API_PORT": str(ports["api"]),
        "SIAGA_INGEST_METRICS_PORT": str(ports["ingest"]), "SIAGA_WORKER_METRICS_PORT": str(ports["worker"]),
        "SIAGA_API_HOST": LOOPBACK, "SIAGA_INGEST_CLIENT_ID": "in-containers", "SIAGA_FLEET_RELOAD_S": "1",
    }  # fmt: skip
    image.run("siaga", "migrate", env=env, log=tmp_path / "migrate")
    with connect(url, "test") as conn:
        keys.ensure_admin_key(conn, KEY)
        conn.execute("INSERT INTO device (id, kind, region) VALUES ('wl-1', 'water_level', '12.09')")
    parts = {name: image.start("siaga", name, env=env, log=tmp_path / name) for name in PARTS}
    try:
        place = f"http://{LOOPBACK}:{ports['api']}"
        until(lambda: is_ready(place), f"all parts are up: {[part.said[-500:] for part in parts.values()]}")
        publish(nats.url)
        with Client(place, KEY) as client:
            until(lambda: [each.values["level_m"] for each in client.latest()] == [1.25], "the reading is shown")
        assert "<title>" in httpx.get(place).text
        for name, path in (("api", "healthz"), ("ingest", "metrics"), ("worker", "metrics")):
            asked = {"HEALTH_URL": f"http://{LOOPBACK}:{ports[name]}/{path}"}
            image.run("python", "-IS", "/opt/siaga/healthy.py", env=asked, log=tmp_path / "healthy")
    finally:
        codes = {name: part.stop() for name, part in parts.items()}
        postgres.drop("in_containers")
    assert codes == dict.fromkeys(PARTS, 0)


def is_ready(place: str) -> bool:
    try:
        return httpx.get(f"{place}/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def publish(url: str) -> None:
    place = parse_url(url)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="wl-1")
    client.username_pw_set(place.username, place.password)
    client.connect(place.host, place.port)
    client.loop_start()
    payload = json.dumps({"ts": datetime.now(UTC).isoformat(), "level_m": 1.25})
    client.publish("siaga/v1/12.09/wl-1/readings", payload, qos=1).wait_for_publish(30)
    client.disconnect()
    client.loop_stop()
