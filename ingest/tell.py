"""Telling devices: some messages over a connection of their own, which ends with them.

Nothing is kept between two of them: what the broker has not acknowledged is still queued in the database, and is read
anew, without what has expired meanwhile. A client that sends again by itself would not know of that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from devices.commands import payload
from runtime.mqtt_client import short_client
from runtime.mqtt_url import Broker
from storage.commands import Due

ANSWER_S = 5.0
STEP_S = 0.1


class TellError(Exception):
    """The broker cannot be reached, or takes nothing; the message says why. What was not acknowledged stays queued."""


def tell(broker: Broker, client_id: str, due: Sequence[Due], clock: Callable[[], datetime]) -> list[str]:
    """Publish commands with QoS 1, not retained; the ids of those that the broker has acknowledged.

    Blocks for as long as the broker takes, some seconds at most. Raises TellError where none could be sent.
    """
    client = short_client(broker, client_id, ANSWER_S)
    client.max_inflight_messages_set(0)  # no bound but how many are due
    connack: list[ReasonCode] = []
    waiting: dict[int, str] = {}
    done: list[str] = []
    client.on_connect = lambda *answer: connack.append(answer[3])
    client.on_publish = lambda *answer: done.append(waiting.pop(answer[2]))
    place = _connect(client, broker)
    try:
        _until(client, lambda: bool(connack), f"{place} does not answer as an MQTT broker")
        if connack[0].is_failure:
            raise TellError(f"{place} refuses this user: {connack[0]}")
        for each in due:
            if each.told.expires > clock():  # it may have taken long to get here
                waiting[client.publish(each.topic, payload(each.told), qos=1).mid] = each.told.id
        try:
            _until(client, lambda: not waiting, f"{place} does not acknowledge {len(waiting)} commands")
        except TellError:
            if not done:
                raise
    finally:
        client.disconnect()
    return done


def _connect(client: paho.Client, broker: Broker) -> str:
    """Connect to the first node that takes us; which one."""
    told = []
    for node in broker.nodes:
        try:
            client.connect(node.host, node.port, keepalive=30)
        except (OSError, ValueError) as error:
            told.append(f"{node.host}:{node.port}: {error}")
        else:
            return f"{node.host}:{node.port}"
    raise TellError("; ".join(told))


def _until(client: paho.Client, true: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + ANSWER_S
    while not true():
        code = client.loop(STEP_S)
        # What ends a connection may also say why: a CONNACK that refuses.
        if not true() and (code != MQTTErrorCode.MQTT_ERR_SUCCESS or time.monotonic() > until):
            raise TellError(otherwise)
