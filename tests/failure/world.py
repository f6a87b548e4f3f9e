"""Siaga with servers that a test may kill, wires that it may cut, and devices whose every reading is known."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from tests.failure.proxy import Proxy
from tests.servers import Mosquitto, Nats, Postgres, mosquitto21
from tests.stack import ROOT, Stack, until

DATABASE = "siaga_failure"
# Small, so that a bound that does not hold is seen; and a database that is away for 7 s is away for long.
BUFFER_MB, BATCH_MB = 8, 2
SETTINGS = {
    "SIAGA_INGEST_BUFFER_MB": str(BUFFER_MB),
    "SIAGA_BATCH_MAX_MB": str(BATCH_MB),
    "SIAGA_INGEST_LET_GO_S": "5",
}
# What ingest may take, MB: itself with its libraries and 10,000 devices, the buffer, and two batches decoded, in which
# each byte of JSON takes ten.
MEMORY_MAX_MB = 100 + BUFFER_MB + 2 * 10 * BATCH_MB
# NATS delivers again 15 s after a connection was lost.
PATIENCE_S = 25


class Broker(NamedTuple):
    """A broker as it is set up. forgets: killed with -9, it may lose what it acknowledged so long before; None:
    nothing."""

    title: str
    make: Callable[[Path], Nats | Mosquitto]
    forgets: str | None = None


# Mosquitto's store is written every 5 s. With the SQLite plugin it is at the end of every turn of its loop, but what
# was read in that turn is acknowledged before: milliseconds; a second is the least that can be told apart from outside.
BROKERS = {
    "nats": Broker("NATS", Nats),
    "mosquitto21": Broker("Mosquitto 2.1, durable", mosquitto21, forgets="1s"),
    "mosquitto21-default": Broker("Mosquitto 2.1, default", lambda folder: Mosquitto(folder, "2.1"), forgets="6s"),
    "mosquitto20": Broker("Mosquitto 2.0", Mosquitto, forgets="6s"),
}


def quick_nats(folder: Path) -> Nats:
    """It delivers what a dead connection had taken again after 3 s, not 15; all else is as deployed."""
    return Nats(folder, {'ack_wait: "15s"': 'ack_wait: "3s"'})


QUICK = BROKERS["nats"]._replace(make=quick_nats)


class World:
    """A broker, a database and `siaga up` on both."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.broker = broker.make(folder / "broker")
        self.database = Postgres(folder / "postgres")
        self.to_ingest, self.to_devices = Proxy(self.broker.port), Proxy(self.broker.port)
        servers = {
            "SIAGA_DATABASE_URL": self.database.url(DATABASE),
            "SIAGA_MQTT_URL": self._through(self.to_ingest),
        }
        self.stack = Stack(folder / "data", "--no-simulator", settings=servers | SETTINGS)

    def start(self) -> None:
        self.broker.start()
        self.database.start()
        self.database.create(DATABASE)
        self.stack.start()

    def close(self) -> None:
        self.stack.close()
        self.broker.stop()
        self.database.stop()
        for wire in (self.to_ingest, self.to_devices):
            wire.close()

    def kill(self, part: str) -> None:
        """kill -9 a part of `siaga up`, and wait until it is started again."""
        until(lambda: part in self.stack.content["pids"], f"{part} is there to be killed")
        was = self.stack.kill(part)
        until(lambda: self.stack.content["pids"].get(part, was) != was, f"{part} is started again")

    def until_ready(self) -> None:
        until(self.stack.is_ready, "all parts are up again", 120)

    def simulate(self, truth: Path, *arguments: str) -> subprocess.Popen[str]:
        """Devices begin to publish; they are registered first."""
        env = {"SIAGA_MQTT_URL": self._through(self.to_devices)}
        return self.siaga("simulate", "--scenario", "data-kotor", "--truth", str(truth), *arguments, env=env)

    def verify(self, truth: Path) -> dict[str, Any]:
        """What `siaga verify` says of it."""
        said, _ = self.siaga(
            "verify", "--truth", str(truth), "--patience", str(PATIENCE_S), "--json"
        ).communicate(timeout=600)  # fmt: skip
        answer: dict[str, Any] = json.loads(said[said.index("{") :])
        return answer

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.database.url(DATABASE), autocommit=True, connect_timeout=2)

    def _through(self, wire: Proxy) -> str:
        return f"{self.broker.url.rpartition(':')[0]}:{wire.port}"

    def siaga(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """A `siaga` command that finds this world."""
        command = [sys.executable, "-P", "-m", "siaga", *arguments]
        given = {**os.environ, **self.stack.env, "PYTHONPATH": str(ROOT), **(env or {})}
        return subprocess.Popen(
            command, cwd=ROOT, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
