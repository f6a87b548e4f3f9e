"""Whether a broker of the operator's own can be reached as SIAGA_MQTT_URL says, over websockets too."""

from __future__ import annotations

import os
import time

from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from runtime.mqtt_client import short_client
from runtime.mqtt_url import Broker
from siaga.stack import broker

ANSWER_S = 5.0


def answers(there: Broker) -> bool:
    """Whether it, or one of its nodes, accepts a connection with this user and password, waiting some seconds each."""
    return any(map(_answers, there.nodes))


def _answers(there: Broker) -> bool:
    if there.websocket is None:
        return broker.accepts(there.host, there.port, there.username, there.password, there.tls)
    return _answers_over_websockets(there)


def _answers_over_websockets(there: Broker) -> bool:
    client = short_client(there, f"siaga-up-{os.getpid()}", broker.CHECK_S)
    told: list[ReasonCode] = []
    client.on_connect = lambda client, userdata, flags, code, properties: told.append(code)
    try:
        client.connect(there.host, there.port)
    except (OSError, ValueError):  # the latter for a name that cannot be one, as a..b
        return False
    deadline = time.monotonic() + ANSWER_S
    while not told and time.monotonic() < deadline and client.loop(broker.CHECK_S) == MQTTErrorCode.MQTT_ERR_SUCCESS:
        pass
    client.disconnect()
    return bool(told) and not told[0].is_failure
