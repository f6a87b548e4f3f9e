"""What travels from the broker to the database: packets in, a batch of columns and quarantine entries out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from devices.kind import Bools, Floats, Kind
from devices.payload import encode
from devices.quality import Quality, Reason
from devices.topics import NATIVE

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


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc(us: int) -> datetime:
    """The time so many microseconds after 1970 UTC."""
    return _EPOCH + timedelta(microseconds=us)


class Packet(NamedTuple):
    """One PUBLISH as it arrived. delivery says to the session that took it what to acknowledge; 0: nothing."""

    topic: str
    payload: bytes
    received_at: datetime
    delivery: int = 0


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
    packet: Sequence[Packet]  # the one each came in
    ts_us: npt.NDArray[np.int64]  # microseconds since 1970 UTC
    received_us: npt.NDArray[np.int64]
    seq: Sequence[int | None]
    boot: Sequence[str | None]
    fw: Sequence[str | None]
    numbers: dict[str, Floats]  # metrics and diagnostics; NaN where absent
    qc: npt.NDArray[np.int16]
    reason: npt.NDArray[np.int32]
    item: Sequence[dict[str, Any]]  # as decoded: ts is an aware datetime or epoch ms

    def __len__(self) -> int:
        return len(self.item)

    def ts(self, row: int) -> datetime:
        return utc(int(self.ts_us[row]))

    def received_at(self, row: int) -> datetime:
        return self.packet[row].received_at

    def payload(self, row: int) -> bytes:
        """What can be published again under the packet's topic to tell this reading."""
        packet = self.packet[row]
        return encode(self.item[row]) if packet.topic.startswith(NATIVE) else packet.payload

    def part(self, rows: slice) -> Readings:
        """Some of the rows."""
        return Readings(
            self.kind, self.device[rows], self.device_id[rows], self.packet[rows], self.ts_us[rows],
            self.received_us[rows], self.seq[rows], self.boot[rows], self.fw[rows],
            {name: column[rows] for name, column in self.numbers.items()}, self.qc[rows], self.reason[rows],
            self.item[rows],
        )  # fmt: skip

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

    def halves(self) -> tuple[Batch, Batch]:
        """Two smaller batches, each row in one of them; rows of one kind stay in order. Needs at least two rows."""
        if len(self.readings) + len(self.quarantined) > 1:
            middle = (len(self.readings) + 1) // 2
            if middle == len(self.readings):  # one kind, and quarantine entries
                return Batch(self.readings, [], 0), Batch([], self.quarantined, 0)
            return Batch(self.readings[:middle], [], 0), Batch(self.readings[middle:], self.quarantined, 0)
        (readings,) = self.readings
        middle = len(readings) // 2
        return Batch([readings.part(slice(middle))], [], 0), Batch([readings.part(slice(middle, None))], [], 0)
