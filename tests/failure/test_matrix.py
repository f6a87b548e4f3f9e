"""Siaga under faults: some of what tests/failure/matrix.py plays for hours; with SIAGA_TEST_WHOLE=1 on each broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.failure.faults import KILLS
from tests.failure.judge import broken
from tests.failure.trial import Load, series
from tests.failure.world import BROKERS, QUICK, World
from tests.whole import only_whole

pytestmark = pytest.mark.slow

# What strikes: every part is killed, each broker too, and that which forgets so that it does. What is the same with
# every broker is tried on one.
RUNS = {
    "nats": (*KILLS, "database-stopped", "network-cut"),
    "mosquitto21": ("ingest-killed", "broker-killed", "database-killed"),
    "mosquitto20": ("ingest-killed", "broker-killed-holding", "database-killed"),
}
EACH_S = 5  # of the time for which devices publish


@pytest.fixture(params=["nats", *(pytest.param(each, marks=only_whole) for each in ("mosquitto21", "mosquitto20"))])
def broker(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(broker: str, tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "world", QUICK if broker == "nats" else BROKERS[broker])
    try:
        made.start()
        yield made
    finally:
        made.close()


def test_faults_leave_what_the_broker_keeps(world: World, broker: str) -> None:
    outcome = series(world, broker, 1, Load(EACH_S * len(RUNS[broker])), RUNS[broker])
    print(outcome)
    assert list(broken(outcome)) == []
    if broker == "mosquitto20":
        assert outcome.lost > outcome.edge, "nothing was lost: that the ledger names it was not tried"
