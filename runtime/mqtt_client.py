"""paho's own client for a short talk with a broker: what is not the hot path needs no lane of its own."""

from __future__ import annotations

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from runtime.mqtt_url import Broker


def short_client(broker: Broker, client_id: str, answer_s: float) -> paho.Client:
    """A client with a clean session that nobody has connected yet. It moves by `loop` only, and never connects again by
    itself. answer_s: how long the broker may take to take a connection.
    """
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=True,
        protocol=paho.MQTTv311,
        transport="tcp" if broker.websocket is None else "websockets",
        reconnect_on_failure=False,
    )
    client.connect_timeout = answer_s
    if broker.websocket is not None:
        client.ws_set_options(path=broker.websocket)
    if broker.username:
        client.username_pw_set(broker.username, broker.password)
    if broker.tls:
        client.tls_set_context(broker.tls_context())
    return client
