"""A visit to the broker: a clean session of its own that takes nothing from ingest and leaves nothing behind."""

from __future__ import annotations

import contextlib
import secrets
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NamedTuple, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from runtime.mqtt_client import short_client
from runtime.mqtt_url import Broker

ANSWER_S = 5.0
STEP_S = 0.1


class VisitError(Exception):
    """The broker cannot be reached, or does not let us in; the message says why."""


class Heard(NamedTuple):
    """A message as it came to us. qos is the smaller of the one it was published with and ours."""

    topic: str
    payload: bytes
    qos: int
    retained: bool
    at: datetime


class Visit:
    """`with Visit(broker) as visit:` is connected inside, to the first node that lets us in. Raises VisitError."""

    def __init__(self, broker: Broker, name: str = "visit") -> None:
        self._broker = broker
        self._client = short_client(broker, f"siaga-{name}-{secrets.token_hex(4)}", ANSWER_S)
        self._connack: ReasonCode | None = None
        self._suback: list[ReasonCode] | None = None
        self._heard: deque[Heard] = deque()
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        *others, last = self._broker.nodes
        for node in others:
            with contextlib.suppress(VisitError):
                return self._enter(node)
        return self._enter(last)

    def _enter(self, node: Broker) -> Self:
        place = f"{node.host}:{node.port}"
        self._connack = None
        try:
            self._client.connect(node.host, node.port, keepalive=30)
        except ssl.SSLCertVerificationError as error:
            raise VisitError(f"{place}: its certificate is refused: {error.verify_message}") from None
        except (OSError, ValueError) as error:
            raise VisitError(f"{place}: {error}") from None
        self._until(lambda: self._connack is not None, f"{place} does not answer as an MQTT broker")
        assert self._connack is not None
        if self._connack.is_failure:
            raise VisitError(f"{place} refuses this user: {self._connack}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()

    def subscribe(self, filters: Sequence[str], qos: int = 0) -> list[str]:
        """Subscribe; the filters that were refused. Raises VisitError where the broker ends the connection for it."""
        self._suback = None
        self._client.subscribe([(each, qos) for each in filters])
        self._until(lambda: self._suback is not None, "the broker does not answer a subscription")
        assert self._suback is not None
        return [each for each, code in zip(filters, self._suback, strict=False) if code.is_failure]

    def next(self, wait_s: float) -> Heard | None:
        """The next message; None where none comes in this time. Raises VisitError when the connection is lost."""
        until = time.monotonic() + wait_s
        while not self._heard and (left := until - time.monotonic()) > 0:
            self._step(min(left, STEP_S))
        return self._heard.popleft() if self._heard else None

    def _until(self, true: Callable[[], bool], otherwise: str) -> None:
        until = time.monotonic() + ANSWER_S
        while not true():
            if time.monotonic() > until:
                raise VisitError(otherwise)
            self._step(STEP_S)

    def _step(self, wait_s: float) -> None:
        code = self._client.loop(wait_s)
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS and not (self._connack and self._connack.is_failure):
            raise VisitError(f"the connection is lost: {paho.error_string(code)}")

    def _on_connect(self, client: paho.Client, userdata: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        self._connack = code

    def _on_subscribe(
        self, client: paho.Client, userdata: Any, mid: int, codes: list[ReasonCode], properties: Any
    ) -> None:
        self._suback = codes

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        self._heard.append(
            Heard(message.topic, bytes(message.payload), message.qos, bool(message.retain), datetime.now(UTC))
        )
