"""How much the broker holds, asked of the broker itself: of NATS by HTTP, of Mosquitto by its $SYS topics.

The worker asks, though MQTT is otherwise ingest's: what waits at the broker matters most while ingest is dead. It needs
no database either, and takes no part in the stream: a clean session of QoS 0 for as long as three numbers take.
"""

from __future__ import annotations

import asyncio
import time
from math import nan
from typing import Any
from urllib.parse import urlsplit

import httpx
import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode

from runtime.log import get_logger
from runtime.mqtt_client import short_client
from runtime.mqtt_url import Broker, parse_url
from runtime.settings import SettingError, Settings
from runtime.stop import sleep_until
from worker import metrics
from worker.context import Context
from worker.health import Backlog

log = get_logger(__name__)

EVERY_S = 10.0
ANSWER_S = 3.0
HTTP = ("http", "https")
# All that QoS 1 leaves with the broker, of every account. Kept while some session has not acknowledged it.
STREAM = "$MQTT_msgs"
RETAINED = "$SYS/broker/retained messages/count"
COUNT, BYTES = "$SYS/broker/store/messages/count", "$SYS/broker/store/messages/bytes"


class NoAnswerError(Exception):
    """The broker does not say what it holds; the message says why."""


async def keep_asking(here: Context) -> None:
    """Ask every few seconds until asked to stop; `here.health` and the metrics have the answer. Raises SettingError."""
    url = here.settings.broker_monitor_url
    _show(None)
    if url is None:
        await here.stop.wait()
        return
    told = ""
    while not here.stop.is_set():
        try:
            here.health.backlog = await ask(url.get_secret_value(), here.settings)
            told = ""
        except NoAnswerError as error:
            here.health.backlog = None
            if (text := str(error) or type(error).__name__) != told:
                told = text
                log.warning("broker.not_asked", error=told)
        _show(here.health.backlog)
        await sleep_until(here.stop, EVERY_S)


def check_url(settings: Settings) -> None:
    """Raises SettingError where the URL of the monitor cannot be one."""
    if settings.broker_monitor_url is not None:
        _broker(settings.broker_monitor_url.get_secret_value())


async def ask(url: str, settings: Settings) -> Backlog:
    """What the broker behind SIAGA_BROKER_MONITOR_URL holds. Raises NoAnswerError, SettingError."""
    broker = _broker(url)
    found = await _of_nats(url) if broker is None else await asyncio.to_thread(_of_mosquitto, broker)
    return found._replace(limit_bytes=found.limit_bytes or settings.broker_limit_bytes)


def _show(held: Backlog | None) -> None:
    # What is not known is no number: 0 would say that nothing waits.
    metrics.BROKER_HELD_MESSAGES.set(held.messages if held else nan)
    metrics.BROKER_HELD_BYTES.set(held.bytes if held else nan)
    metrics.BROKER_LIMIT_BYTES.set(held.limit_bytes if held and held.limit_bytes else nan)


def _broker(url: str) -> Broker | None:
    """None where it is asked by HTTP."""
    if urlsplit(url).scheme in HTTP:
        return None
    try:
        return parse_url(url)
    except ValueError as error:
        said = str(error).removeprefix("SIAGA_MQTT_URL: ")
        raise SettingError(f"SIAGA_BROKER_MONITOR_URL: http://host:port of NATS, or of Mosquitto: {said}") from None


async def _of_nats(url: str) -> Backlog:
    try:
        async with httpx.AsyncClient(timeout=ANSWER_S) as client:
            answer = await client.get(f"{url.rstrip('/')}/jsz", params={"accounts": "true", "streams": "true"})
        told: dict[str, Any] = answer.raise_for_status().json()
        streams = [each for account in told["account_details"] for each in account.get("stream_detail") or ()]
        held = sum(each["state"]["messages"] for each in streams if each["name"] == STREAM)
        # `storage` is what the server compares with its limit; sessions and retained messages count, too.
        return Backlog(int(held), int(told["storage"]), int(told["config"]["max_storage"]))
    except httpx.HTTPStatusError as error:  # its own words would show a password of the URL
        raise NoAnswerError(f"{_place(url)} answers {error.response.status_code}") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoAnswerError(f"{_place(url)}: {str(error) or type(error).__name__}") from None
    except (ValueError, LookupError, TypeError) as error:
        raise NoAnswerError(f"{_place(url)} does not answer as the monitoring of NATS does: {error!r}") from None


def _place(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _of_mosquitto(broker: Broker) -> Backlog:
    """Its retained numbers, which it writes every 10 s (sys_interval). Bytes are those of payloads."""
    numbers: dict[str, int] = {}

    def on_connect(client: paho.Client, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        if not code.is_failure:
            client.subscribe([(topic, 0) for topic in (COUNT, BYTES, RETAINED)])

    def on_message(client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        numbers[message.topic] = int(message.payload)

    client = short_client(broker, "", ANSWER_S)
    client.on_connect, client.on_message = on_connect, on_message
    until = time.monotonic() + ANSWER_S
    try:
        client.connect(broker.host, broker.port)
        while len(numbers) < len((COUNT, BYTES, RETAINED)) and time.monotonic() < until:
            if client.loop(0.1) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                break
        client.disconnect()
    except (OSError, ValueError) as error:
        raise NoAnswerError(f"{broker.host}:{broker.port}: {error}") from None
    if len(numbers) < len((COUNT, BYTES, RETAINED)):
        raise NoAnswerError(f"{broker.host}:{broker.port} does not tell this user its $SYS/broker/store/messages")
    return Backlog(max(numbers[COUNT] - numbers[RETAINED], 0), numbers[BYTES], None)
