"""Users of Mosquitto: its dynamic-security plugin, told over MQTT by its admin.

Each of ours has a role of its own name, and says in its description what it was made from; so what there is can be
compared with what should be without any secret. Users without our mark are somebody else's, and are left alone.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode

from devices.identity import ANY, Identity, Rights, secret
from devices.topics import command_topic
from runtime.mqtt_client import short_client
from runtime.mqtt_url import Broker
from worker.broker.target import Done, SyncError

TOPIC = "$CONTROL/dynamic-security/v1"
MARK = "siaga"
ANSWER_S, STEP_S = 30.0, 0.2
# In one message to the broker. It writes its file anew for each, and answers nobody else meanwhile.
AT_ONCE = 50
LIST_PAGE = 1000
# Who was never there cannot be taken away.
FINE = ("not found",)
SERVICE = Rights(publish=(command_topic(ANY, ANY),), subscribe=("#", "$SYS/broker/#"))
# By kind of rule, whether they say what is sent or what is asked for.
SEND, READ, PATTERN = "publishClientSend", "subscribeLiteral", "subscribePattern"

Command = dict[str, Any]


class Mosquitto:
    """One broker, reached as its admin. service: user and password of our own parts, made here too; None: somebody
    else makes it. stopped: whether to do no more.
    """

    def __init__(
        self,
        control: Broker,
        key: bytes,
        service: tuple[str, str] | None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._control, self._key, self._service, self._stopped = control, key, service, stopped

    def apply(self, identities: Sequence[Identity]) -> Done:
        """Take away who is over or was changed, then make who is new. Raises SyncError."""
        wanted = {each.name: (fingerprint(self._key, each), each) for each in identities}
        with Control(self._control, self._stopped) as control:
            there = control.ours()
            own = self._own(control.others)
            gone, new = difference(there, {name: mark for name, (mark, _) in wanted.items()})
            for name in gone:
                if name not in wanted and name not in own:
                    control.do(removal(name))
            for name, (mark, password) in own.items():
                if there.get(name) != mark:
                    each = Identity(name, "password", 0, "", SERVICE, is_bound=False)
                    control.do([*removal(name), *addition(each, password, mark)])
            for name in new:
                mark, each = wanted[name]
                control.do([*removal(name), *addition(each, secret(self._key, name, each.generation), mark)])
            control.flush()
        return Done(len(wanted), len({*gone, *new} - own.keys()))

    def _own(self, others: AbstractSet[str]) -> dict[str, tuple[str, str]]:
        """What the user of our own parts is made from, and its password; none where somebody else has made one."""
        if self._service is None or self._service[0] in others:
            return {}
        name, password = self._service
        return {name: (hmac.digest(self._key, f"{SERVICE}{password}".encode(), "sha256").hex()[:32], password)}


def difference(there: Mapping[str, str], wanted: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Names to take away and names to make; who was changed is in both. Values say what a user was made from."""
    gone = [name for name, mark in there.items() if wanted.get(name) != mark]
    new = [name for name, mark in wanted.items() if there.get(name) != mark]
    return gone, new


def fingerprint(key: bytes, each: Identity) -> str:
    """What tells one state of an identity from another; it tells nothing of the password."""
    said = json.dumps([each.generation, each.mode, each.rights, each.is_bound])
    return hmac.digest(key, said.encode(), hashlib.sha256).hex()[:32]


def removal(name: str) -> Iterator[Command]:
    """Whoever is connected as this is cut off at once. Of one that is half there, too."""
    yield {"command": "deleteClient", "username": name}
    yield {"command": "deleteRole", "rolename": role(name)}


def addition(each: Identity, password: str, mark: str) -> Iterator[Command]:
    yield {"command": "createRole", "rolename": role(each.name), "acls": list(rules(each.rights))}
    bound = {"clientid": each.name} if each.is_bound and each.mode == "password" else {}
    yield {
        "command": "createClient", "username": each.name, "password": password, "textname": MARK,
        "textdescription": mark, "roles": [{"rolename": role(each.name), "priority": 1}], **bound,
    }  # fmt: skip


def rules(rights: Rights) -> Iterator[dict[str, Any]]:
    """Rights as the plugin writes them; what is denied comes first."""
    for topic in rights.denied:
        yield {"acltype": SEND, "topic": topic, "priority": 2, "allow": False}
    for topic in rights.publish:
        yield {"acltype": SEND, "topic": topic, "priority": 1, "allow": True}
    for topic in rights.subscribe:
        is_pattern = ANY in topic or "#" in topic
        yield {"acltype": PATTERN if is_pattern else READ, "topic": topic, "priority": 1, "allow": True}


def role(name: str) -> str:
    return f"{MARK}-{name}"


class Control:
    """`with Control(broker) as control:` is connected as the plugin's admin inside. Raises SyncError."""

    def __init__(self, broker: Broker, stopped: Callable[[], bool] = lambda: False) -> None:
        self._broker, self._stopped = broker, stopped
        self._client = short_client(broker, f"siaga-sync-{secrets.token_hex(4)}", ANSWER_S)
        self._answers: deque[dict[str, Any]] = deque()
        self._is_ready = False
        self._refused = ""
        self._queued: list[Command] = []
        self.others: set[str] = set()
        self._number = itertools.count(1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = lambda client, userdata, message: self._answers.append(json.loads(message.payload))

    def __enter__(self) -> Self:
        try:
            self._client.connect(self._broker.host, self._broker.port, keepalive=60)
        except (OSError, ValueError) as error:
            raise SyncError(f"SIAGA_BROKER_CONTROL_URL: {self._place}: {error}") from None
        self._until_ready()
        return self

    def __exit__(self, *error: object) -> None:
        self._client.disconnect()

    def ours(self) -> dict[str, str]:
        """Users that we have made, and what from. `others` has those that we have not."""
        found: dict[str, str] = {}
        self.others.clear()
        for offset in itertools.count(0, LIST_PAGE):
            (told,) = self._ask([{"command": "listClients", "verbose": True, "count": LIST_PAGE, "offset": offset}])
            clients = told.get("data", {}).get("clients", [])
            found |= {c["username"]: c.get("textdescription", "") for c in clients if c.get("textname") == MARK}
            self.others |= {c["username"] for c in clients} - found.keys()
            if len(clients) < LIST_PAGE:
                return found
        raise AssertionError("unreachable")

    def do(self, commands: Iterable[Command]) -> None:
        """Queue commands; those of one call go in one message, so that nobody is there without their role for long."""
        self._queued += commands
        if len(self._queued) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Have done what is queued. Raises SyncError for the first that the broker refuses."""
        queued, self._queued = self._queued, []
        for answer in self._ask(queued) if queued else ():
            error = answer.get("error")
            if error and not any(each in error.lower() for each in FINE):
                raise SyncError(f"dynamic security: {answer.get('command')}: {error}")

    def _ask(self, commands: list[Command]) -> list[dict[str, Any]]:
        numbered = [command | {"correlationData": str(next(self._number))} for command in commands]
        waiting = {command["correlationData"] for command in numbered}
        self._client.publish(TOPIC, json.dumps({"commands": numbered}), qos=1)
        told: list[dict[str, Any]] = []
        for _ in range(round(ANSWER_S / STEP_S)):
            while self._answers:
                answers = self._answers.popleft().get("responses", [])
                told += [each for each in answers if each.get("correlationData") in waiting]
            if len(told) >= len(waiting):
                return told
            self._step()
        raise SyncError(f"{self._place} does not answer on {TOPIC}: is the plugin loaded, and is this user its admin?")

    def _until_ready(self) -> None:
        for _ in range(round(ANSWER_S / STEP_S)):
            if self._is_ready:
                return
            self._step()
        raise SyncError(f"SIAGA_BROKER_CONTROL_URL: {self._place} does not answer as an MQTT broker")

    def _step(self) -> None:
        if self._stopped():
            raise SyncError("asked to stop; what is left is done at the next start")
        code = self._client.loop(STEP_S)
        if self._refused:
            raise SyncError(f"SIAGA_BROKER_CONTROL_URL: {self._place} {self._refused}")
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise SyncError(f"{self._place}: the connection is lost: {paho.error_string(code)}")

    def _on_connect(self, client: paho.Client, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        if code.is_failure:
            self._refused = f"refuses this user: {code}"
        else:
            client.subscribe(f"{TOPIC}/response", qos=1)

    def _on_subscribe(self, client: paho.Client, userdata: Any, mid: int, codes: Any, properties: Any) -> None:
        if codes[0].is_failure:
            self._refused = "does not let this user administer its dynamic security"
        self._is_ready = True

    @property
    def _place(self) -> str:
        return f"{self._broker.host}:{self._broker.port}"
