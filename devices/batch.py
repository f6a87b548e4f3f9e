"""What travels from the broker to the database: packets in, a batch of columns and quarantine entries out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from devices.kind import Bools, Floats, Kind
from devices.quality import Quality, Reason

QuarantineReason = Literal[
    "unknown_device",
    "malformed",
    "future_timestamp",
    "too_old",
    "conflict",
    "identity_mismatch",
    "too_large",
    "storage",
]


class Packet(NamedTuple):
    """One PUBLISH as it arrived."""

    topic: str
    payload: bytes
    received_at: datetime


class Quarantined(NamedTuple):
    """What could not become a reading. hour_of is the time its ledger line is for; skew_s is ts - received_at."""

    reason: QuarantineReason
    device_id: str
    topic: str
    payload: bytes
    detail: str
    received_at: datetime
    hour_of: datetime
    skew_s: float | None = None


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings of one kind as columns, in order of arrival; all have the same length."""

    kind: Kind
    device: npt.NDArray[np.int64]  # number in the fleet
    device_id: Sequence[str]
    topic: Sequence[str]
    ts: Sequence[datetime]
    ts_us: npt.NDArray[np.int64]  # microseconds since 1970 UTC
    received_at: Sequence[datetime]
    seq: Sequence[int | None]
    boot: Sequence[str | None]
    fw: Sequence[str | None]
    numbers: dict[str, Floats]  # metrics and diagnostics; NaN where absent
    qc: npt.NDArray[np.int16]
    reason: npt.NDArray[np.int32]
    item: Sequence[dict[str, Any]]  # as decoded, for quarantine

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def late(self) -> Bools:
        return np.asarray(self.reason & Reason.LATE, dtype=np.bool_)

    @property
    def trusted(self) -> Bools:
        """Rows that alerts may be decided on."""
        return np.asarray(self.qc <= Quality.NOT_EVALUATED, dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything one transaction will hold, before the database is asked what it has already."""

    readings: Sequence[Readings]
    quarantined: Sequence[Quarantined]
    unknown_fields: int

    @property
    def size(self) -> int:
        return sum(len(r) for r in self.readings) + len(self.quarantined)
