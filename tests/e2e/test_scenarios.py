"""Every scenario through a whole Siaga: what was sent is what is stored, rolled up, alerted and shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator.scenario import shipped
from tests.servers import Mosquitto, Timescale
from tests.stack import ROOT, Stack
from tests.whole import WHOLE

pytestmark = pytest.mark.slow

# Shortened where the whole of it takes minutes; SIAGA_TEST_WHOLE=1 plays all as they are.
SHORTER = {
    "banjir-data": ("--devices", "40"),
    "banjir-silau": ("--for", "26h"),
    "hari-biasa": ("--for", "10h"),
    "kemacetan": ("--for", "6h"),
    "panel-padam": ("--for", "5h"),
    "seminggu": ("--devices", "60", "--for", "1d"),
}
# What the second stack plays, too, where not all of them are: an incident.
ON_BOTH = ("panel-padam",)


@pytest.fixture(scope="module", params=["nats and postgresql", "mosquitto and timescaledb"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    if request.param == "nats and postgresql":
        yield from running(Stack(folder / "data", "--no-simulator"))
        return
    mosquitto: Mosquitto = request.getfixturevalue("mosquitto")
    timescale: Timescale = request.getfixturevalue("timescale")
    url = timescale.create("siaga_scenarios", owner="siaga_scenarios")
    settings = {"SIAGA_DATABASE_URL": url, "SIAGA_MQTT_URL": mosquitto.url}
    yield from running(Stack(folder / "data", "--no-simulator", settings=settings))
    timescale.drop("siaga_scenarios")


def running(stack: Stack) -> Iterator[Stack]:
    try:
        stack.start()
        yield stack
        assert stack.stop() == 0
    finally:
        stack.close()


def siaga(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "siaga", *arguments]
    env = {**os.environ, **stack.env, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=900, check=False)


def compared(stack: Stack, truth: Path) -> dict[str, Any]:
    """What `siaga verify` answers; its exit code agrees."""
    done = siaga(stack, "verify", "--truth", str(truth), "--json")
    answer: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if answer["clean"] else 1), done.stderr
    return answer


@pytest.mark.parametrize("name", shipped())
def test_a_scenario_verifies_clean(stack: Stack, tmp_path: Path, name: str) -> None:
    if name == "listrik-dicuri" and not WHOLE:
        pytest.skip("four days of two panels; SIAGA_TEST_WHOLE=1 plays them")
    second = "SIAGA_DATABASE_URL" in stack.settings
    if second and not WHOLE and name not in ON_BOTH:
        pytest.skip("SIAGA_TEST_WHOLE=1 plays every scenario on both stacks")
    options = () if WHOLE else SHORTER.get(name, ())
    truth = tmp_path / "truth"
    played = siaga(stack, "simulate", "--scenario", name, "--speed", "max", "--truth", str(truth), *options)
    assert played.returncode == 0, played.stdout + played.stderr
    answer = compared(stack, truth)
    assert answer["clean"], answer
    if name == "panel-padam":
        assert answer["incidents"] | {"must": 1, "may": 0, "found": 1} == answer["incidents"]
        assert one_incident(stack) == (214, 3)


def one_incident(stack: Stack) -> tuple[int, int]:
    """How many lamps the only incident of the panel has under it, and how many are out by themselves."""
    with stack.client() as client:
        incidents = client.items("/incidents", state="all", historical="any")
        (panel,) = [each for each in incidents if each["device_name"].startswith("Panel panel-padam-1-")]
        assert panel["title"]["id"] == f"{panel['device_name']} padam: 214 lampu"
        members = list(client.items(f"/incidents/{panel['id']}/members"))
        assert {(each["rule"], each["parent_id"]) for each in members} == {("unpowered", panel["id"])}
        out = client.alerts(rule="lamp_out", state="all", historical="any")
        alone = [alert for alert in out if alert.device_id.startswith("panel-padam-1")]
        assert {alert.parent_id for alert in alone} == {None}
    return len(members), len(alone)
