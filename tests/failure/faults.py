"""What may happen to each part: a fault is done to a world and over when the world is whole again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.failure.world import World

# How long the database is stopped, a cable is out: past SIAGA_INGEST_LET_GO_S (5 s here), and within a keep-alive.
STOPPED_S, CUT_S = 7.0, 5.0
# Until what a broker holds for ingest is more than a moment's.
FILLED_S = 3.0


class Fault(NamedTuple):
    """kills_broker: a broker that forgets may lose what it has acknowledged. times: how often in one run."""

    title: str
    strike: Callable[[World], None]
    kills_broker: bool = False
    times: int = 1


def ingest_killed(world: World) -> None:
    world.kill("ingest")


def worker_killed(world: World) -> None:
    world.kill("worker")


def broker_killed(world: World) -> None:
    world.broker.kill()
    world.broker.start()


def broker_stopped(world: World) -> None:
    world.broker.stop()
    world.broker.start()


def database_killed(world: World) -> None:
    world.database.kill()
    world.database.start()


def database_stopped(world: World) -> None:
    world.database.stop()
    time.sleep(STOPPED_S)
    world.database.start()


def broker_killed_holding(world: World) -> None:
    """What it has acknowledged since the database stopped is nowhere else."""
    world.database.stop()
    time.sleep(FILLED_S)
    broker_killed(world)
    time.sleep(FILLED_S)
    world.database.start()


def ingest_cut_off(world: World) -> None:
    world.to_ingest.cut()
    time.sleep(CUT_S)
    world.to_ingest.mend()


def devices_cut_off(world: World) -> None:
    world.to_devices.cut()
    time.sleep(CUT_S)
    world.to_devices.mend()


FAULTS = {
    "ingest-killed": Fault("ingest killed (kill -9)", ingest_killed, times=2),
    "broker-killed": Fault("broker killed (kill -9)", broker_killed, kills_broker=True, times=2),
    "broker-killed-holding": Fault(
        "broker killed while the database is away", broker_killed_holding, kills_broker=True
    ),
    "broker-stopped": Fault("broker stopped and started", broker_stopped, times=2),
    "database-killed": Fault("database killed (kill -9)", database_killed, times=2),
    "database-stopped": Fault(f"database stopped for {STOPPED_S:.0f} s", database_stopped),
    "worker-killed": Fault("worker killed (kill -9)", worker_killed, times=2),
    "network-cut": Fault(f"network cut between ingest and broker, {CUT_S:.0f} s", ingest_cut_off),
    "devices-offline": Fault(f"devices cut off from the broker, {CUT_S:.0f} s", devices_cut_off),
}
# A storm of these, each as often as the others.
KILLS = ("ingest-killed", "broker-killed", "database-killed", "worker-killed")


def storm(chance: random.Random) -> Iterator[str]:
    """Kills without end: every round has each of them once, in an order of its own."""
    while True:
        yield from chance.sample(KILLS, len(KILLS))
