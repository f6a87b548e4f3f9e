"""Devices are told and heard over a real broker: what is queued arrives, and its answer ends it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from devices.commands import Told
from devices.topics import command_topic, result_topic, status_topic
from ingest.talk import Talk
from ingest.tell import TellError, tell
from runtime.mqtt_url import parse_url
from runtime.settings import Settings
from storage import commands
from storage.commands import Asked, Due
from storage.connect import connect_async
from tests.servers import Mosquitto, Nats, free_port

DEADLINE_S = 60
ROOT = Path(__file__).resolve().parents[2]


# Of nobody else: its retained status stays with brokers that other tests ask as well.
NAME = "lamp-that-talks"


class Lamp:
    """A device as docs/devices.md would have it, in plain paho. obeys: whether it answers."""

    def __init__(self, url: str, region: str, device_id: str = NAME, obeys: bool = True) -> None:
        self.region, self.id, self.obeys = region, device_id, obeys
        self.told: list[dict[str, Any]] = []
        where = parse_url(url)
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"{device_id}-{region.replace('.', '-')}", protocol=paho.MQTTv311
        )
        self.client.username_pw_set(where.username, where.password)
        self.client.will_set(status_topic(region, device_id), "offline", qos=1, retain=True)
        self.subscribed = False
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = self._on_message
        self.client.connect(where.host, where.port)
        self.client.loop_start()

    def say(self, topic: str, text: str, retain: bool = False) -> None:
        self.client.publish(topic, text, qos=1, retain=retain)

    def drop(self) -> None:
        """As by a power cut: without a goodbye, so the broker sends the last will."""
        self.client.loop_stop()
        sock = self.client.socket()
        assert sock is not None
        sock.close()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _on_connect(self, *_: Any) -> None:
        self.client.subscribe(command_topic(self.region, self.id), 1)
        self.say(status_topic(self.region, self.id), "online", retain=True)

    def _on_subscribe(self, *_: Any) -> None:
        self.subscribed = True

    def _on_message(self, client: Any, userdata: Any, message: Any) -> None:
        command = json.loads(message.payload)
        self.told.append(command)
        if self.obeys:
            self.say(result_topic(self.region, self.id), json.dumps({"id": command["id"], "ok": True}))


async def until(true: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(DEADLINE_S):
        while not (found := await true()):  # noqa: ASYNC110  # what is waited for has no event
            await asyncio.sleep(0.02)
    return found


@pytest.fixture
async def db(database_url: str, region: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with await connect_async(database_url, "test") as conn:
        await conn.execute("INSERT INTO device (id, kind, region) VALUES (%s, 'streetlight', %s)", (NAME, region))
        yield conn


@pytest.fixture
def settings(database_url: str, broker: Nats | Mosquitto, region: str) -> Settings:
    return Settings(
        database_url=database_url, mqtt_url=broker.url, ingest_regions=region, command_poll_s=0.05,  # type: ignore[arg-type]
        ingest_client_id=f"talk-{region.replace('.', '-')}",
    )  # fmt: skip


@pytest.fixture
async def talking(settings: Settings) -> AsyncIterator[None]:
    stop = asyncio.Event()
    assert settings.mqtt_url is not None
    task = asyncio.create_task(
        Talk(settings, parse_url(settings.mqtt_url.get_secret_value()), settings.ingest_client_id).run(stop)
    )
    yield
    stop.set()
    async with asyncio.timeout(DEADLINE_S):
        await task


async def ask(db: psycopg.AsyncConnection[Any], ahead_s: float = 60, light: float = 50.0) -> str:
    now = datetime.now(UTC)
    asked = Asked("dim", {"level_pct": light}, "budi", now, now + timedelta(seconds=ahead_s))
    return str((await commands.ask(db, NAME, asked))[0])


async def states(db: psycopg.AsyncConnection[Any]) -> list[str]:
    return [row[0] for row in await (await db.execute("SELECT state FROM command ORDER BY number")).fetchall()]


async def test_a_command_arrives_and_its_answer_ends_it(
    broker: Nats | Mosquitto, region: str, db: psycopg.AsyncConnection[Any], talking: None
) -> None:
    lamp = Lamp(broker.url, region)
    try:
        await until(lambda: _is(lamp.subscribed))
        made = await ask(db)
        await until(lambda: _is_state(db, ["done"]))
        assert [(each["id"], each["name"], each["args"]) for each in lamp.told] == [(made, "dim", {"level_pct": 50.0})]
        lamp.obeys = False
        await ask(db, light=20.0)
        await until(lambda: _is_state(db, ["done", "sent"]))
        query = "SELECT online FROM presence"
        assert await (await db.execute(query)).fetchone() == (True,)
        lamp.drop()
        await until(lambda: _is_row(db, query, (False,)))
    finally:
        lamp.close()


async def test_a_command_waits_for_a_broker_that_is_away_and_expires(
    db: psycopg.AsyncConnection[Any], settings: Settings
) -> None:
    """Never is one sent that has expired: nothing goes from memory, what is due is read anew."""
    away = f"mqtt://u:p@127.0.0.1:{free_port()}"
    stop = asyncio.Event()
    task = asyncio.create_task(Talk(settings, parse_url(away), settings.ingest_client_id).run(stop))
    try:
        made = await ask(db, ahead_s=0.2)
        await asyncio.sleep(0.3)
        assert await states(db) == ["queued"]
        assert await commands.due(db, None, "12.09", datetime.now(UTC), 10) == []
        assert made
    finally:
        stop.set()
        async with asyncio.timeout(DEADLINE_S):
            await task


async def test_what_expires_on_its_way_is_not_published(broker: Nats | Mosquitto, region: str) -> None:
    late = datetime.now(UTC) - timedelta(seconds=1)
    due = [Due(Told("0" * 8, "dim", {}, late), command_topic(region, NAME))]
    assert await asyncio.to_thread(tell, parse_url(broker.url), "teller", due, lambda: datetime.now(UTC)) == []


async def test_a_broker_that_refuses_is_told_of(broker: Nats | Mosquitto, region: str) -> None:
    wrong = parse_url(broker.url)._replace(username="nobody", password="wrong")
    with pytest.raises(TellError, match="refuses this user"):
        await asyncio.to_thread(tell, wrong, "teller", [], lambda: datetime.now(UTC))


@pytest.mark.slow
async def test_killed_between_it_is_sent_again_and_done_once(
    quick_nats: Nats, region: str, database_url: str, db: psycopg.AsyncConnection[Any]
) -> None:
    """kill -9 of ingest before it could write down that the broker has the command: the device is told twice, at most,
    under one id."""
    await db.execute(
        "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.state = 'sent' AND OLD.state = 'queued' THEN PERFORM pg_sleep(60); END IF; RETURN NEW; END $$"
    )
    await db.execute("CREATE TRIGGER hold BEFORE UPDATE ON command FOR EACH ROW EXECUTE FUNCTION hold()")
    lamp = Lamp(quick_nats.url, region, obeys=False)
    env = {name: value for name, value in os.environ.items() if not name.startswith("SIAGA_")} | {
        "SIAGA_DATABASE_URL": database_url, "SIAGA_MQTT_URL": quick_nats.url, "SIAGA_INGEST_REGIONS": region,
        "SIAGA_INGEST_CLIENT_ID": f"killed-{region.replace('.', '-')}", "SIAGA_COMMAND_POLL_S": "0.05",
    }  # fmt: skip
    command = [sys.executable, "-m", "siaga", "ingest"]
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        out = subprocess.DEVNULL
        started.append(subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=out))

    try:
        await until(lambda: _is(lamp.subscribed))
        start()
        made = await ask(db)
        await until(lambda: _is(len(lamp.told) == 1))
        started[0].send_signal(signal.SIGKILL)
        await asyncio.to_thread(started[0].wait)
        # The server does not notice, in the middle of a statement, that nobody waits for it any more.
        await db.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE application_name = 'siaga ingest talk' AND datname = current_database()"
        )
        await db.execute("DROP TRIGGER hold ON command")
        assert await states(db) == ["queued"]
        start()
        await until(lambda: _is_state(db, ["sent"]))
        assert {each["id"] for each in lamp.told} == {made}
        lamp.say(result_topic(region, NAME), json.dumps({"id": made, "ok": True}))
        await until(lambda: _is_state(db, ["done"]))
    finally:
        lamp.close()
        for each in started:
            each.kill()
            each.wait()


async def _is(true: bool) -> bool:
    return true


async def _is_state(db: psycopg.AsyncConnection[Any], wanted: list[str]) -> bool:
    return await states(db) == wanted


async def _is_row(db: psycopg.AsyncConnection[Any], query: str, wanted: tuple[Any, ...]) -> bool:
    return await (await db.execute(query.encode())).fetchone() == wanted
