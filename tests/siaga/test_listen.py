"""`siaga device listen`: what it says of each message, and that it hears them from real brokers beside ingest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest

from devices.device import Device
from ingest.decoders.choose import Decoders
from ingest.intake import Limits
from runtime.mqtt_url import parse_url
from runtime.settings import Settings
from siaga.listen import filters
from siaga.listen_judge import Judged, Listener
from siaga.registry import lookup
from siaga.visit import Heard
from tests.servers import Mosquitto, Nats
from tests.siaga.test_storage_status import fill
from tests.stack import ROOT
from tests.storage.world import LAMP

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
GAUGE = Device("wl-1", "water_level", region="12.09", attributes={"sensor_to_datum_m": 8.0})
TOPIC = "siaga/v1/12.09/wl-1/readings"
DECODERS = Decoders.from_file(str(ROOT / "deploy/decoders.toml"))
Said = list[tuple[str, str]]


def listener(device: Device | None = GAUGE) -> Listener:
    return Listener("wl-1", device, Limits.of(Settings()), DECODERS)


def heard(*items: Any, topic: str = TOPIC, qos: int = 1, retained: bool = False) -> Heard:
    payload = items[0] if isinstance(items[0], bytes) else json.dumps(items[0] if len(items) == 1 else items).encode()
    return Heard(topic, payload, qos, retained, NOW)


def reading(seq: int | None = 0, ago_s: float = 1, **fields: Any) -> dict[str, Any]:
    ts = (NOW - timedelta(seconds=ago_s)).isoformat()
    return {"ts": ts, "boot": "a", "level_m": 2.5, **({} if seq is None else {"seq": seq}), **fields}


def said(judged: Judged | None) -> Said:
    assert judged is not None
    return [(note.mark, note.text) for note in judged.notes]


def test_a_good_reading() -> None:
    judged = listener().judge(heard(reading()))
    assert said(judged) == [
        ("ok", "reading of 2026-11-24T11:59:59+00:00: stored in reading_water_level, qc 1; level_m = 2.5")
    ]
    assert judged is not None
    assert not judged.is_wrong


@pytest.mark.parametrize(
    ("message", "mark", "words"),
    [
        (heard(reading(rain_mn=1)), "wrong", "rain_mn is no field of a water_level: left out; is rain_mm meant?"),
        (heard(reading(colour=1)), "wrong", "colour is no field of a water_level: left out"),
        (heard(reading(level_m="2,5")), "note", 'level_m is the text "2,5": send a number'),
        (heard(reading(level_m="2,5")), "wrong", "quarantined as malformed: level_m: Input should be a valid number"),
        (heard(b"{"), "wrong", "quarantined as malformed: not JSON"),
        (heard(reading(level_m=99)), "wrong", "level_m = 99 is outside -5 … 20 m: stored and flagged"),
        (heard({"ts": NOW.isoformat(), "seq": 1}), "wrong", "no metric of a water_level in it: it takes distance_m,"),
        (heard(reading(seq=None)), "note", "no seq"),
        (heard(reading(ago_s=-40)), "note", "its clock is 40 s ahead"),
        (heard(reading(ago_s=90)), "note", "90 s old: it was kept back"),
        (heard(reading(ago_s=7200)), "note", "2 h old: stored and marked late"),
        (heard(reading(ago_s=-7 * 3600)), "wrong", "quarantined as future_timestamp: ts is 25200 s ahead"),
        (heard(reading(ago_s=-7 * 3600)), "note", "nearly 7 h ahead: local time sent as UTC? Send it as +07:00"),
        (heard({"ts": 1_795_000_000, "level_m": 2}), "wrong", "quarantined as too_old"),
        (heard({"ts": 1_795_000_000, "level_m": 2}), "note", "ts looks like seconds after 1970: send milliseconds"),
        (heard(reading(), qos=0), "wrong", "came with QoS 0"),
        (heard(reading(), retained=True), "wrong", "retained"),
        (heard(reading(), topic=TOPIC.replace("12.09", "12.10")), "wrong", "identity_mismatch"),
        (heard(b"online", topic="siaga/v1/12.09/wl-1/status", retained=True), "ok", "status online, retained"),
        (heard(b"up", topic="siaga/v1/12.09/wl-1/status"), "wrong", "'up' is neither online nor offline"),
        (heard(reading(), topic="siaga/v1/12.09/wl-1/reading"), "wrong", "nobody takes this topic"),
    ],
)
def test_what_is_said(message: Heard, mark: str, words: str) -> None:
    notes = said(listener().judge(message))
    assert any(mark == own and words in text for own, text in notes), notes


def test_the_count_over_messages() -> None:
    ear = listener()

    def last(item: dict[str, Any]) -> tuple[str, str]:
        return said(ear.judge(heard(item)))[-1]

    assert last(reading(4, 60))[0] == "ok"
    assert last(reading(7, 50)) == ("wrong", "seq 5 to 6 missing, unless it comes later")
    assert last(reading(9, 40)) == ("wrong", "seq 8 missing, unless it comes later")
    assert last(reading(3, 30))[1].startswith("seq went back from 9 to 3")
    assert last(reading(0, 20, boot="b")) == ("note", "new boot 'b'")
    assert last(reading(2, 10, boot="c")) == ("note", "new boot 'c', and seq begins at 2: 0 to 1 count as missing")
    assert last(reading(2, 5, boot="c")) == ("note", "seq 2 again")


def test_a_repeat_is_a_duplicate_and_another_value_at_its_time_a_conflict() -> None:
    ear = listener()
    first, again, other = (ear.judge(heard(reading(1, level_m=level))) for level in (2.5, 2.5, 2.6))
    assert "stored" in said(first)[0][1]
    ((mark, text),) = said(again)
    assert (mark, "duplicate" in text) == ("ok", True)
    ((mark, text),) = said(other)
    assert (mark, "conflict" in text) == ("wrong", True)


def test_one_bad_item_of_an_array_beside_good_ones() -> None:
    judged = listener().judge(heard(reading(1, 30), {"level_m": 1}, reading(2, 20)))
    assert [mark for mark, _ in said(judged)] == ["ok", "ok", "wrong"]


def test_a_distance_becomes_a_level_where_the_datum_is_known() -> None:
    item = {"ts": NOW.isoformat(), "seq": 0, "distance_m": 5.3}
    assert "level_m = 2.7" in said(listener().judge(heard(item)))[0][1]
    without = listener(Device("wl-1", "water_level", region="12.09"))
    assert "sensor_to_datum_m" in said(without.judge(heard(item)))[-1][1]


def test_an_unregistered_device() -> None:
    notes = said(listener(None).judge(heard(reading())))
    assert [mark for mark, _ in notes] == ["wrong", "note"]
    assert "unknown_device" in notes[0][1]


def test_topics_of_sources_and_messages_of_others() -> None:
    table = '[[source]]\nformat = "json"\ntopic = "vendor/{device}/up"\n[source.devices]\nA7 = "wl-1"\n'
    assert filters("wl-1", Decoders.from_toml(table)) == ["siaga/v1/+/wl-1/#", "vendor/A7/up", "vendor/wl-1/up"]
    # Where letters count alike nobody can name the topic; what is of others is left out then.
    assert "application/+/device/+/event/up" in filters("wl-1", DECODERS)
    other = heard({"deviceInfo": {}}, topic="application/x/device/24e124136b502217/event/up")
    assert listener().judge(other) is None
    mine = Listener("wl-asahan-01", Device("wl-asahan-01", "water_level"), Limits.of(Settings()), DECODERS)
    assert said(mine.judge(other))[0][1].startswith("quarantined as malformed")


def near(mqtt_url: str, database_url: str) -> dict[str, str]:
    """Settings without an API."""
    return {"SIAGA_MQTT_URL": mqtt_url, "SIAGA_DATABASE_URL": database_url}


class Running:
    """The command as a process; subscribed once it is made."""

    def __init__(self, settings: Mapping[str, str], *words: str) -> None:
        env = {name: value for name, value in os.environ.items() if not name.startswith("SIAGA_")}
        env |= {**settings, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-P", "-m", "siaga", "device", "listen", *words]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        self.begun = self.process.stderr.readline()

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def lamp(database_url: str) -> Iterator[str]:
    """A database in which the lamp is registered."""
    import asyncio

    import structlog

    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    asyncio.run(fill(database_url))
    yield database_url
    structlog.reset_defaults()


def publish(url: str, *messages: tuple[str, dict[str, Any], int]) -> None:
    with connected(url) as client:
        for what, item, qos in messages:
            client.publish(f"siaga/v1/12.09/{LAMP.id}/{what}", json.dumps(item), qos).wait_for_publish(30)


@contextmanager
def connected(url: str) -> Iterator[paho.Client]:
    at = parse_url(url)
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, LAMP.id)
    client.username_pw_set(at.username, at.password)
    client.connect(at.host, at.port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


@pytest.mark.parametrize("broker", ["nats", "mosquitto"])
def test_messages_from_a_real_broker(broker: str, lamp: str, request: pytest.FixtureRequest) -> None:
    server: Nats | Mosquitto = request.getfixturevalue(broker)
    with connected(
        server.url
    ) as client:  # a status that the examples of docs/devices.md have left would be heard first
        client.publish(f"siaga/v1/12.09/{LAMP.id}/status", b"", qos=1, retain=True).wait_for_publish(30)
    running = Running(near(server.url, lamp), LAMP.id, "--count", "3", "--json")
    try:
        assert f"listening to {LAMP.id} (streetlight)" in running.begun
        now = datetime.now(UTC)
        first, second = ({"ts": (now + timedelta(seconds=n)).isoformat(), "power_w": 80, "seq": n} for n in (0, 2))
        publish(server.url, ("readings", first, 1), ("readings", second, 0), ("reading", first, 1))
        code, out, err = running.end()
    finally:
        running.close()
    one, two, three = map(json.loads, out.splitlines())
    assert (one["qos"], two["qos"], three["qos"]) == (1, 0, 1)
    assert one["readings"][0]["values"] == {"power_w": 80}
    assert [note["mark"] for note in one["notes"]] == ["ok"]
    assert {note["text"][:8] for note in two["notes"]} >= {"came wit", "seq 1 mi"}
    assert three["readings"] == []
    assert code == 1
    assert "messages 3, readings 2, quarantined 0; something is wrong with 2" in err
    assert lookup(lamp, LAMP.id) is not None  # and nothing of it was stored or changed


def test_ctrl_c_ends_it_with_0_where_all_is_well(lamp: str, nats: Nats) -> None:
    running = Running(near(nats.url, lamp), LAMP.id)
    try:
        publish(nats.url, ("readings", {"ts": datetime.now(UTC).isoformat(), "power_w": 80, "seq": 0}, 1))
        assert running.process.stdout is not None
        head, note = running.process.stdout.readline(), running.process.stdout.readline()
        running.process.send_signal(signal.SIGINT)
        code, _, err = running.end()
    finally:
        running.close()
    assert "QoS 1" in head
    assert note.startswith("  ok     reading of")
    assert code == 0, err
    assert "messages 1, readings 1" in err


def test_silence_ends_with_1(lamp: str, nats: Nats) -> None:
    running = Running(near(nats.url, lamp), LAMP.id, "--for", "0.5")
    assert running.end()[0] == 1


@pytest.mark.parametrize(("device_id", "words"), [("a/b", "is no device id"), ("+", "is no device id")])
def test_what_cannot_be_a_device(device_id: str, words: str, lamp: str, nats: Nats) -> None:
    running = Running(near(nats.url, lamp), device_id)
    assert words in running.begun
    assert running.end()[0] == 1


def test_a_broker_that_is_away_is_named(lamp: str, tmp_path: Path) -> None:
    running = Running(near("mqtt://127.0.0.1:1", lamp), LAMP.id)
    assert "127.0.0.1:1: " in running.begun
    assert running.end()[0] == 1
