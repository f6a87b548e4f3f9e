"""What deploy/cluster says in one file agrees with what it says in the others."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import chain
from pathlib import Path

import pytest

from devices.topics import is_region
from runtime.mqtt_url import parse_url
from runtime.settings import PREFIX, Settings
from siaga.stack import broker
from tests.servers import DEPLOY

CLUSTER = DEPLOY / "cluster"
WINDOW = 65_535  # packets in flight of one MQTT session


def read(name: str) -> dict[str, str]:
    lines = (CLUSTER / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_variable_of_a_node_is_in_its_example() -> None:
    config = (CLUSTER / "nats" / "node.conf").read_text(encoding="utf-8")
    wanted = set(re.findall(r"\$(SIAGA_\w+)", re.sub("#.*", "", config)))
    assert read("nats/node-1.env").keys() == wanted


@pytest.mark.parametrize("name", ["node.conf", "secured.conf"])
def test_the_broker_takes_the_example(name: str, tmp_path: Path) -> None:
    """As systemd gives it: without the outer quotes."""
    folder = shutil.copytree(CLUSTER / "nats", tmp_path / "nats")
    (folder / "users.conf").write_text('users: [{ user: "siaga", password: "long" }]')
    given = {name: value.strip("'") for name, value in read("nats/node-1.env").items()}
    given["SIAGA_BROKER_PASSWORD"] = '"long"'
    for what in ("CERT", "KEY", "CA"):
        given[f"SIAGA_BROKER_{what}"] = f'"{tmp_path}/none.pem"'
    line = [str(broker.program()), "-c", str(folder / name), "-t"]
    done = subprocess.run(line, env=given, capture_output=True, text=True, check=False, timeout=30)
    # All it misses are the certificates of a real machine.
    assert "none.pem" in done.stderr, done.stderr


def test_regions_are_served_once_and_fit_into_a_session() -> None:
    sets = [read(f"ingest/{file.name}")["SIAGA_INGEST_REGIONS"].split(",") for file in CLUSTER.glob("ingest/*.env")]
    regions = list(chain.from_iterable(sets))
    assert len(sets) == 4
    assert len(set(regions)) == len(regions) == 20
    assert all(map(is_region, regions))
    config = (CLUSTER / "nats" / "node.conf").read_text(encoding="utf-8")
    found = re.search(r"^  max_ack_pending: (\d+)", config, re.MULTILINE)
    assert found
    assert 10 * int(found[1]) <= WINDOW, "ten regions a process, says docs/scaling.md"
    assert max(map(len, sets)) <= 10


def test_settings_of_the_machines_are_ours() -> None:
    given = read("siaga.env")
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    assert {name for name in given if name.startswith(PREFIX)} <= known
    assert len(parse_url(given["SIAGA_MQTT_URL"]).nodes) == 3


@pytest.mark.parametrize("name", ["standby.sh", "synchronous.sh", "promote.sh"])
def test_a_script_without_arguments_says_how_it_is_used(name: str) -> None:
    done = subprocess.run(
        ["/bin/sh", CLUSTER / "postgresql" / name], capture_output=True, text=True, check=False, timeout=10
    )
    assert done.returncode == 2
    assert f"{name} " in done.stderr
    assert "#" not in done.stderr
