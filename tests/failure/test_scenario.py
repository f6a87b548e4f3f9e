"""A scenario under kill -9: the truth, and nothing else, is what comes out; and what a broker forgot is told apart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator.truth import folder as truth
from tests.servers import Mosquitto
from tests.stack import ROOT, Stack, until

pytestmark = pytest.mark.slow

STORED = (
    "SELECT (SELECT count(*) FROM reading_streetlight) + (SELECT count(*) FROM reading_traffic)"
    " + (SELECT count(*) FROM reading_water_level)"
)
# Six hours of 60 devices, a report a minute, at 900 messages a second: half a minute.
DEVICES, HOURS, SPEED = 60, 6, 900
READINGS = DEVICES * HOURS * 60
PLAY = ("simulate", "--scenario", "banjir-data", "--devices", str(DEVICES), "--speed", str(SPEED), "--truth")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path / "data", "--no-simulator")
    stack.start()
    yield stack
    assert stack.stop() == 0


def started(stack: Stack, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", "siaga", *arguments]
    env = {**os.environ, **stack.env, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def stored(stack: Stack) -> int:
    with stack.connect() as conn:
        row = conn.execute(STORED.encode()).fetchone()
    assert row
    return int(row[0])


def verified(stack: Stack, folder: Path) -> dict[str, Any]:
    verifying = started(stack, "verify", "--truth", str(folder), "--patience", "20", "--json")
    said, _ = verifying.communicate(timeout=300)
    answer: dict[str, Any] = json.loads(said[said.index("{") :])
    assert answer["clean"], answer
    return answer


def test_kill_9_of_any_part_leaves_the_truth(stack: Stack, tmp_path: Path) -> None:
    playing = started(stack, *PLAY, str(tmp_path / "truth"))
    try:
        for share, part in ((0.1, "ingest"), (0.3, "broker"), (0.55, "database"), (0.75, "worker")):
            until(lambda: stored(stack) > share * READINGS, f"{share:.0%} are stored", 300)  # noqa: B023
            assert stored(stack) < READINGS, "all is stored before everything was killed"
            was = stack.kill(part)
            until(lambda: stack.content["pids"].get(part, was) != was, f"{part} is started again")  # noqa: B023
            until(stack.is_ready, f"all parts are up again after {part}", 120)
        said, _ = playing.communicate(timeout=300)
    finally:
        playing.kill()
    assert playing.returncode == 0, said
    assert truth.read(tmp_path / "truth").unsure == {}
    verified(stack, tmp_path / "truth")


def test_what_a_forgetful_broker_may_have_lost_is_named(tmp_path: Path) -> None:
    """Mosquitto 2.0 writes its store down every 5 s: killed, it forgets what it acknowledged since."""
    mosquitto = Mosquitto(tmp_path / "mosquitto")
    mosquitto.start()
    stack = Stack(tmp_path / "data", "--no-simulator", settings={"SIAGA_MQTT_URL": mosquitto.url})
    try:
        stack.start()
        playing = started(stack, *PLAY, str(tmp_path / "truth"), "--may-lose", "6s")
        until(lambda: stored(stack) > 0.2 * READINGS, "a fifth is stored", 300)
        mosquitto.kill()
        mosquitto.start()
        said, _ = playing.communicate(timeout=300)
        assert playing.returncode == 0, said
        unsure = truth.read(tmp_path / "truth").unsure
        assert 0 < len(unsure) < READINGS / 2
        verified(stack, tmp_path / "truth")
        assert stack.stop() == 0
    finally:
        stack.close()
        mosquitto.stop()
