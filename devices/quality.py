"""Quality of a reading: one QARTOD code, a mask of reasons, and the checks over time that a metric may declare.

docs/quality.md says what each check does, which defaults each kind has, and where they come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from math import inf


class Quality(IntEnum):
    """IOOS QARTOD primary flags. 3 and 4 are stored but kept out of aggregates and alerts."""

    GOOD = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


class Reason(IntFlag):
    """Why a reading has its code. LATE and RESTLESS say nothing about the value and change no code: it came after the
    live window; the device has switched too often."""

    RANGE = 1
    SPIKE = 2
    RATE = 4
    FLAT = 8
    CROSS_FIELD = 16
    TIME = 32
    LATE = 64
    SENTINEL = 128
    MANUAL = 256
    RESTLESS = 512


# Those that depend on the readings before, and so on the order of arrival.
OVER_TIME = Reason.SPIKE | Reason.RATE | Reason.FLAT | Reason.RESTLESS


@dataclass(frozen=True, slots=True)
class Change:
    """QARTOD rate of change and spike: a value too far from the last accepted one is suspect until confirmed.

    Too far is more than max(least, per_s * seconds between them), in the metric's unit; a spike is more than `spike`
    as well. It is accepted, and becomes what the next is compared with, once `confirm` readings in a row are too far
    on the same side: so a real jump costs confirm - 1 readings, and nothing that goes on is ever held back. per_s is
    multiplied by the device's attribute `per`, where one is named; without that attribute nothing is checked.
    rises_only: of a counter, which may begin anew.
    """

    per_s: float
    least: float
    spike: float = inf
    confirm: int = 2
    per: str | None = None
    rises_only: bool = False


@dataclass(frozen=True, slots=True)
class Flat:
    """QARTOD flat line: all values of at least suspect_s lie within `tolerance` (metric's unit), and of fail_s.

    A run has at least `samples` readings, and no gap in which the device is not heard for suspect_s. Values that are
    not above `above` are never part of one: nobody expects noise on mains that are off. A device whose attribute
    `step`, where one is named, is coarser than the tolerance is not asked: it cannot show noise.
    """

    tolerance: float
    suspect_s: float
    fail_s: float
    samples: int = 6
    above: float = -inf
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Restless:
    """A counter that has risen by `rise` within within_s: the device does too often what it counts.

    Between two readings nobody knows when it rose, so the whole time between them must lie within. A counter that
    begins anew has not risen.
    """

    rise: int
    within_s: float


# 1.001 - 1.000 is a little more than 0.001 in binary.
ROUNDING = 1e-9
