"""What a broker holds, asked of real ones: as many as were published and nobody has taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from math import isnan
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from runtime.settings import SettingError, Settings
from siaga.stack import broker
from siaga.stack.ports import LOOPBACK
from tests.ingest.listening import Publisher, until
from tests.servers import PASSWORD, Mosquitto, Nats
from worker import backlog, metrics
from worker.backlog import NoAnswerError, ask, check_url
from worker.context import Context

FILTER = "siaga/v1/+/+/readings"
MESSAGES = 300


def leave(port: int, client_id: str, filter_: str = FILTER) -> None:
    """Subscribe once, as ingest does before it ends: from now on the broker keeps what comes."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
    client.username_pw_set(broker.USER, PASSWORD)
    subscribed = []
    client.on_subscribe = lambda *_: subscribed.append(True)
    client.connect(LOOPBACK, port)
    client.subscribe(filter_, 1)
    while not subscribed:
        client.loop(0.1)
    client.disconnect()


async def publish(url: str) -> int:
    """So many messages; their bytes."""
    texts = [f'{{"n": {n}}}' for n in range(MESSAGES)]
    with Publisher(url, "12.10") as lamp:
        await lamp.send(*texts)
    return sum(map(len, texts))


@pytest.fixture
def own_nats(tmp_path: Path) -> Iterator[Nats]:
    server = Nats(tmp_path / "nats")
    server.start()
    yield server
    server.stop()


async def test_nats_tells_all_and_its_limit(own_nats: Nats) -> None:
    leave(own_nats.port, "siaga-ingest")
    payload = await publish(own_nats.url)
    url = f"http://{LOOPBACK}:{own_nats.monitor_port}/"
    held = await ask(url, Settings())
    assert held.messages == MESSAGES
    assert payload < held.bytes < 500 * MESSAGES
    assert held.limit_bytes == int(own_nats.env["SIAGA_BROKER_MAX_FILE"])


@pytest.mark.parametrize("version", ["2.0", "2.1"])
async def test_mosquitto_tells_by_its_topics(version: str, tmp_path: Path) -> None:
    config = "mosquitto.conf" if version == "2.0" else "mosquitto-2.1.conf"
    server = Mosquitto(tmp_path / "mosquitto", version, config)  # type: ignore[arg-type]
    file = tmp_path / "mosquitto" / "mosquitto.conf"
    file.write_text(file.read_text() + "\nsys_interval 1\n")  # its own 10 s would have the test wait
    server.start()
    try:
        leave(server.port, "siaga-ingest")
        payload = await publish(server.url)
        async with asyncio.timeout(60):
            while (held := await ask(server.url, Settings(broker_limit_bytes=10_000))).messages < MESSAGES:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        assert held.messages == MESSAGES  # not its own retained topics
        assert payload <= held.bytes < payload + 2_000
        assert held.limit_bytes == 10_000
        assert (await ask(server.url, Settings())).limit_bytes is None
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:{free}", "connect"),
        ("mqtt://127.0.0.1:{free}", "refused"),
        ("mqtt://siaga:wrong@127.0.0.1:{mqtt}", "does not tell"),
        ("http://siaga:wrong@127.0.0.1:{monitor}/varz", "404"),
    ],
)
async def test_no_answer(
    nats: Nats, unused_tcp_port: int, url: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "ANSWER_S", 1.0)
    with pytest.raises(NoAnswerError, match=says) as caught:
        await ask(url.format(free=unused_tcp_port, mqtt=nats.port, monitor=nats.monitor_port), Settings())
    assert "wrong" not in str(caught.value)


async def test_another_service_at_that_address(service: Any) -> None:
    with pytest.raises(NoAnswerError, match=r"501"):
        await ask(f"http://127.0.0.1:{service.server.server_address[1]}", Settings())


@pytest.mark.parametrize("url", ["nats://broker", "broker:8222", "mqtt://broker:0"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(SettingError, match=r"^SIAGA_BROKER_MONITOR_URL: "):
        check_url(Settings(broker_monitor_url=url))  # type: ignore[arg-type]


async def test_the_metrics_follow_also_when_there_is_no_database(
    worker: Callable[..., Any], nats: Nats, own_nats: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "EVERY_S", 0.05)
    here: Context = await worker(broker_monitor_url=f"http://{LOOPBACK}:{own_nats.monitor_port}")
    await here.pool.close()
    asking = asyncio.create_task(backlog.keep_asking(here))
    await until(lambda: here.health.backlog is not None)
    assert _shown() == here.health.backlog
    assert here.health.facts["broker_held_messages"] == 0
    own_nats.kill()
    await until(lambda: here.health.backlog is None)
    await until(lambda: all(map(isnan, _shown())))  # unknown is not nothing
    assert here.health.facts["broker_held_messages"] is None
    here.stop.set()
    await asking


def _shown() -> tuple[float, ...]:
    names = ("siaga_broker_held_messages", "siaga_broker_held_bytes", "siaga_broker_limit_bytes")
    return tuple(metrics.REGISTRY.get_sample_value(name) or 0.0 for name in names)
