"""A recorded file through MQTT into the database: every distinct reading once, whatever is killed meanwhile."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.replay import Row, rows
from simulator.replay_map import read_map
from storage.as_json import time_text
from tests.failure.recorded import JAKARTA, ROOT, Recorded, jakarta, made
from tests.stack import Stack, until

pytestmark = pytest.mark.slow

COUNT = "SELECT count(*) FROM reading_water_level"
LEDGER = (
    "SELECT coalesce(sum(received), 0)::int, coalesce(sum(stored), 0)::int, coalesce(sum(duplicate), 0)::int,"
    " coalesce(sum(conflict + quarantined), 0)::int FROM ledger"
)


@pytest.fixture(params=["made", "jakarta"])
def recorded(request: pytest.FixtureRequest, tmp_path: Path) -> Recorded:
    found = made(tmp_path) if request.param == "made" else jakarta()
    if found is None:
        pytest.skip(f"{JAKARTA} does not name the recorded file of Jakarta's river gauges")
    return found


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path / "data", "--no-simulator")
    stack.start()
    yield stack
    assert stack.stop() == 0


def replaying(stack: Stack, recorded: Recorded, speed: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable, "-m", "siaga", "simulate",
            "--replay", str(recorded.file), "--map", str(recorded.map), "--speed", speed,
        ],
        cwd=ROOT, env={**os.environ, **stack.env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def ledger(stack: Stack) -> tuple[int, ...]:
    with stack.connect() as conn:
        row = conn.execute(LEDGER).fetchone()
    assert row
    return tuple(row)


def stored(stack: Stack) -> int:
    with stack.connect() as conn:
        row = conn.execute(COUNT.encode()).fetchone()
    assert row
    return int(row[0])


def test_every_row_is_a_reading_or_a_duplicate(stack: Stack, recorded: Recorded) -> None:
    said, _ = (running := replaying(stack, recorded, "max")).communicate(timeout=300)
    assert running.returncode == 0, said
    until(lambda: ledger(stack)[0] >= recorded.rows, "every packet is accounted for", 120)
    assert ledger(stack) == (recorded.rows, recorded.distinct, recorded.rows - recorded.distinct, 0)
    assert stored(stack) == recorded.distinct
    if recorded.labelled:
        assert agreeing_labels(stack, recorded) == (recorded.labelled, recorded.labelled)


def test_kill_9_of_any_part_changes_nothing(stack: Stack, recorded: Recorded) -> None:
    running = replaying(stack, recorded, str(recorded.speed))
    try:
        for share, part in ((0.1, "ingest"), (0.35, "broker"), (0.6, "database"), (0.8, "ingest")):
            until(lambda: stored(stack) > share * recorded.distinct, f"{share:.0%} are stored", 300)  # noqa: B023
            assert stored(stack) < recorded.distinct, "all is stored before everything was killed"
            was = stack.kill(part)
            until(lambda: stack.content["pids"].get(part, was) != was, f"{part} is started again")  # noqa: B023
            until(stack.is_ready, f"all parts are up again after {part}", 120)
        said, _ = running.communicate(timeout=300)
    finally:
        running.kill()
    assert running.returncode == 0, said
    until(lambda: stored(stack) >= recorded.distinct, "every distinct reading is stored", 120)
    received, kept, duplicate, other = until(lambda: settled(stack), "nothing more arrives", 120)
    assert stored(stack) == kept == recorded.distinct
    assert (received, other) == (kept + duplicate, 0)
    # What was delivered again after a kill is counted on top of what the file holds twice.
    assert duplicate >= recorded.rows - recorded.distinct


def settled(stack: Stack) -> tuple[int, ...] | None:
    """The ledger, once a redelivery (15 s after a reconnect at the latest) is over."""
    before = ledger(stack)
    with pytest.raises(AssertionError, match="not within"):
        until(lambda: ledger(stack) != before, "something arrives", 17, poll_s=1)
    return before if ledger(stack) == before else None


def agreeing_labels(stack: Stack, recorded: Recorded) -> tuple[int, int]:
    """Distinct readings of gauges with bounds, and how many of them have the siaga level of the official label."""
    with stack.client() as client:
        gauges = [d for d in client.get("/api/v1/devices").json()["items"] if "siaga_3_m" in d["attributes"]]
        found: dict[tuple[str, str], str] = {}
        for gauge in gauges:
            text = client.get(
                "/api/v1/readings", params={"device": gauge["id"], "from": "2019-12-01T00:00:00Z", "format": "csv"}
            ).text
            found |= {(gauge["name"], row["ts"]): row["siaga"] for row in csv.DictReader(io.StringIO(text, newline=""))}
    official = official_labels(recorded, {gauge["name"] for gauge in gauges})
    assert official.keys() == found.keys()
    return len(found), sum(found[key] == official[key] for key in found)


def official_labels(recorded: Recorded, names: set[str]) -> dict[tuple[str, str], str]:
    """(name, ts) → the digit of the first row's label, as the first row is what is stored."""
    plan = read_map(recorded.map)
    listed = {device.id: device.name for device in plan.devices}
    with recorded.file.open(encoding="utf-8-sig", newline="") as file:
        labels = [row["status_siaga"].strip() for row in csv.DictReader(file)]
    found: dict[tuple[str, str], str] = {}
    for row, label in zip(rows(recorded.file, plan), labels, strict=True):
        assert isinstance(row, Row)
        name = listed.get(row.device_id)
        if name in names:
            digit = "4" if label.endswith("Normal") else label[-1]
            found.setdefault((name, time_text(row.ts)), digit)
    return found
