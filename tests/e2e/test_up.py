"""`siaga up` as people run it: one command, a city that lives, and parts that may be killed.

The tests share one run; each leaves it running, so that they go in any order.
"""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus

import httpx
import pytest

from siaga.client import ApiError, SiagaError
from siaga.stack import broker, postgres
from tests.servers import missing
from tests.stack import ROOT, Stack, until

pytestmark = pytest.mark.slow

PARTS = ("database", "broker", "ingest", "worker", "api", "simulator")
PATIENCE_S = 120.0
LAMPS = "SELECT count(*) FROM reading_streetlight"


class Up(Stack):
    """One `siaga up` after the other on the same folder, with 40 devices."""

    def _is_up(self) -> bool:
        self._not_ready_too_early()
        return super()._is_up()

    def _not_ready_too_early(self) -> None:
        """Whoever waits for /readyz alone must not find a city without some of its parts."""
        listens = re.search(r"^api +(http://\S+)", self.said, re.MULTILINE)
        if listens:
            answer = httpx.get(f"{listens[1]}/readyz")
            assert answer.status_code == 503 or {part["name"] for part in answer.json()["parts"]} == set(PARTS)

    def newest(self) -> datetime | None:
        """The newest ts of any device; None while nobody answers."""
        try:
            with self.client() as client:
                return max((latest.ts for latest in client.latest()), default=None)
        except SiagaError:
            return None

    def goes_on(self) -> None:
        """Wait for readings newer than any so far."""
        before = until(self.newest, "readings", PATIENCE_S)
        assert before
        until(lambda: (self.newest() or before) > before, "newer readings", PATIENCE_S)

    def ask(self, query: str) -> int:
        with self.connect() as conn:
            row = conn.execute(query.encode()).fetchone()
        assert row
        return int(row[0])


@pytest.fixture(scope="module")
def first_words() -> list[str]:
    """What the first run printed until it was up; later runs find a cluster made."""
    return []


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, first_words: list[str]) -> Iterator[Up]:
    try:
        postgres.programs()
        broker.program()
    except (postgres.PostgresError, broker.BrokerError) as error:
        missing("a part of `siaga up`", str(error))
    stack = Up(tmp_path_factory.mktemp("up") / "data", "--devices", "40")
    try:
        stack.start()
        first_words.append(stack.said)
        yield stack
    finally:
        stack.close()


def test_it_says_a_line_a_part_and_ends_with_the_sign_in_link(up: Up, first_words: list[str]) -> None:
    (said,) = first_words
    lines = said.splitlines()
    for part in (*PARTS, "migrate"):
        assert [line for line in lines if line.split()[:1] == [part]], part
    addresses = re.findall(r"http://\S+", said)
    assert addresses[-1].startswith(f"http://127.0.0.1:{up.content['api_url'].rpartition(':')[2]}/sign-in?token=")
    for secret in (up.content["admin_key"], up.content["mqtt_url"], up.content["database_url"]):
        assert secret not in said


def test_stack_json_has_all_that_others_need(up: Up) -> None:
    assert stat.S_IMODE((up.data / "stack.json").stat().st_mode) == 0o600
    stack = up.content
    assert {"api_url", "mqtt_url", "database_url", "admin_key", "pid", "pids"} <= stack.keys()
    assert set(stack["pids"]) == set(PARTS)
    assert up.ask("SELECT 1") == 1
    there = re.fullmatch(r"mqtt://(\w+):(\w+)@127\.0\.0\.1:(\d+)", stack["mqtt_url"])
    assert there
    assert broker.accepts("127.0.0.1", int(there[3]), there[1], there[2])


def test_every_part_is_up(up: Up) -> None:
    until(up.is_ready, "ready", PATIENCE_S)
    body = up.get("/readyz").json()
    assert {part["name"] for part in body["parts"]} == set(PARTS), body
    assert (up.get("/").status_code, up.get("/healthz").status_code) == (200, 200)


def test_ingest_and_worker_say_how_much_waits(up: Up, first_words: list[str]) -> None:
    def facts(part: str) -> dict[str, float | None]:
        listed = up.get("/readyz").json()["parts"]
        found: dict[str, float | None] = next((each["facts"] for each in listed if each["name"] == part), {})
        return found

    until(lambda: facts("worker").get("broker_limit_bytes"), "the worker has asked the broker", PATIENCE_S)
    assert facts("worker")["broker_held_messages"] is not None
    assert {"lag_s", "held_packets"} <= facts("ingest").keys()
    for part, name in (("ingest", "siaga_ingest_lag_seconds"), ("worker", "siaga_broker_held_bytes")):
        told = re.search(rf"^{part} .* metrics on (http://\S+)", first_words[0], re.MULTILINE)
        assert told
        assert name in httpx.get(told[1]).text


def test_a_second_one_on_the_same_folder_is_refused(up: Up) -> None:
    assert up.process
    second = subprocess.run(
        [sys.executable, "-m", "siaga", "up", "--data", str(up.data)],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=PATIENCE_S,
    )  # fmt: skip
    assert second.returncode == 1
    assert f"process {up.process.pid}" in second.stderr
    assert up.content


def test_readings_flow(up: Up) -> None:
    with up.client() as client:
        until(lambda: len(list(client.latest())) == 40, "a reading of every device")
        up.goes_on()
        kinds = {latest.kind for latest in client.latest()}
    assert kinds == {"streetlight", "water_level", "traffic", "cabinet"}


def test_an_alert_opens_and_is_acknowledged(up: Up) -> None:
    with up.client() as client:
        number = until(lambda: [alert.id for alert in client.alerts(state="unacked")], "an alert")[0]

        def acknowledged() -> bool:
            # The alert may change while we look at it; then we look again, as an operator would.
            try:
                client.acknowledge(client.alert(number), "dicek")
            except ApiError as error:
                if error.status != HTTPStatus.PRECONDITION_FAILED:
                    raise
                return False
            return True

        until(acknowledged, "acknowledged")
        alert = client.alert(number)
    assert (alert.acked, alert.comment) == (True, "dicek")
    assert {"raised", "acked"} <= {event.what for event in alert.history}


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_part_is_back_and_readings_go_on(up: Up, part: str) -> None:
    until(up.is_ready, "ready", PATIENCE_S)
    before = up.kill(part)
    until(lambda: not up.is_ready(), f"not ready without {part}")
    until(lambda: up.content["pids"].get(part, before) != before, f"{part} started again", PATIENCE_S)
    until(up.is_ready, f"ready again after {part} was killed", PATIENCE_S)
    up.goes_on()
    assert part in up.said


def test_ctrl_c_stops_all_of_it_and_the_next_run_goes_on_where_it_was(up: Up) -> None:
    up.goes_on()
    before, rows = up.content, up.ask(LAMPS)
    assert up.stop() == 0
    assert up.left == []
    assert not (up.data / "stack.json").exists()
    assert [line.split()[0] for line in up.said.splitlines() if line.split()[1:2] == ["stopped"]] == [
        "simulator", "api", "worker", "ingest", "broker", "database",
    ]  # fmt: skip

    up.start()
    for name in ("api_url", "mqtt_url", "database_url", "admin_key"):
        assert up.content[name] == before[name], name
    with up.client() as client:
        assert client.me().role == "admin"
    assert up.ask(LAMPS) >= rows > 0
    up.goes_on()


def test_killed_itself_it_leaves_nothing_and_starts_again(up: Up) -> None:
    up.goes_on()
    before, rows = up.content, up.ask(LAMPS)
    assert up.process
    up.process.kill()
    up.process.wait(PATIENCE_S)
    until(lambda: up.left == [], "nothing is left")

    up.start()
    assert up.content["api_url"] == before["api_url"]
    assert up.ask(LAMPS) >= rows > 0
    up.goes_on()
