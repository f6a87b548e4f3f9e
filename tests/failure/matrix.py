"""Siaga under faults, on every broker: ten minutes of random kills, and the table of docs/reliability.md.

python -m tests.failure.matrix --minutes 10 --seed 1          kills in random order, once each broker
python -m tests.failure.matrix --table                        every fault on every broker, written to docs/ (25 min)
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.failure import table
from tests.failure.faults import FAULTS
from tests.failure.judge import broken
from tests.failure.trial import Load, Outcome, cell, ordeal
from tests.failure.world import BROKERS, World

# Readings a device sends in the day of data-kotor, and how many a second there should be.
OF_A_DEVICE, RATE = 118, 300
CELL = Load(seconds=25)


@contextmanager
def world(broker: str) -> Iterator[World]:
    """A fresh one, running; its folder is kept where something went wrong."""
    made = World(Path(tempfile.mkdtemp(prefix=f"siaga-{broker}-")), BROKERS[broker])
    try:
        made.start()
        yield made
    finally:
        made.close()
    shutil.rmtree(made.folder)


def storms(brokers: list[str], minutes: float, seed: int) -> Iterator[Outcome]:
    """The random kills."""
    load = Load(minutes * 60, round(RATE * 60 * minutes / OF_A_DEVICE))
    for broker in brokers:
        with world(broker) as made:
            yield ordeal(made, broker, seed, load)


def grid(brokers: list[str], faults: list[str], seed: int) -> Iterator[Outcome]:
    """Every fault on every broker. Each run has devices of its own, which its seed names."""
    for broker in brokers:
        with world(broker) as made:
            for number, fault in enumerate(faults):
                yield cell(made, broker, fault, seed + number, CELL)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.failure.matrix", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of random kills, each broker")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--brokers", nargs="+", choices=BROKERS, default=[*BROKERS])
    parser.add_argument("--table", action="store_true", help="every fault by itself instead; writes docs/reliability.*")
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=[*FAULTS], help="of --table")
    asked = parser.parse_args()
    if asked.table:
        runs = grid(asked.brokers, asked.faults, asked.seed)
    else:
        runs = storms(asked.brokers, asked.minutes, asked.seed)
    outcomes, wrong = [], 0
    for outcome in runs:
        outcomes.append(outcome)
        print(outcome, flush=True)
        for complaint in broken(outcome):
            wrong += 1
            print(f"  NOT KEPT: {complaint}", flush=True)
    if asked.table and not wrong:
        table.write(outcomes)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
