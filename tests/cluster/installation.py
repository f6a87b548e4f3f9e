"""All of deploy/cluster on loopback: three brokers, two databases, an ingest process and a standby for each of four
sets of regions, a worker, two APIs of which one reads from the standby."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import psycopg

from siaga.stack import processes
from siaga.stack.ports import LOOPBACK
from tests.cluster.databases import Pair
from tests.cluster.nodes import SIZE, Nodes
from tests.servers import DEPLOY, free_port
from tests.stack import ROOT, until

DATABASE = "siaga"
SETS = 4
COMMITTED = """
SELECT coalesce(sum(l.received), 0)::bigint FROM ledger AS l JOIN device AS d ON d.id = l.device_id
WHERE d.region = ANY (%s)
"""
# What differs between machines, and is here another for each part.
OWN = ("SIAGA_DATABASE_URL", "SIAGA_DATABASE_READ_URL", "SIAGA_MQTT_URL", "SSL_CERT_FILE", "SIAGA_BROKER_MONITOR_URL",
       "SIAGA_INGEST_METRICS_PORT")  # fmt: skip
LOOK_S = 0.05


def settings_of(file: str) -> dict[str, str]:
    """What a file of deploy/cluster sets, as systemd reads it, but what each machine has of its own."""
    lines = (DEPLOY / "cluster" / file).read_text(encoding="utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name: value for name, value in pairs if name not in OWN}


class Process:
    """One `siaga` process; started again it is what it was."""

    def __init__(self, name: str, arguments: Sequence[str], env: Mapping[str, str], folder: Path) -> None:
        self.name, self.arguments, self.env, self.log = name, tuple(arguments), dict(env), folder / f"{name}.log"
        self.pid: int | None = None

    def start(self) -> None:
        command = [sys.executable, "-P", "-m", "siaga", *self.arguments]
        self.pid = processes.spawn(command, self.env, self.log, signal.SIGKILL, folder=ROOT)

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self.pid is not None:
            os.kill(self.pid, number)
            os.waitpid(self.pid, 0)
            self.pid = None

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Installation:
    """Starts in the order in which an operator does."""

    def __init__(self, folder: Path, memory: Path) -> None:
        self.folder = folder
        self.nodes, self.pair = Nodes(folder / "nats"), Pair(memory / "pair")
        self.regions = {
            number: settings_of(f"ingest/ingest-{number}.env")["SIAGA_INGEST_REGIONS"].split(",")
            for number in range(1, SETS + 1)
        }
        self.ingest: dict[int, list[Process]] = {}
        self.apis: list[Process] = []
        self.api_urls: list[str] = []
        self.others: list[Process] = []
        self.key = ""

    def start(self) -> None:
        self.nodes.start()
        self.pair.start()
        self.pair.first.create(DATABASE)
        self.run("migrate")
        self.pair.first.wait_for("siaga_db_2")
        said = self.run("keys", "create", "cluster", "--role", "admin")
        self.key = said.split()[-1]
        for number, regions in self.regions.items():
            self.ingest[number] = [self._ingest(number, machine) for machine in "ab"]
            self.ingest[number][0].start()
            until(lambda n=number: "subscription.accepted" in self.ingest[n][0].said, f"{regions} are served", 90)  # type: ignore[misc]
            self.ingest[number][1].start()
        self._start_others()
        for number in self.regions:
            until(lambda n=number: "start.waiting" in self.ingest[n][1].said, f"{number} stands by")  # type: ignore[misc]
        self.until_ready()

    def _ingest(self, number: int, machine: str) -> Process:
        env = self.env(number) | settings_of(f"ingest/ingest-{number}.env")
        # As siaga-ingest@.service names them.
        env["SIAGA_INGEST_CLIENT_ID"] = f"siaga-ingest-{number}"
        return Process(f"ingest-{number}-{machine}", ["ingest"], env, self.folder)

    def _start_others(self) -> None:
        monitor = f"http://{LOOPBACK}:{self.nodes.nodes[0].monitor_port}"
        self.others = [Process("worker", ["worker"], self.env() | {"SIAGA_BROKER_MONITOR_URL": monitor}, self.folder)]
        for number, more in enumerate(({}, {"SIAGA_DATABASE_READ_URL": self.pair.url(DATABASE, reads=True)})):
            port = free_port()
            self.api_urls.append(f"http://{LOOPBACK}:{port}")
            self.apis.append(
                Process(f"api-{number + 1}", ["api"], self.env() | {"SIAGA_API_PORT": str(port), **more}, self.folder)
            )
        for process in (*self.others, *self.apis):
            process.start()

    def env(self, first_node: int = 0) -> dict[str, str]:
        """The environment of a machine that begins with this broker."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("SIAGA_")}
        return {
            **own, **settings_of("siaga.env"), **self.nodes.env, "PYTHONPATH": str(ROOT),
            "SIAGA_DATABASE_URL": self.pair.url(DATABASE), "SIAGA_MQTT_URL": self.nodes.url(first_node % SIZE),
        }  # fmt: skip

    def run(self, *arguments: str) -> str:
        """A `siaga` command to its end; what it printed."""
        process = self.begin(*arguments)
        said, _ = process.communicate(timeout=600)
        assert process.returncode == 0, said
        return said

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        env = self.env()
        if self.key:
            env |= {"SIAGA_API_URL": self.api_urls[0], "SIAGA_API_KEY": self.key}
        command = [sys.executable, "-P", "-m", "siaga", *arguments]
        return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def verify(self, truth: Path) -> dict[str, Any]:
        process = self.begin("verify", "--truth", str(truth), "--patience", "90", "--json")
        said, _ = process.communicate(timeout=900)
        answer: dict[str, Any] = json.loads(said[said.index("{") :])
        return answer

    def until_ready(self) -> None:
        for url in self.api_urls:
            until(lambda u=url: is_ready(u), f"{url} says that all is up", 120)  # type: ignore[misc]

    def committed(self, regions: Sequence[str]) -> int | None:
        """Readings and copies taken from these regions; None while no primary answers."""
        try:
            with psycopg.connect(self.pair.url(DATABASE), autocommit=True, connect_timeout=2) as conn:
                row = conn.execute(COMMITTED, (list(regions),)).fetchone()
        except psycopg.Error:
            return None
        assert row is not None
        return int(row[0])

    @property
    def stored(self) -> int:
        with psycopg.connect(self.pair.url(DATABASE), autocommit=True, connect_timeout=5) as conn:
            row = conn.execute("SELECT coalesce(sum(stored), 0)::bigint FROM ledger").fetchone()
        assert row is not None
        return int(row[0])

    def takeover_s(
        self, regions: Sequence[str], strike: Callable[[], object], back: Callable[[], object] = lambda: True
    ) -> float:
        """How long after a blow something of these regions is committed again, and `back` is true before that."""
        before = self.committed(regions)
        began = time.monotonic()
        strike()
        # What was being committed at that moment may have been, and is no sign of life.
        time.sleep(LOOK_S)
        until(back, "what was hurt is back", 180, LOOK_S)
        before = self.committed(regions) or before or 0
        until(lambda: (self.committed(regions) or 0) > before, f"{regions} are committed again", 180, LOOK_S)
        return time.monotonic() - began

    def stop(self) -> None:
        for process in (*self.apis, *self.others, *(each for pair in self.ingest.values() for each in pair)):
            process.end()
        self.nodes.stop()
        self.pair.stop()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=10).status_code == 200
    except httpx.HTTPError:
        return False
