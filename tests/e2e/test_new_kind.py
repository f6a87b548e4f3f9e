"""A new kind is one file: from MQTT to the dashboard, after `siaga migrate`."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from playwright.sync_api import expect

from runtime.mqtt_url import parse_url
from tests.browser import DESK, Watched, chromium
from tests.stack import ROOT, Stack, until

pytestmark = pytest.mark.slow

PACKAGES = ("alerts", "api", "deploy", "devices", "ingest", "runtime", "siaga", "simulator", "storage", "worker")
AIR_QUALITY = '''
"""Air quality stations."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from devices.kind import Attributes, Kind, Label, Metric, Reading


class AirQuality(Reading):
    """Fine dust at one instant."""

    pm25_ug_m3: Annotated[
        float | None,
        Metric("ug/m3", 0, 1000, Label("Debu halus PM2,5", "Fine dust PM2.5"), sign=Label("µg/m³", "µg/m³")),
    ] = None


class AirQualityAttributes(Attributes):
    operator: str | None = Field(default=None, max_length=64)


KIND = Kind(
    name="air_quality",
    label=Label("Kualitas udara", "Air quality"),
    reading=AirQuality,
    attributes=AirQualityAttributes,
    interval_s=600,
    primary="pm25_ug_m3",
)
'''
FLEET = """id,kind,name,region,district,lat,lon,operator
aq-kisaran,air_quality,Alun-alun Kisaran,12.09,12.09.19,2.985,99.62,DLH
"""


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A database made without the new kind; then a checkout that has one file more, migrated by `siaga up`."""
    root = tmp_path_factory.mktemp("checkout")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    data = tmp_path_factory.mktemp("data") / "data"
    before = Stack(data, "--no-simulator")
    before.start()
    assert before.stop() == 0
    (root / "devices" / "kinds" / "air_quality.py").write_text(AIR_QUALITY)
    stack = Stack(data, "--no-simulator", root=root)
    stack.start()
    (root / "fleet.csv").write_text(FLEET)
    assert "added 1" in stack.run("devices", "import", str(root / "fleet.csv")).stdout
    yield stack
    assert stack.stop() == 0


def test_it_is_in_the_document_of_what_devices_publish(extended: Stack) -> None:
    made = extended.get("/asyncapi.json").json()
    assert made["components"]["schemas"]["air_quality"]["properties"]["pm25_ug_m3"]["x-unit"] == "ug/m3"


def publish(stack: Stack, value: float, at: datetime) -> None:
    broker = parse_url(stack.content["mqtt_url"])
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"aq-{time.monotonic_ns()}")
    client.username_pw_set(broker.username, broker.password)
    client.connect(broker.host, broker.port)
    client.loop_start()
    payload = json.dumps({"ts": at.isoformat(), "seq": 1, "pm25_ug_m3": value})
    client.publish("siaga/v1/12.09/aq-kisaran/readings", payload, qos=1).wait_for_publish(30)
    client.disconnect()
    client.loop_stop()


def test_one_file_reaches_from_mqtt_to_the_screen(extended: Stack) -> None:
    assert "created table reading_air_quality" in (extended.data / "logs" / "migrate.log").read_text()
    now = datetime.now(UTC)
    publish(extended, 31.4, now - timedelta(minutes=1))
    with extended.client() as client:
        (metric,) = next(kind.metrics for kind in client.kinds() if kind.kind == "air_quality")
        assert (metric.name, metric.unit, metric.label.en) == ("pm25_ug_m3", "ug/m3", "Fine dust PM2.5")

        def latest() -> float | None:
            found = next(client.latest(kind="air_quality"), None)
            return found.values["pm25_ug_m3"] if found else None

        assert until(latest, "the reading is stored") == 31.4

        def rolled_up() -> list[float | None]:
            found = client.metrics("air_quality", device=["aq-kisaran"], bucket="5m", since="-1h")
            return [bucket.values["pm25_ug_m3"]["max"] for bucket in found]

        assert until(rolled_up, "the reading is rolled up") == [31.4]

    host = urlsplit(extended.content["api_url"]).netloc
    with chromium() as browser, browser.new_context(viewport=DESK) as context:
        watched = Watched(context, host)
        page = watched.page
        page.request.post(f"{extended.content['api_url']}/api/v1/session", data={"key": extended.content["admin_key"]})
        page.goto(f"{extended.content['api_url']}/perangkat/aq-kisaran")
        expect(page.locator("main")).to_contain_text("Alun-alun Kisaran")
        expect(page.locator("main")).to_contain_text("Debu halus PM2,5")
        expect(page.locator("main")).to_contain_text("31,4")
        publish(extended, 47.9, now)
        expect(page.locator("main")).to_contain_text("47,9")
        assert (watched.errors, watched.elsewhere) == ([], [])
