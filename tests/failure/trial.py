"""One run: devices publish while faults strike; afterwards every reading is looked for."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from simulator.truth import folder as truths
from tests.failure import account
from tests.failure.faults import FAULTS, storm
from tests.failure.watch import Watch
from tests.failure.world import BROKERS, World

STORM = "storm"
DAY_S = 86_400.0
# Nothing is hurt before the first readings are stored.
CALM_S = 3.0
# Between two kills of a storm; how often the second waits until the world is whole again.
BETWEEN_S, CALMED = (0.5, 3.0), 0.5


class Blow(NamedTuple):
    """How long to wait, what strikes, whether to wait until the world is whole again."""

    wait_s: float
    fault: str
    wait_after: bool = True


class Load(NamedTuple):
    """The day of data-kotor within so many seconds; devices None: its own fleet, 139 with 16,000 readings."""

    seconds: float
    devices: int | None = None

    def arguments(self, seed: int, may_lose: str | None) -> Iterator[str]:
        yield from ("--seed", str(seed), "--speed", f"{DAY_S / self.seconds:g}")
        if self.devices is not None:
            yield from ("--devices", str(self.devices))
        if may_lose is not None:
            yield from ("--may-lose", may_lose)


@dataclass(frozen=True)
class Outcome:
    """What came of a run. readings, lost, named, edge: see Account. doubled: readings or alerts that should not be
    there. again: delivered more than once. pause_s: the longest time in which nothing new was stored. peak_mb: memory
    of ingest. differences: of `siaga verify`."""

    broker: str
    fault: str
    seed: int
    strikes: int
    readings: int
    lost: int
    named: int
    edge: int
    doubled: int
    again: int
    pause_s: float
    peak_mb: float
    differences: list[Any]


def cell(world: World, broker: str, fault: str, seed: int, load: Load) -> Outcome:
    """One kind of fault, as often as it says, spread over the run."""
    times = FAULTS[fault].times
    forgets = BROKERS[broker].forgets if FAULTS[fault].kills_broker else None
    return _run(world, broker, fault, seed, load, forgets, [Blow(load.seconds / (times + 2), fault)] * times)


def ordeal(world: World, broker: str, seed: int, load: Load) -> Outcome:
    """Kills in random order for as long as there are readings."""
    chance = random.Random(f"{broker} {seed}")
    blows = _during(load.seconds - CALM_S, _blows(chance, storm(chance)))
    return _run(world, broker, STORM, seed, load, BROKERS[broker].forgets, blows)


def series(world: World, broker: str, seed: int, load: Load, faults: Collection[str]) -> Outcome:
    """Each of these faults once, in an order of its own, however long that takes."""
    chance = random.Random(f"{broker} {seed}")
    blows = _blows(chance, chance.sample(sorted(faults), len(faults)))
    return _run(world, broker, STORM, seed, load, BROKERS[broker].forgets, blows)


def _blows(chance: random.Random, faults: Iterable[str]) -> Iterator[Blow]:
    for fault in faults:
        yield Blow(chance.uniform(*BETWEEN_S), fault, chance.random() < CALMED)


def _during(seconds: float, blows: Iterable[Blow]) -> Iterator[Blow]:
    """For so long from now."""
    end = time.monotonic() + seconds
    return itertools.takewhile(lambda _: time.monotonic() < end, blows)


def _run(
    world: World, broker: str, fault: str, seed: int, load: Load, forgets: str | None, plan: Iterable[Blow]
) -> Outcome:
    folder = world.folder / f"truth-{seed}"
    playing = world.simulate(folder, *load.arguments(seed, forgets))
    with Watch(world) as watch:
        time.sleep(CALM_S)
        struck = _strike(world, plan)
        said, _ = playing.communicate(timeout=600)
        assert playing.returncode == 0, said
        verified = world.verify(folder)
    return _outcome(world, folder, verified, (broker, fault, seed, struck), watch)


def _strike(world: World, plan: Iterable[Blow]) -> int:
    """How often it was."""
    struck = 0
    for blow in plan:
        time.sleep(blow.wait_s)
        FAULTS[blow.fault].strike(world)
        if blow.wait_after:
            world.until_ready()
        struck += 1
    world.until_ready()
    return struck


def _outcome(
    world: World, folder: Path, verified: dict[str, Any], which: tuple[str, str, int, int], watch: Watch
) -> Outcome:
    truth = truths.read(folder)
    with world.connect() as conn:
        query = "SELECT coalesce(sum(duplicate), 0)::int FROM ledger WHERE device_id = ANY(%s)"
        row = conn.execute(query, [[device.id for device in truth.fleet]]).fetchone()
    assert row is not None
    told = sum(of_kind["duplicate"] for of_kind in verified["readings"])
    return Outcome(
        *which,
        *account.take(world, truth),
        doubled=sum(of_kind["extra"] for of_kind in verified["readings"]) + verified["alerts"]["extra"],
        again=row[0] - told,
        pause_s=round(watch.pause_s, 1),
        peak_mb=round(watch.peak_mb, 1),
        differences=verified["differences"],
    )
