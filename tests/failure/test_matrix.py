"""Siaga under faults: half a minute of the ten that tests/failure/matrix.py plays, and some cells of its table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.failure.judge import broken
from tests.failure.trial import Load, cell, ordeal
from tests.failure.world import BROKERS, World

pytestmark = pytest.mark.slow

# Those that the storm does not have, one broker each; and the one in which a broker that forgets does so.
CELLS = [
    ("nats", "database-stopped"),
    ("nats", "network-cut"),
    ("mosquitto20", "broker-killed-holding"),
]


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "world", BROKERS[request.param])
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.mark.parametrize(
    ("world", "broker"), [(each, each) for each in ("nats", "mosquitto21", "mosquitto20")], indirect=["world"]
)
def test_kills_in_random_order_leave_the_truth(world: World, broker: str) -> None:
    outcome = ordeal(world, broker, 1, Load(seconds=30))
    print(outcome)
    assert list(broken(outcome)) == []
    assert outcome.strikes >= 4, "each part was killed"


@pytest.mark.parametrize(("world", "broker", "fault"), [(b, b, f) for b, f in CELLS], indirect=["world"])
def test_a_fault_leaves_what_the_broker_keeps(world: World, broker: str, fault: str) -> None:
    outcome = cell(world, broker, fault, 1, Load(seconds=20))
    print(outcome)
    assert list(broken(outcome)) == []
    if broker == "mosquitto20":
        assert outcome.lost > outcome.edge, "nothing was lost: that the ledger names it was not tried"
