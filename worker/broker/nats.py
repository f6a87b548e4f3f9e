"""Users of a NATS server: a file that its configuration includes, replaced whole, and a signal to read it again.

MQTT topics are subjects there: / is written . and a dot //. The server's own user keeps its password in the server's
environment, so that no secret of ours passes through here: of the others the file has bcrypt.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import httpx

from devices.identity import ANY, Identity, Rights
from devices.topics import command_topic
from worker.broker.target import Done, SyncError

# Deliveries of QoS 1 come by subjects of the server's own. Version 2.11 wants a user to be allowed to read them, 2.15
# does not; that nobody subscribes to one by hand the server sees to itself (tests/identity/test_attacks.py).
DELIVERY = "$MQTT.sub.>"
# Our own parts read everything that devices say, in whatever topics decoders are set to, and tell them commands.
SERVICE = Rights(publish=(command_topic(ANY, ANY),))
PROGRAM = "nats-server"
MQTT_ONLY = 'allowed_connection_types: ["MQTT", "MQTT_WS"]'
# It checks everybody anew who is connected to it: 1.5 ms of bcrypt each, 0.3 ms with certificates.
RELOAD_S, ANSWER_S, POLL_S = 600.0, 5.0, 0.05
HEAD = "# Written by Siaga (docs/identity.md). What is changed here is lost.\n"


class Nats:
    """One server on this machine. monitor_url: where it says that it has read the file; None: it is believed.

    stopped: whether to wait no longer.
    """

    def __init__(
        self, users_file: Path, pid_file: Path, monitor_url: str | None, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        self._users, self._pid, self._stopped = users_file, pid_file, stopped
        self._monitor = monitor_url and monitor_url.rstrip("/")
        self._told: str | None = None  # what this process has made the server read

    def apply(self, identities: Sequence[Identity]) -> Done:
        """Write the file if it differs, and have it read; at first in any case, as who knows what it has read.

        Users with certificates have no password, as the server would ask for both. They are there only where the server
        says that it maps certificates: else a name alone would be enough.
        """
        named = identities if self._maps_certificates() else [each for each in identities if each.mode == "password"]
        text = render(named)
        written = _read(self._users)
        if text != self._told or text != written:
            if text != written:
                _replace(self._users, text)
            self._reload()
            self._told = text
        return Done(len(named), None, len(identities) - len(named))

    def _reload(self) -> None:
        number = _running(self._pid)
        if number is None:
            return  # it reads the file when it starts
        before = self._loaded_at()
        try:
            os.kill(number, signal.SIGHUP)
        except PermissionError:
            raise SyncError(
                f"process {number} of {self._pid} is another user's: run `siaga broker sync` as the broker's user"
            ) from None
        except ProcessLookupError:
            return
        until = time.monotonic() + RELOAD_S
        while before is not None and self._loaded_at() == before:
            if time.monotonic() > until or self._stopped():
                raise SyncError(f"the server did not read its configuration anew within {RELOAD_S:.0f} s; see its log")
            time.sleep(POLL_S)

    def _loaded_at(self) -> str | None:
        return str(self._said()["config_load_time"]) if self._monitor else None

    def _maps_certificates(self) -> bool:
        if self._monitor is None or _running(self._pid) is None:
            return False
        return bool(self._said().get("mqtt", {}).get("tls_map"))

    def _said(self) -> dict[str, Any]:
        """What the server says of itself."""
        try:
            told: dict[str, Any] = httpx.get(f"{self._monitor}/varz", timeout=ANSWER_S).raise_for_status().json()
            return {"config_load_time": told["config_load_time"], "mqtt": told.get("mqtt", {})}
        except (httpx.HTTPError, ValueError, LookupError) as error:
            raise SyncError(f"SIAGA_BROKER_MONITOR_URL does not answer: {type(error).__name__}") from None


def render(identities: Iterable[Identity]) -> str:
    """The users as the server's configuration has them."""
    return f"{HEAD}users: [\n{_service()}{''.join(map(_user, identities))}]\n"


def subject(topic: str) -> str:
    """The subject that a topic or a filter becomes."""
    return ".".join(_token(level) for level in topic.split("/"))


def _token(level: str) -> str:
    return {"+": "*", "#": ">"}.get(level) or level.replace(".", "//")


def _service() -> str:
    rights = _permissions(SERVICE.publish, (), [">"])
    return f"  {{user: $SIAGA_BROKER_USER, password: $SIAGA_BROKER_PASSWORD, {MQTT_ONLY}, {rights}}}\n"


def _user(each: Identity) -> str:
    # The server finds who shows a certificate by its subject.
    by_name = each.mode == "password"
    name = json.dumps(each.name if by_name else f"CN={each.name}")
    password = f", password: {json.dumps(each.hash)}" if by_name else ""
    read = [*map(subject, each.rights.subscribe), DELIVERY] if each.rights.subscribe else []
    rights = _permissions(each.rights.publish, each.rights.denied, read)
    return f"  {{user: {name}{password}, {MQTT_ONLY}, {rights}}}\n"


def _permissions(publish: Sequence[str], denied: Sequence[str], subscribe: Sequence[str]) -> str:
    said = {
        "publish": _allowed([subject(topic) for topic in publish], [subject(topic) for topic in denied]),
        "subscribe": _allowed(subscribe, ()),
    }
    return f"permissions: {json.dumps(said)}"


def _allowed(allow: Sequence[str], deny: Sequence[str]) -> dict[str, Sequence[str]]:
    """A list that is empty would be none, and without one everything is allowed."""
    if not allow:
        return {"deny": [">"]}
    return {"allow": allow} | ({"deny": deny} if deny else {})


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SyncError(f"SIAGA_BROKER_USERS_FILE: {file}: {error.strerror}") from None


def _replace(file: Path, text: str) -> None:
    """In one step, readable by its owner only: a server that starts meanwhile reads the old one or the new one."""
    new = file.with_name(f".{file.name}.new")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        new.replace(file)
    except OSError as error:
        raise SyncError(f"SIAGA_BROKER_USERS_FILE: {file}: {error.strerror}") from None


def _running(pid_file: Path) -> int | None:
    """The server's process; None where none runs. The number of a dead one may be somebody else's by now."""
    try:
        number = int(pid_file.read_text())
        name = Path("/proc", str(number), "comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    except (OSError, ValueError) as error:
        raise SyncError(f"SIAGA_BROKER_PID_FILE: {pid_file}: {error}") from None
    return number if name == PROGRAM else None
