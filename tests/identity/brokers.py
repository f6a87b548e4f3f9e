"""Brokers as devices on a network meet them: with deploy/…/secured.conf, TLS, and users by sync."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

from runtime.settings import Settings
from siaga import ca
from siaga.stack import broker
from siaga.stack.ports import LOOPBACK
from tests import debian
from tests.servers import DEPLOY, Server, free_port, missing
from tests.servers import own_mosquitto as own_program

SERVICE, ADMIN, PASSWORD = "siaga", "siaga-admin", "only-in-these-tests"
KEY = "a key of 32 characters and more, for tests"


class Pki(NamedTuple):
    """An authority, what the broker shows, and another authority that nobody believes."""

    ours: ca.Authority
    ours_file: Path
    crl_file: Path
    server: tuple[Path, Path]
    stranger: ca.Authority


def make_pki(folder: Path) -> Pki:
    now = ca.now_utc()
    ours, stranger = ca.init(folder / "ca", "test devices", now), ca.init(folder / "other", "somebody else", now)
    server = (folder / "broker.pem", folder / "broker-key.pem")
    ca.write(ours.server(["localhost", LOOPBACK], now), *server)
    return Pki(ours, folder / "ca" / ca.CERTIFICATE, folder / "ca" / ca.CRL, server, stranger)


class Secured(Server):
    """A broker, and what its users are kept with. ports: where devices come with passwords, and with certificates."""

    name: str
    port: int
    certificate_port: int
    inside: str  # a URL for our own parts
    keeping: Settings


class Nats(Secured):
    """verify: certificates instead of passwords; NATS has one MQTT listener, so it is the one or the other."""

    name = "NATS"

    def __init__(self, folder: Path, pki: Pki, database_url: str, verify: bool = False) -> None:
        folder.mkdir(parents=True)
        self.port = self.certificate_port = free_port()
        monitor = free_port()
        shutil.copy(DEPLOY / "nats/siaga.conf", folder)
        certificate, key = pki.server
        changes = {
            "/etc/siaga/broker.pem": certificate,
            "/etc/siaga/broker-key.pem": key,
            "/var/lib/siaga/broker": folder,
        }
        if verify:
            changes |= {
                '# ca_file: "/etc/siaga/ca.pem"': f'ca_file: "{pki.ours_file}"',
                "# verify_and_map": "verify_and_map",
            }
        config = _written("nats/secured.conf", folder, changes)
        self.keeping = Settings(
            database_url=database_url, device_key=KEY, broker_users_file=str(folder / "users.conf"),
            broker_pid_file=str(folder / "nats.pid"), broker_monitor_url=f"http://{LOOPBACK}:{monitor}",
            broker_sync_s=0.1,
        )  # fmt: skip
        self.inside = f"mqtts://{SERVICE}:{PASSWORD}@localhost:{self.port}"
        env = {**os.environ, **broker.environment(self.port, PASSWORD, folder, monitor_port=monitor)}
        if verify:
            env["SIAGA_BROKER_USER"] = f'"CN={SERVICE}"'
        super().__init__((str(broker.program()), "-c", str(config)), env, folder, lambda: listens(self.port))


class Mosquitto(Secured):
    """2.0 is the machine's own, 2.1 that of the Debian root (tests/debian.py)."""

    def __init__(self, folder: Path, pki: Pki, database_url: str, version: Literal["2.0", "2.1"] = "2.0") -> None:
        self.name = f"Mosquitto {version}"
        program = own_program() if version == "2.0" else debian.program("forky", "usr/sbin/mosquitto")
        plugin = next(_plugins(version), None)
        control = shutil.which("mosquitto_ctrl")
        if program is None or plugin is None or control is None:
            missing(
                f"Mosquitto {version} with dynamic security",
                debian.CURE if version == "2.1" else "apt-get install mosquitto",
            )
            raise AssertionError("unreachable")
        folder.mkdir(parents=True)
        users = folder / "dynamic-security.json"
        subprocess.run([control, "dynsec", "init", users, ADMIN, PASSWORD], check=True, capture_output=True)
        local, self.port, self.certificate_port = free_port(), free_port(), free_port()
        certificate, key = pki.server
        changes = {
            "listener 1883 127.0.0.1": f"listener {local} {LOOPBACK}",
            "listener 8883": f"listener {self.port} {LOOPBACK}",
            "#listener 8884": f"listener {self.certificate_port} {LOOPBACK}",
            "/etc/siaga/broker.pem": certificate,
            "/etc/siaga/broker-key.pem": key,
            "/etc/siaga/ca.pem": pki.ours_file,
            "/etc/siaga/crl.pem": pki.crl_file,
            "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so": plugin,
            "/var/lib/mosquitto/": f"{folder}/",
        }
        for line in (
            "certfile",
            "keyfile",
            "tls_version",
            "cafile",
            "crlfile",
            "require_",
            "use_identity",
            "use_username",
        ):
            changes[f"\n#{line}"] = f"\n{line}"
        config = _written("mosquitto/secured.conf", folder, changes)
        with config.open("a", encoding="utf-8") as opened:
            # As root it would become the user `mosquitto`, who may not write here.
            opened.write("\nuser root\n" if os.geteuid() == 0 else "")
        self.inside = f"mqtt://{SERVICE}:{PASSWORD}@{LOOPBACK}:{local}"
        self.keeping = Settings(
            database_url=database_url, device_key=KEY, broker_sync_s=0.1, mqtt_url=self.inside,
            broker_control_url=f"mqtt://{ADMIN}:{PASSWORD}@{LOOPBACK}:{local}",
        )  # fmt: skip
        super().__init__((*program, "-c", str(config)), os.environ, folder, lambda: listens(self.port))


def listens(port: int) -> bool:
    try:
        with closing(socket.create_connection((LOOPBACK, port), 1)):
            return True
    except OSError:
        return False


def _plugins(version: str) -> Iterator[Path]:
    root = Path("/") if version == "2.0" else debian.root("forky")
    return root.glob("usr/lib/*-linux-gnu/mosquitto_dynamic_security.so")


def _written(name: str, folder: Path, changes: Mapping[str, object]) -> Path:
    text = (DEPLOY / name).read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, f"deploy/{name} has no {old!r}"
        text = text.replace(old, str(new))
    file = folder / Path(name).name
    file.write_text(text, encoding="utf-8")
    return file
