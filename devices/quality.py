"""Quality of a reading: one QARTOD code and a mask of reasons."""

from __future__ import annotations

from enum import IntEnum, IntFlag


class Quality(IntEnum):
    """IOOS QARTOD primary flags. 4 is stored but kept out of aggregates and alerts."""

    GOOD = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


class Reason(IntFlag):
    """Why a reading has its code. LATE says nothing about the value: it came after the live window."""

    RANGE = 1
    SPIKE = 2
    RATE = 4
    FLAT = 8
    CROSS_FIELD = 16
    TIME = 32
    LATE = 64
    SENTINEL = 128
    MANUAL = 256
