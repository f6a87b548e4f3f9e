"""`siaga up` as people run it: one command, a city that lives, and parts that may be killed.

The tests share one run; each leaves it running, so that they go in any order.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from runtime.settings import PREFIX
from siaga.stack import broker, postgres, processes
from tests.servers import missing

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("database", "broker", "ingest", "worker", "api", "simulator")
PATIENCE_S = 120.0
LAMPS = "SELECT count(*) FROM reading_streetlight"


def until(true: Callable[[], Any], what: str) -> Any:
    """Poll until it holds; what it gave."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := true()):
        assert time.monotonic() < deadline, f"not within {PATIENCE_S:.0f} s: {what}"
        time.sleep(0.05)
    return found


class Up:
    """One `siaga up` after the other on the same folder."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "data"
        self.out = folder / "out.txt"
        self.stack: dict[str, Any] = {}
        self.client = httpx.Client(timeout=10)
        self.process: subprocess.Popen[bytes] | None = None
        self.start()
        self.first_words = self.out.read_text()

    def start(self) -> None:
        env = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        options = ("--data", self.root, "--api-port", "0", "--mqtt-port", "0", "--devices", "40")
        with self.out.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "siaga", "up", *options],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env, cwd=ROOT,
                start_new_session=True,
            )  # fmt: skip
        self.stack = until(self._running, "siaga up says that it runs")
        headers = {"Authorization": f"Bearer {self.stack['admin_key']}"}
        self.client.close()
        self.client = httpx.Client(base_url=self.stack["api_url"], headers=headers, timeout=10)
        until(self.is_ready, "ready")

    def _running(self) -> dict[str, Any] | None:
        assert self.process
        assert self.process.poll() is None, self.out.read_text()
        self._not_ready_too_early()
        found = self.read_stack()
        # That of a killed run names another process.
        return found if found and found["pid"] == self.process.pid and "/sign-in?" in self.out.read_text() else None

    def _not_ready_too_early(self) -> None:
        """Whoever waits for /readyz alone must not find a city without some of its parts."""
        listens = re.search(r"^api +(http://\S+)", self.out.read_text(), re.MULTILINE)
        if listens:
            answer = self.client.get(f"{listens[1]}/readyz")
            assert answer.status_code == 503 or {part["name"] for part in answer.json()["parts"]} == set(PARTS)

    def read_stack(self) -> dict[str, Any] | None:
        with contextlib.suppress(FileNotFoundError):
            found: dict[str, Any] = json.loads((self.root / "stack.json").read_text())
            return found
        return None

    def pid(self, part: str) -> int | None:
        found = self.read_stack()
        return found["pids"].get(part) if found else None

    def is_ready(self) -> bool:
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def newest(self) -> str:
        """The newest ts of any device; "" while nobody answers."""
        try:
            answer = self.client.get("/api/v1/latest")
        except httpx.HTTPError:
            return ""
        return max((item["ts"] for item in answer.json().get("items", ())), default="")

    def goes_on(self) -> None:
        """Wait for readings newer than any so far."""
        before = until(self.newest, "readings")
        until(lambda: self.newest() > before, "newer readings")

    def ask(self, query: str) -> int:
        with psycopg.connect(self.stack["database_url"]) as conn:
            row = conn.execute(query.encode()).fetchone()
        assert row
        return int(row[0])

    def ended(self) -> int:
        assert self.process
        return self.process.wait(PATIENCE_S)

    def left(self) -> list[int]:
        return processes.leftovers(self.root)

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(60)
            self.process.kill()
            self.process.wait()
        for pid in self.left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.client.close()


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    try:
        postgres.programs()
        broker.program()
    except (postgres.PostgresError, broker.BrokerError) as error:
        missing("a part of `siaga up`", str(error))
    folder = tmp_path_factory.mktemp("up")
    started: list[Up] = []
    try:
        started.append(Up(folder))
        yield started[0]
    finally:
        for each in started:
            each.close()
        for pid in processes.leftovers(folder / "data"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_it_says_a_line_a_part_and_ends_with_the_sign_in_link(up: Up) -> None:
    lines = up.first_words.splitlines()
    for part in (*PARTS, "migrate"):
        assert [line for line in lines if line.split()[:1] == [part]], part
    addresses = re.findall(r"http://\S+", up.first_words)
    assert addresses[-1].startswith(f"http://127.0.0.1:{up.stack['api_url'].rpartition(':')[2]}/sign-in?token=")
    for secret in (up.stack["admin_key"], up.stack["mqtt_url"], up.stack["database_url"]):
        assert secret not in up.first_words


def test_stack_json_has_all_that_others_need(up: Up) -> None:
    assert stat.S_IMODE((up.root / "stack.json").stat().st_mode) == 0o600
    stack = up.read_stack()
    assert stack
    assert {"api_url", "mqtt_url", "database_url", "admin_key", "pid", "pids"} <= stack.keys()
    assert set(stack["pids"]) == set(PARTS)
    assert up.ask("SELECT 1") == 1
    there = re.fullmatch(r"mqtt://(\w+):(\w+)@127\.0\.0\.1:(\d+)", stack["mqtt_url"])
    assert there
    assert broker.accepts("127.0.0.1", int(there[3]), there[1], there[2])


def test_every_part_is_up(up: Up) -> None:
    until(up.is_ready, "ready")
    body = up.client.get("/readyz").json()
    assert {part["name"] for part in body["parts"]} == set(PARTS), body
    assert (up.client.get("/").status_code, up.client.get("/healthz").status_code) == (200, 200)


def test_a_second_one_on_the_same_folder_is_refused(up: Up) -> None:
    assert up.process
    second = subprocess.run(
        [sys.executable, "-m", "siaga", "up", "--data", up.root],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=PATIENCE_S,
    )  # fmt: skip
    assert second.returncode == 1
    assert f"process {up.process.pid}" in second.stderr
    assert up.read_stack() is not None


def test_readings_flow(up: Up) -> None:
    until(lambda: len(up.client.get("/api/v1/latest").json()["items"]) == 40, "a reading of every device")
    up.goes_on()
    kinds = {item["kind"] for item in up.client.get("/api/v1/latest").json()["items"]}
    assert kinds == {"streetlight", "water_level", "traffic"}


def test_an_alert_opens_and_is_acknowledged(up: Up) -> None:
    def unacked() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = up.client.get("/api/v1/alerts?state=unacked").json()["items"]
        return found

    def acknowledged() -> bool:
        # The alert may change while we look at it; then we look again, as an operator would.
        tag = up.client.get(address).headers["etag"]
        answer = up.client.post(f"{address}/ack", json={"comment": "dicek"}, headers={"If-Match": tag})
        assert answer.status_code in (200, 412), answer.text
        return answer.status_code == 200

    address = f"/api/v1/alerts/{until(unacked, 'an alert')[0]['id']}"
    until(acknowledged, "acknowledged")
    alert = up.client.get(address).json()
    assert (alert["acked"], alert["comment"]) == (True, "dicek")
    assert {"raised", "acked"} <= {event["what"] for event in alert["history"]}


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_part_is_back_and_readings_go_on(up: Up, part: str) -> None:
    until(up.is_ready, "ready")
    before = up.pid(part)
    assert before
    os.kill(before, signal.SIGKILL)
    until(lambda: not up.is_ready(), f"not ready without {part}")
    until(lambda: up.pid(part) not in (None, before), f"{part} started again")
    until(up.is_ready, f"ready again after {part} was killed")
    up.goes_on()
    assert part in up.out.read_text()


def test_ctrl_c_stops_all_of_it_and_the_next_run_goes_on_where_it_was(up: Up) -> None:
    up.goes_on()
    before, rows = up.stack, up.ask(LAMPS)
    assert up.process
    up.process.send_signal(signal.SIGINT)
    assert up.ended() == 0
    assert up.left() == []
    assert not (up.root / "stack.json").exists()
    said = up.out.read_text()
    assert [line.split()[0] for line in said.splitlines() if line.split()[1:2] == ["stopped"]] == [
        "simulator", "api", "worker", "ingest", "broker", "database",
    ]  # fmt: skip

    up.start()
    for name in ("api_url", "mqtt_url", "database_url", "admin_key"):
        assert up.stack[name] == before[name], name
    assert up.client.get("/api/v1/me").json()["role"] == "admin"
    assert up.ask(LAMPS) >= rows > 0
    up.goes_on()


def test_killed_itself_it_leaves_nothing_and_starts_again(up: Up) -> None:
    up.goes_on()
    before, rows = up.stack, up.ask(LAMPS)
    assert up.process
    up.process.kill()
    up.ended()
    until(lambda: up.left() == [], "nothing is left")

    up.start()
    assert up.stack["api_url"] == before["api_url"]
    assert up.ask(LAMPS) >= rows > 0
    up.goes_on()
