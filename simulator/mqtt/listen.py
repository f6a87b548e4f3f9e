"""A publisher that also listens: one subscription of its own for all the devices it speaks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from paho.mqtt.reasoncodes import ReasonCode

from runtime.log import get_logger
from runtime.mqtt_url import Broker
from simulator.mqtt.publish import Publisher

log = get_logger("simulator.mqtt.listen")


class Listener(Publisher):
    """on_heard is told topic and payload of each message that was not retained, once the broker has delivered it."""

    def __init__(
        self, broker: Broker, client_id: str, window: int, listen_to: str, on_heard: Callable[[str, bytes], None]
    ) -> None:
        super().__init__(broker, client_id, window)
        self._listen_to, self._on_heard = listen_to, on_heard
        self.listening = False
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe

    def leave(self) -> None:
        """Subscribe to nothing any more: a kept session would have the broker keep what nobody will fetch."""
        if self.connected:
            self._client.unsubscribe(self._listen_to)

    def _on_connect(self, client: Any, userdata: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        super()._on_connect(client, userdata, flags, code, properties)
        if not code.is_failure:
            self._client.subscribe(self._listen_to, 1)

    def _on_subscribe(self, client: Any, userdata: Any, mid: int, codes: list[ReasonCode], properties: Any) -> None:
        self.listening = not codes[0].is_failure
        if not self.listening:
            log.warning("subscription.refused", filter=self._listen_to)

    def _on_message(self, client: Any, userdata: Any, message: Any) -> None:
        # What is retained was said to whoever came, long ago: no command is.
        if not message.retain:
            self._on_heard(message.topic, bytes(message.payload))
