"""The broker as containers run it: deploy/image/broker.sh with what deploy/ configures, TLS and users of a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from siaga import ca
from siaga.stack import broker
from siaga.stack.ports import LOOPBACK
from storage.connect import connect
from tests.deploy.files import DEPLOY, documents, read, said
from tests.servers import PASSWORD, Postgres, free_port
from tests.stack import ROOT, until
from worker.broker import nats

INSIDE = "127.0.0.2"
LAMP = "sl-1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a certificate, a password and the configuration, whose paths lead here."""
    made = tmp_path_factory.mktemp("broker")
    authority = ca.init(made / "ca", "test", ca.now_utc())
    for name, is_node in (("broker", False), ("tls", True)):
        issued = authority.server([LOOPBACK], ca.now_utc(), is_node=is_node)
        ca.write(issued, made / f"{name}.pem", made / f"{name}-key.pem")
    (made / "broker_password").write_text(PASSWORD)
    (made / "nats").mkdir()
    for name in ("nats/siaga.conf", "nats/secured.conf", "cluster/nats/node.conf", "kubernetes/broker/broker.conf"):
        text = read(name).replace("/etc/siaga/", f"{made}/").replace("/var/lib/siaga/broker", f"{made}/store")
        (made / "nats" / Path(name).name).write_text(text)
    return made


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[dict[str, str]]:
    """The environment of one that waits for its users."""
    env = {
        "PATH": f"{broker.program().parent}:/usr/bin:/bin", "SECRETS": str(folder), "FOLDER": str(folder / "store"),
        "NATS": str(folder / "nats"), "BROKER_ADDRESS": INSIDE, "SIAGA_BROKER_MAX_FILE": "1GB",
        "SIAGA_BROKER_PORT": str(free_port()), "SIAGA_BROKER_MONITOR_PORT": str(free_port()),
    }  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([DEPLOY / "image" / "broker.sh", "secured.conf"], env=env, stdout=log, stderr=log)
        try:
            yield env
        finally:
            process.terminate()
            process.wait(30)
    assert process.returncode in (0, 1), (folder / "log").read_text()


@pytest.fixture(scope="module")
def siaga(postgres: Postgres, template: str, folder: Path) -> Iterator[Callable[..., str]]:
    """A `siaga` command as it would be in another container; `siaga broker sync` runs."""
    url = postgres.create("of_the_broker", template)
    with connect(url, "test") as conn:
        conn.execute("INSERT INTO device (id, kind, region) VALUES (%s, 'streetlight', '12.09')", (LAMP,))
    env = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "SIAGA_DATABASE_URL": url,
        "SIAGA_DEVICE_KEY": PASSWORD * 4,
        "SIAGA_BROKER_USERS_FILE": str(folder / "store" / "conf" / "users.conf"),
        "SIAGA_BROKER_PID_FILE": str(folder / "none"),
    }  # fmt: skip
    command = (sys.executable, "-P", "-m", "siaga")
    # Before the broker has made the folder for it.
    with (folder / "sync.log").open("wb") as log:
        process = subprocess.Popen((*command, "broker", "sync"), env=env, stdout=log, stderr=log)
    try:
        yield lambda *words: said(*command, *words, env=env)
    finally:
        process.terminate()
        process.wait(30)
        postgres.drop("of_the_broker")


def test_who_may_connect_comes_from_the_database(
    folder: Path, siaga: Callable[..., str], running: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca" / "ca.pem"))
    port = int(running["SIAGA_BROKER_PORT"])

    def accepts(user: str, password: str) -> bool:
        return broker.accepts(LOOPBACK, port, user, password, tls=True)

    until(lambda: accepts("siaga", PASSWORD), "our own parts may connect")
    name, password = siaga("devices", "provision", LAMP).split()[:2]
    assert name == LAMP
    until(lambda: accepts(LAMP, password), "the lamp may connect")
    assert not accepts(LAMP, "another password")
    siaga("devices", "revoke", LAMP)
    until(lambda: not accepts(LAMP, password), "the lamp may no more")
    assert accepts("siaga", PASSWORD)


def test_it_says_what_it_holds_on_the_address_for_that_alone(siaga: object, running: dict[str, str]) -> None:
    port = running["SIAGA_BROKER_MONITOR_PORT"]

    until(lambda: is_healthy(f"http://{INSIDE}:{port}/healthz"), "it says that it is well")
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{LOOPBACK}:{port}/healthz")


def test_three_nodes_of_kubernetes_find_each_other(folder: Path) -> None:
    """As the manifest sets them up, but for places and ports, with certificates that `siaga ca issue --node` makes."""
    routes = [free_port() for _ in range(3)]
    monitors = [free_port() for _ in range(3)]
    nodes = []
    with (folder / "nodes.log").open("wb") as log:
        try:
            for number, (route, monitor) in enumerate(zip(routes, monitors, strict=True)):
                store = folder / f"node-{number}"
                (store / "conf").mkdir(parents=True)
                (store / "conf" / "users.conf").write_text(nats.render([]))
                env = manifest_environment(folder) | {
                    "SIAGA_BROKER_NAME": f'"broker-{number}"', "FOLDER": str(store), "BROKER_ADDRESS": LOOPBACK,
                    "SIAGA_BROKER_PORT": str(free_port()), "SIAGA_BROKER_ROUTE_PORT": str(route),
                    "SIAGA_BROKER_ROUTES": json.dumps([f"nats://{LOOPBACK}:{each}" for each in routes]),
                    "SIAGA_BROKER_MONITOR_PORT": str(monitor), "SIAGA_BROKER_MAX_FILE": "1GB",
                }  # fmt: skip
                command = [DEPLOY / "image" / "broker.sh", "broker.conf"]
                nodes.append(subprocess.Popen(command, env=env, stdout=log, stderr=log))
            for monitor in monitors:
                place = f"http://{LOOPBACK}:{monitor}{broker_container()['readinessProbe']['httpGet']['path']}"
                until(lambda place=place: is_healthy(place), "the node is ready")  # type: ignore[misc]
        finally:
            for node in nodes:
                node.terminate()
                node.wait(30)


def manifest_environment(folder: Path) -> dict[str, str]:
    """Of a node, with what is mounted there lying here."""
    container = broker_container()
    assert container["command"] == ["/opt/siaga/broker.sh", "broker.conf"]
    given = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    places = {"tls.crt": folder / "tls.pem", "tls.key": folder / "tls-key.pem", "ca.crt": folder / "ca" / "ca.pem"}
    for name, place in places.items():
        given = {key: value.replace(f"/run/secrets/siaga/{name}", str(place)) for key, value in given.items()}
    path = f"{broker.program().parent}:/usr/bin:/bin"
    return {**given, "PATH": path, "SECRETS": str(folder), "NATS": str(folder / "nats")}


def broker_container() -> dict[str, Any]:
    (stateful,) = [each for each in documents(read("kubernetes/broker/broker.yaml")) if each["kind"] == "StatefulSet"]
    (container,) = stateful["spec"]["template"]["spec"]["containers"]
    assert isinstance(container, dict)
    return container


def is_healthy(place: str) -> bool:
    try:
        return httpx.get(place).status_code == 200
    except httpx.HTTPError:
        return False
