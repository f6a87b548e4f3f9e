"""A client that tries what it should not, and tells in a word what came of it."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

WAIT_S = 10.0
STEP_S = 0.02
# What a word means; a refusal is one whatever the way, as MQTT 3.1.1 has several.
NO_TLS, NOT_LET_IN, LET_IN = "no TLS", "not let in", "let in"
TAKEN, CUT_OFF, GRANTED, REFUSED = "taken", "cut off", "granted", "refused"


class Who(NamedTuple):
    """With what somebody comes. authority: whom they believe; None: nobody. certificate: file and key."""

    port: int
    authority: Path | None
    name: str | None = None
    password: str | None = None
    certificate: tuple[Path, Path] | None = None


class Client:
    """Within `with` it may be connected; leaving ends it without a word where it has a will."""

    def __init__(self, who: Who, client_id: str, will: str | None = None, clean: bool = True) -> None:
        self._who, self._will = who, will
        self._paho = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=clean, protocol=paho.MQTTv311,
            reconnect_on_failure=False,
        )  # fmt: skip
        self._paho.connect_timeout = WAIT_S
        if who.name is not None:
            self._paho.username_pw_set(who.name, who.password)
        if will is not None:
            self._paho.will_set(will, "a will", qos=1)
        context = ssl.create_default_context(cafile=str(who.authority) if who.authority else None)
        if who.certificate:
            context.load_cert_chain(*who.certificate)
        if who.authority is not None:
            self._paho.tls_set_context(context)
        self._code: Any = None
        self._grants: list[Any] | None = None
        self._sent: set[int] = set()
        self.is_lost = False
        self.heard: list[tuple[str, bytes]] = []
        self._paho.on_connect = self._on_connect
        self._paho.on_disconnect = self._on_disconnect
        self._paho.on_subscribe = self._on_subscribe
        self._paho.on_publish = self._on_publish
        self._paho.on_message = lambda client, userdata, message: self.heard.append((message.topic, message.payload))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def connect(self) -> str:
        try:
            self._paho.connect("localhost", self._who.port, keepalive=30)
        except ssl.SSLError as error:
            error.__traceback__ = None  # it holds paho's socket, which nobody has closed
            return NO_TLS
        except OSError:
            return NOT_LET_IN
        self.until(lambda: self._code is not None or self.is_lost)
        return LET_IN if self._code is not None and not self._code.is_failure else NOT_LET_IN

    def publish(self, topic: str, text: str = "{}", retain: bool = False) -> str:
        """Whether the broker acknowledges it; that it does says nothing of who gets it."""
        told = self._paho.publish(topic, text, qos=1, retain=retain)
        self.until(lambda: told.mid in self._sent or self.is_lost)
        return TAKEN if told.mid in self._sent else CUT_OFF

    def subscribe(self, topic: str, qos: int = 1) -> str:
        self._grants = None
        self._paho.subscribe(topic, qos)
        self.until(lambda: self._grants is not None or self.is_lost)
        if self._grants is None:
            return CUT_OFF
        return REFUSED if self._grants[0].is_failure else GRANTED

    def until(self, true: Callable[[], bool], within_s: float = WAIT_S) -> bool:
        """Whether it becomes true while we listen."""
        end = time.monotonic() + within_s
        while not true():
            if time.monotonic() > end:
                return False
            if not self.is_lost and self._paho.loop(STEP_S) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self.is_lost = True
        return True

    def leave(self) -> None:
        """With a will: as a device that loses its network."""
        if self._will is not None and (sock := self._paho.socket()) is not None:
            sock.close()
        else:
            self._paho.disconnect()

    def _on_connect(self, client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        self._code = code

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        self.is_lost = True

    def _on_subscribe(self, client: Any, userdata: Any, mid: int, codes: list[Any], properties: Any) -> None:
        self._grants = codes

    def _on_publish(self, client: Any, userdata: Any, mid: int, code: Any, properties: Any) -> None:
        self._sent.add(mid)
