"""A recorded file through MQTT into the database: every distinct reading once, whatever is killed meanwhile."""

from __future__ import annotations

import csv
import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.replay import Row, rows
from simulator.replay_map import read_map
from storage.as_json import time_text
from tests.failure.faults import FAULTS
from tests.failure.recorded import JAKARTA, Recorded, jakarta, made
from tests.failure.world import QUICK, World
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
def world(recorded: Recorded, tmp_path: Path) -> Iterator[World]:  # after what may skip
    world = World(tmp_path / "world", QUICK)
    try:
        world.start()
        yield world
    finally:
        world.close()


def replaying(world: World, recorded: Recorded, speed: str) -> subprocess.Popen[str]:
    return world.siaga("simulate", "--replay", str(recorded.file), "--map", str(recorded.map), "--speed", speed)


def ledger(world: World) -> tuple[int, ...]:
    with world.connect() as conn:
        row = conn.execute(LEDGER).fetchone()
    assert row
    return tuple(row)


def stored(world: World) -> int:
    with world.connect() as conn:
        row = conn.execute(COUNT.encode()).fetchone()
    assert row
    return int(row[0])


def test_kill_9_of_any_part_changes_nothing(world: World, recorded: Recorded) -> None:
    running = replaying(world, recorded, str(recorded.speed))
    try:
        for share, fault in ((0.1, "ingest"), (0.35, "broker"), (0.6, "database"), (0.8, "ingest")):
            until(lambda: stored(world) > share * recorded.distinct, f"{share:.0%} are stored", 300)  # noqa: B023
            assert stored(world) < recorded.distinct, "all is stored before everything was killed"
            FAULTS[f"{fault}-killed"].strike(world)
            world.until_ready()
        said, _ = running.communicate(timeout=300)
    finally:
        running.kill()
    assert running.returncode == 0, said
    until(lambda: stored(world) >= recorded.distinct, "every distinct reading is stored", 120)
    first = until(lambda: settled(world), "nothing more arrives", 120)
    received, kept, duplicate, other = first
    assert stored(world) == kept == recorded.distinct
    assert (received, other) == (kept + duplicate, 0)
    # What was delivered again after a kill is counted on top of what the file holds twice.
    assert duplicate >= recorded.rows - recorded.distinct
    if recorded.labelled:
        assert agreeing_labels(world.stack, recorded) == (recorded.labelled, recorded.labelled)
    every_row_again_is_a_duplicate(world, recorded, first)


def every_row_again_is_a_duplicate(world: World, recorded: Recorded, first: tuple[int, ...]) -> None:
    said, _ = (running := replaying(world, recorded, "max")).communicate(timeout=300)
    assert running.returncode == 0, said
    until(lambda: ledger(world)[0] >= first[0] + recorded.rows, "every packet is accounted for", 120)
    received, kept, duplicate, other = first
    now = ledger(world)
    again = now[0] - received  # more than was sent where the broker did not wait long enough for us to acknowledge
    assert again >= recorded.rows
    assert now == (received + again, kept, duplicate + again, other)
    assert stored(world) == recorded.distinct


def settled(world: World) -> tuple[int, ...] | None:
    """The ledger, once a redelivery (3 s after a reconnect at the latest) is over."""
    before = ledger(world)
    with pytest.raises(AssertionError, match="not within"):
        until(lambda: ledger(world) != before, "something arrives", 5, poll_s=1)
    return before if ledger(world) == before else None


def agreeing_labels(stack: Stack, recorded: Recorded) -> tuple[int, int]:
    """Distinct readings of gauges with bounds, and how many of them have the siaga level of the official label."""
    with stack.client() as client:
        gauges = [device for device in client.devices() if "siaga_3_m" in device.attributes]
        found: dict[tuple[str, str], str] = {}
        for gauge in gauges:
            file = io.BytesIO()
            client.csv("/readings", file, device=gauge.id, **{"from": "2019-12-01T00:00:00Z"})
            rows = csv.DictReader(io.StringIO(file.getvalue().decode(), newline=""))
            found |= {(gauge.name or "", row["ts"]): row["siaga"] for row in rows}
    official = official_labels(recorded, {gauge.name or "" for gauge in gauges})
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
