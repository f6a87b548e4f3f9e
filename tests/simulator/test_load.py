"""A load from several processes: everything is acknowledged, counted and timed, and everything ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from bench.measure import tree
from runtime.mqtt_url import parse_url
from simulator.fleet import make_fleet
from simulator.load.main import BATCH_MAX, LoadOptions, run_load, shares
from simulator.load.probe import COMMENT
from simulator.load.worker import Told
from simulator.pace import RateError
from tests.servers import Nats
from tests.stack import ROOT, Stack, until
from tests.whole import only_whole

REGION = "31.71"
SMALL = LoadOptions(
    "mqtt://127.0.0.1:1", devices=40, rate=200, seconds=2, processes=2, regions=(REGION,), connections=3
)


class TestShares:
    def test_together_they_are_the_whole(self) -> None:
        options = replace(SMALL, devices=101, rate=1_000, processes=3, connections=7, in_flight=70)
        made = shares(options, make_fleet(101, 1))
        assert [(share.number, share.of) for share in made] == [(0, 3), (1, 3), (2, 3)]
        assert sum(share.rate for share in made) == pytest.approx(1_000)
        assert sum(share.connections for share in made) == 7
        assert sum(share.in_flight for share in made) <= 70
        assert len({share.client_id for share in made}) == 3

    def test_a_process_has_a_device_and_a_connection_at_least(self) -> None:
        made = shares(replace(SMALL, devices=2, rate=2, processes=8, connections=1), make_fleet(2, 1))
        assert [share.connections for share in made] == [1, 1]

    def test_one_process_a_core_unless_told_otherwise(self) -> None:
        assert len(shares(replace(SMALL, processes=None), make_fleet(40, 1))) == min(os.cpu_count() or 1, 40)

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"mqtt_url": "http://broker"}, "SIAGA_MQTT_URL"),
            ({"batch": 0}, "--batch 0"),
            ({"batch": BATCH_MAX + 1}, "--batch 1,001"),
            ({"processes": 1_001, "devices": 2_000, "rate": 2_000}, "--processes 1,001"),
            ({"in_flight": 2}, "--in-flight 2: 3 to"),
            ({"in_flight": 65_535 * 3}, "--in-flight 196,605"),
        ],
    )
    def test_a_bad_option_is_named_with_its_limit(self, change: dict[str, Any], told: str) -> None:
        options = replace(SMALL, **change)
        with pytest.raises(ValueError, match=re.escape(told)):
            shares(options, make_fleet(options.devices, 1))

    def test_a_rate_that_cannot_be_reached_is_told_before_anything_starts(self) -> None:
        with pytest.raises(RateError, match="--rate"):
            run_load(replace(SMALL, rate=1e7))

    def test_passwords_are_not_shown(self) -> None:
        options = replace(SMALL, mqtt_url="mqtt://u:secret@h", api_key="secret")
        (share, _) = shares(options, make_fleet(40, 1))
        assert "secret" not in repr(options) + repr(share)


class Heard:
    """What the broker delivers of this file's region."""

    def __init__(self, url: str) -> None:
        where = parse_url(url)
        self.items: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.messages = 0
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="heard-load")
        self._client.username_pw_set(where.username, where.password)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect(where.host, where.port)
        self._client.subscribe(f"siaga/v1/{REGION}/+/readings", qos=1)
        self._client.loop_start()
        assert self._subscribed.wait(60)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        found = json.loads(message.payload)
        self.items[message.topic] += found if isinstance(found, list) else [found]
        self.messages += 1


@pytest.fixture
def heard(nats: Nats) -> Iterator[Heard]:
    heard = Heard(nats.url)
    yield heard
    heard.close()


def numbers(line: str) -> list[int]:
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\d|\d", line)]


@pytest.mark.parametrize("batch", [1, 10])
def test_everything_is_acknowledged_counted_and_arrives_in_order(nats: Nats, heard: Heard, batch: int) -> None:
    said: list[str] = []
    assert run_load(replace(SMALL, mqtt_url=nats.url, batch=batch), said.append), said
    text = "\n".join(said)
    messages, readings, acknowledged, reconnections = numbers(said[-1])
    assert (acknowledged, readings, reconnections) == (messages, messages * batch, 0)
    assert messages * batch == pytest.approx(2 * 200, rel=0.15)
    assert f"{messages:,}" in next(line for line in said if line.startswith("publish → ack")), "every message was timed"
    assert "SIAGA_API_URL" in text, "why there are no probes"
    until(lambda: heard.messages >= messages, f"{messages} messages have come")
    assert heard.messages == messages
    for sent in heard.items.values():
        seq = [item["seq"] for item in sent]
        assert seq == list(range(seq[0], seq[0] + len(seq)))


APART = """
import sys
from simulator.load.main import LoadOptions, run_load
sys.exit(0 if run_load(LoadOptions({url!r}, devices=40, rate=200, processes=2, regions=({region!r},)), print) else 1)
"""


@contextmanager
def apart(url: str, heard: Heard) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A load without an end, in a process of its own that is publishing; and the processes it has started."""
    command = [sys.executable, "-u", "-c", APART.format(url=url, region=REGION)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    workers: list[int] = []
    try:
        until(lambda: heard.messages > 100, "it publishes")
        workers += workers_of(process.pid)
        assert len(workers) == 2
        yield process, workers
    finally:
        process.kill()
        process.communicate()
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


def workers_of(pid: int) -> list[int]:
    return [child for child in tree(pid)[1:] if b"simulator.load.worker" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_signal_ends_all_of_it_in_order(nats: Nats, heard: Heard, number: signal.Signals) -> None:
    with apart(nats.url, heard) as (process, workers):
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0, out
        assert "Every message was acknowledged" in out
        assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]


def test_workers_end_with_the_one_that_started_them_even_if_it_is_killed(nats: Nats, heard: Heard) -> None:
    with apart(nats.url, heard) as (process, workers):
        process.kill()
        until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), "the workers have ended")


def test_a_worker_that_dies_is_told_and_is_no_success(nats: Nats, heard: Heard) -> None:
    with apart(nats.url, heard) as (process, workers):
        os.kill(workers[1], signal.SIGKILL)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "ended with -9" in out


def test_what_a_worker_tells_comes_through_json_unchanged() -> None:
    told = Told(published=3, acknowledged=3, readings=3, waits={17: 2, 400: 1}, longest_s=0.5)
    read = Told(**json.loads(json.dumps(asdict(told))))
    assert len(read.histogram()) == 3
    assert (read.histogram().counts == told.histogram().counts).all()
    assert read.histogram().greatest_s == 0.5


@only_whole
@pytest.mark.slow
def test_probes_measure_commit_alert_and_stream(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "data", "--no-simulator")
    try:
        stack.start()
        env = stack.env
        options = replace(
            SMALL, mqtt_url=env["SIAGA_MQTT_URL"], api_url=env["SIAGA_API_URL"], api_key=env["SIAGA_API_KEY"],
            regions=("12.09",), seconds=6, probes_per_s=3,
        )  # fmt: skip
        said: list[str] = []
        assert run_load(options, said.append), said
        rows = [line.split() for line in said if line.startswith("publish →")]
        probes = numbers(next(line for line in said if "probes;" in line))[0]
        assert probes >= 3
        assert [" ".join(row[2:-7]) for row in rows] == ["ack", "committed", "alert event", "SSE"]
        assert all(cell != "-" for row in rows for cell in row), said
        assert [row[-7] for row in rows[1:]] == [str(probes)] * 3
        assert not [line for line in said if "not seen" in line]
        with stack.client() as client:
            own = [alert for alert in client.alerts() if alert.device_id.startswith("probe-")]
            assert len(own) == probes
            assert {(alert.acked, alert.comment, alert.siaga) for alert in own} == {(True, COMMENT, 1)}
        with stack.connect() as conn:
            quarantined = conn.execute("SELECT count(*) FROM quarantine").fetchone()
        assert quarantined == (0,), "every device was registered before it published"
    finally:
        stack.close()
