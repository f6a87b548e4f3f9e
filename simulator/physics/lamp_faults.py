"""What is wrong with lamps: faults they have had since before the run, and failures that come and go at set times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from devices.kind import Floats
from simulator.noise import uniform

Ints = npt.NDArray[np.int64]


class Fault(IntEnum):
    """Names after uCIFI (OMA LwM2M object 3416)."""

    NONE = 0
    DRIVER = 1  # dark at night, controller and mains alive
    DAY_BURNER = 2  # relay welded: lit at full power around the clock
    LOW_VOLTAGE = 3  # at the far end of a weak feeder
    UNPOWERED = 4  # no mains at the feeder or panel: all zero, counters stand still
    PARTIAL = 5  # one LED string dead
    CYCLING = 6  # relay chatters through the night
    HIGH_POWER = 7  # somebody else's load on the lamp's terminals, or a lamp too large
    LOW_POWER_FACTOR = 8  # capacitor dead: the power is there, the current is not in step


STANDING = (Fault.DRIVER, Fault.LOW_VOLTAGE, Fault.DAY_BURNER)


class Failure(NamedTuple):
    """lamp: its index among the lamps. since, until: epoch s, half-open."""

    lamp: int
    fault: Fault
    since: float
    until: float


class Round(NamedTuple):
    """At most one failure of each lamp. of_lamp: index into the other columns, -1 for none."""

    of_lamp: Ints
    fault: Ints
    since: Floats
    until: Floats


def standing(position: Floats, seed: int, share: float) -> Ints:
    """A fault for this share of lamps, STANDING in turn; low voltage only at ends of feeders (position above 0.9)."""
    fault = np.zeros(len(position), dtype=np.int64)
    order = np.argsort(uniform(seed, "lamp/fault", np.arange(len(position))))
    count = round(share * len(position)) or int(share > 0 and len(position) >= 10)
    ends = [int(i) for i in order if position[i] > 0.9]
    others = [int(i) for i in order if position[i] <= 0.9]
    for k in range(count):
        kind = STANDING[k % len(STANDING)]
        pool = ends if kind is Fault.LOW_VOLTAGE else others
        if pool:
            fault[pool.pop(0)] = kind
    return fault


def rounds(failures: Sequence[Failure], lamps: int) -> tuple[Round, ...]:
    """Failures as columns, the k-th of every lamp in round k.

    Raises ValueError naming the lamp for one of a lamp that is not there, one that ends before it begins, or overlap.
    """
    of: dict[int, list[Failure]] = {}
    for failure in sorted(failures, key=lambda f: (f.lamp, f.since)):
        of.setdefault(failure.lamp, []).append(failure)
    for lamp, listed in of.items():
        _check(lamp, listed, lamps)
    return tuple(_rounds(list(of.values()), lamps))


def _check(lamp: int, listed: list[Failure], lamps: int) -> None:
    if not 0 <= lamp < lamps:
        raise ValueError(f"failure of lamp {lamp}: lamps are numbered 0 to {lamps - 1}")
    for failure in listed:
        if not failure.since < failure.until:
            raise ValueError(f"failure of lamp {lamp}: until {failure.until} must be after since {failure.since}")
    for one, following in pairwise(listed):
        if following.since < one.until:
            raise ValueError(f"failures of lamp {lamp} overlap: until {one.until}, since {following.since}")


def _rounds(of_lamps: list[list[Failure]], lamps: int) -> Iterator[Round]:
    for k in range(max(map(len, of_lamps), default=0)):
        listed = [failures[k] for failures in of_lamps if len(failures) > k]
        of_lamp = np.full(lamps, -1, dtype=np.int64)
        of_lamp[[f.lamp for f in listed]] = np.arange(len(listed))
        fault = np.array([f.fault for f in listed], dtype=np.int64)
        yield Round(of_lamp, fault, np.array([f.since for f in listed]), np.array([f.until for f in listed]))
