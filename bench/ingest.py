"""Ingest: a backlog in the broker, from the first packet read to the last one committed.

Reference: what people write first. Stock paho, acknowledging on arrival, one json.loads a packet and a COPY per 1,000
rows of five columns: no checks, no ledger, no latest values, no alerts, and what it holds is lost when it is killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from bench.measure import Figure, memory_mb
from runtime.mqtt_url import parse_url
from storage.migrate import migrate
from tests.servers import Nats, Postgres

PACKETS, DEVICES, ROUNDS = 60_000, 1_000, 2
REFERENCE_ID, OURS_ID = "bench-reference", "bench-ours"
COPY_ROWS = 1_000


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="siaga-bench-") as folder:
        postgres, nats = Postgres(Path(folder) / "postgres"), Nats(Path(folder) / "nats")
        postgres.start()
        nats.start()
        try:
            url = postgres.create("bench")
            migrate(url, lambda line: None)
            _register(url)
            ours, reference, memory = [], [], 0.0
            for _ in range(ROUNDS):
                for client_id in (REFERENCE_ID, OURS_ID):
                    _subscribe(nats.url, client_id)
                _publish(nats.url)
                reference.append(PACKETS / _reference(nats.url, postgres.create(f"reference_{len(reference)}")))
                seconds, held = _ours(nats.url, url)
                ours.append(PACKETS / seconds)
                memory = max(memory, held)
            return [
                Figure(
                    "ingest, committed", "packets/s", max(ours), max(reference), "paho + json + COPY, ack on arrival"
                ),
                Figure(
                    "ingest, memory at its peak",
                    "MB",
                    memory,
                    _idle_memory(),
                    "the same program before it connects",
                    less_is_better=True,
                ),
            ]
        finally:
            nats.stop()
            postgres.stop()


def _client(url: str, client_id: str) -> paho.Client:
    broker = parse_url(url)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
    client.username_pw_set(broker.username, broker.password)
    client.max_inflight_messages_set(1_000)
    client.max_queued_messages_set(0)
    client.connect(broker.host, broker.port)
    return client


def _subscribe(url: str, client_id: str) -> None:
    """Have the broker keep what comes for this session."""
    client = _client(url, client_id)
    done: list[Any] = []
    client.on_subscribe = lambda *arguments: done.append(arguments)
    client.subscribe("siaga/v1/+/+/readings", qos=1)
    while not done:
        client.loop(0.1)
    client.disconnect()


def _payloads() -> Iterator[tuple[str, bytes]]:
    """Every run new times, a packet a second and device, none late."""
    start = datetime.now(UTC) - timedelta(seconds=PACKETS // DEVICES + 5)
    for n in range(PACKETS):
        device, step = n % DEVICES, n // DEVICES
        fields = {
            "ts": (start + timedelta(seconds=step)).isoformat(), "seq": step, "boot": "b", "power_w": 61.2 + step % 5,
            "voltage_v": 219.5, "current_a": 0.29, "power_factor": 0.95, "dimming_pct": 100, "temperature_c": 41.5,
        }  # fmt: skip
        yield f"siaga/v1/12.09/bench-{device}/readings", json.dumps(fields).encode()


def _publish(url: str) -> None:
    client = _client(url, "bench-publisher")
    client.loop_start()
    infos = [client.publish(topic, payload, qos=1) for topic, payload in _payloads()]
    for info in infos:
        info.wait_for_publish(120)
    client.disconnect()
    client.loop_stop()


def _register(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO device (id, kind, region, lat, lon, attributes)"
            " SELECT 'bench-' || n, 'streetlight', '12.09', 2.98, 99.63, '{\"nominal_w\": 60}'"
            " FROM generate_series(0, %s) n",
            (DEVICES - 1,),
        )


def _reference(url: str, database: str) -> float:
    """Seconds until the reference has everything in its table."""
    rows: list[tuple[Any, ...]] = []
    done = 0
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("CREATE TABLE reading (device text, ts timestamptz, power float8, voltage float8, current float8)")
        client = _client(url, REFERENCE_ID)

        def flush() -> None:
            nonlocal done
            with conn.cursor() as cursor, cursor.copy("COPY reading FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(["text", "timestamptz", "float8", "float8", "float8"])
                for row in rows:
                    copy.write_row(row)
            done += len(rows)
            rows.clear()

        def on_message(client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
            item = json.loads(message.payload)
            ts = datetime.fromisoformat(item["ts"])
            rows.append((message.topic.split("/")[3], ts, item["power_w"], item["voltage_v"], item["current_a"]))
            if len(rows) >= COPY_ROWS:
                flush()

        client.on_message = on_message
        began = time.perf_counter()
        while done + len(rows) < PACKETS:
            client.loop(1)
        flush()
        seconds = time.perf_counter() - began
        client.disconnect()
    return seconds


def _ours(url: str, database: str) -> tuple[float, float]:
    """Seconds from the first committed packet's batch to the last, start-up left out; peak memory, MB."""
    env = {
        **os.environ, "SIAGA_DATABASE_URL": database, "SIAGA_MQTT_URL": url, "SIAGA_INGEST_CLIENT_ID": OURS_ID,
        "SIAGA_LOG_LEVEL": "WARNING",
    }  # fmt: skip
    with psycopg.connect(database, autocommit=True) as conn:
        count = "SELECT coalesce(sum(received), 0)::int FROM ledger"
        before = _number(conn, count)
        process = subprocess.Popen([sys.executable, "-m", "siaga", "ingest"], env=env)
        memory = 0.0
        try:
            # The subscription is what starts the flow; its row says when it is there.
            while _number(conn, "SELECT count(*)::int FROM part WHERE name = 'ingest'") == 0:
                time.sleep(0.005)
            began = time.perf_counter()
            while _number(conn, count) < before + PACKETS:
                memory = max(memory, memory_mb(process.pid))
                time.sleep(0.02)
            return time.perf_counter() - began, memory
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _idle_memory() -> float:
    """Memory of the program with everything imported and nothing done, MB."""
    command = [sys.executable, "-c", "import ingest.main, sys; print(flush=True); sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        memory = memory_mb(process.pid)
        process.communicate()
    return memory


def _number(conn: psycopg.Connection, query: str) -> int:
    row = conn.execute(query.encode()).fetchone()
    assert row
    return int(row[0])
