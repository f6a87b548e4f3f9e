"""deploy/debian/install.sh on a Debian 13 with systemd of its own: installed, upgraded and rolled back, with data.

Three minutes, most of them pip's; it runs where SIAGA_TEST_INSTALL is set.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from runtime.mqtt_url import parse_url
from siaga.client import Client
from tests.deploy.machine import Machine
from tests.servers import free_port
from tests.stack import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("SIAGA_TEST_INSTALL"), reason="three minutes; SIAGA_TEST_INSTALL=1 runs it"),
]

UNITS = ("siaga-broker", "siaga-ingest@all", "siaga-worker", "siaga-api")
SCRIPT = "deploy/debian/install.sh"
FLEET = "id,kind,name,region,district,lat,lon\nwl-1,water_level,Sungai Asahan,12.09,12.09.19,2.98,99.61\n"
NEXT = "99.0.0"
MIGRATION = '''"""A table that the version before does not know."""

from alembic import op

revision = "9999"
down_revision = "{}"


def upgrade() -> None:
    op.execute("CREATE TABLE of_the_next_version (at timestamptz)")
'''


class Api(NamedTuple):
    url: str
    key: str


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.close()


def test_installed_upgraded_and_rolled_back(machine: Machine) -> None:
    ports = {name: free_port() for name in ("api", "mqtt", "monitor", "postgres", "ingest", "worker")}
    prepare(machine, ports)
    machine.checkout("/src/this")
    version = install(machine)
    api = first_people(machine, ports)
    publish(machine, 1, 1.25)
    until(lambda: level(api) == 1.25, "the first reading is shown")
    assert "all well" in machine.run("siaga", "doctor")
    assert {user_of(machine, unit) for unit in UNITS} == {"siaga"}

    next_version(machine, version)
    assert "use --upgrade" in machine.run(f"/src/next/{SCRIPT}", code=1)
    assert f"Siaga {NEXT} runs" in machine.run(f"/src/next/{SCRIPT}", "--upgrade")
    until(lambda: ready(api), "all parts of the next version are up")
    assert tables_of_next(machine) == "1"
    assert level(api) == 1.25
    publish(machine, 2, 2.5)
    until(lambda: level(api) == 2.5, "the next version takes readings")

    rollback = (f"/opt/siaga/current/{SCRIPT}", "--rollback")
    assert "nothing was changed" in machine.run(*rollback, code=1)
    assert tables_of_next(machine) == "1"
    assert "will not be in Siaga" in machine.run(*rollback, "--yes")
    until(lambda: ready(api), "all parts of the old version are up")
    assert current(machine) == version
    assert tables_of_next(machine) == "0"
    assert level(api) == 1.25
    (kept,) = sql(machine, "postgres", "SELECT datname FROM pg_database WHERE datname LIKE 'siaga_before_%'").split()
    assert sql(machine, kept, "SELECT max(level_m) FROM reading_water_level") == "2.5"
    assert "was not upgraded" in machine.run(*rollback, "--yes", code=1)
    publish(machine, 3, 1.5)
    until(lambda: level(api) == 1.5, "the old version goes on")


def install(machine: Machine) -> str:
    """Twice: the second run changes nothing. The folder of the version."""
    said = machine.run(f"/src/this/{SCRIPT}")
    assert "siaga users create NAME --role admin" in said
    kept = {name: machine.read(f"/etc/siaga/{name}") for name in ("siaga.env", "broker.env", "nats.conf")}
    for name in kept:
        assert machine.run("stat", "-c", "%a %U:%G", f"/etc/siaga/{name}").strip() == "640 root:siaga"
    machine.run(f"/src/this/{SCRIPT}")
    assert kept == {name: machine.read(f"/etc/siaga/{name}") for name in kept}
    assert "is what runs already" in machine.run(f"/src/this/{SCRIPT}", "--upgrade", code=1)
    return current(machine)


def first_people(machine: Machine, ports: dict[str, int]) -> Api:
    machine.run("siaga", "users", "create", "sari", "--role", "admin", stdin="tepi sungai yang tenang\n")
    machine.write("/srv/fleet.csv", FLEET)
    machine.run("siaga", "devices", "import", "/srv/fleet.csv")
    key = machine.run("siaga", "keys", "create", "test", "--role", "viewer").strip()
    api = Api(f"http://127.0.0.1:{ports['api']}", key)
    until(lambda: ready(api), "all parts are up")
    return api


def next_version(machine: Machine, version: str) -> None:
    """A checkout with another number and one migration more."""
    later = machine.checkout("/src/next")
    project = (later / "pyproject.toml").read_text()
    (later / "pyproject.toml").write_text(re.sub('(?m)^version = ".*"$', f'version = "{NEXT}"', project, count=1))
    ask = "from storage.migrate import newest_revision; print(newest_revision())"
    newest = machine.run(f"{version}/bin/python", "-c", ask).strip()
    (later / "storage/migrations/versions/9999_next.py").write_text(MIGRATION.format(newest))


def prepare(machine: Machine, ports: dict[str, int]) -> None:
    """What somebody writes down before, who needs other ports."""
    machine.write(
        "/etc/siaga/broker.env", f"SIAGA_BROKER_PORT={ports['mqtt']}\nSIAGA_BROKER_MONITOR_PORT={ports['monitor']}\n"
    )
    machine.write(
        "/etc/siaga/siaga.env",
        f"SIAGA_API_PORT={ports['api']}\nSIAGA_INGEST_METRICS_PORT={ports['ingest']}\n"
        f"SIAGA_WORKER_METRICS_PORT={ports['worker']}\n",
    )
    machine.run("pg_conftool", "17", "main", "set", "port", str(ports["postgres"]))
    machine.run("systemctl", "restart", "postgresql")


def ready(api: Api) -> bool:
    try:
        return httpx.get(f"{api.url}/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def current(machine: Machine) -> str:
    return machine.run("readlink", "/opt/siaga/current").strip()


def user_of(machine: Machine, unit: str) -> str:
    """As whom the first process of a unit runs."""
    number = machine.run("systemctl", "show", "--property=MainPID", "--value", unit).strip()
    return machine.run("stat", "-c", "%U", f"/proc/{number}").strip()


def publish(machine: Machine, number: int, metres: float) -> None:
    broker = parse_url(variable(machine, "SIAGA_MQTT_URL"))
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="wl-1")
    client.username_pw_set(broker.username, broker.password)
    client.connect(broker.host, broker.port)
    client.loop_start()
    payload = json.dumps({"ts": datetime.now(UTC).isoformat(), "seq": number, "boot": "a", "level_m": metres})
    client.publish("siaga/v1/12.09/wl-1/readings", payload, qos=1).wait_for_publish(30)
    client.disconnect()
    client.loop_stop()


def level(api: Api) -> object:
    with Client(api.url, api.key) as client:
        found = next(client.latest(kind="water_level"), None)
    return found.values["level_m"] if found else None


def variable(machine: Machine, name: str) -> str:
    (line,) = [line for line in machine.read("/etc/siaga/siaga.env").splitlines() if line.startswith(f"{name}=")]
    return line.removeprefix(f"{name}=").strip("'")


def tables_of_next(machine: Machine) -> str:
    return sql(machine, "siaga", "SELECT count(*) FROM pg_class WHERE relname = 'of_the_next_version'")


def sql(machine: Machine, database: str, statement: str) -> str:
    port = machine.run("sh", "-c", "pg_lsclusters -h | awk '{ print $3 }'").strip()
    command = ("runuser", "-u", "postgres", "--", "psql", "-p", port, "-d", database, "-tAXc", statement)
    return machine.run(*command).strip()
