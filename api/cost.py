"""How much an answer of /metrics has to read, before it is read. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from devices.kind import Kind
from storage.kind_tables import Level
from storage.read_metrics import Slice

LENGTHS: dict[Level, timedelta] = {
    "5m": timedelta(minutes=5), "1h": timedelta(hours=1), "1d": timedelta(days=1),
}  # fmt: skip


def rollup_rows(kind: Kind, devices: int, slices: Sequence[Slice]) -> int:
    """About how many, of devices that send as often as their kind does."""
    return devices * sum(_of_one(kind, part) for part in slices)


def _of_one(kind: Kind, part: Slice) -> int:
    span = part.until - part.since
    if part.but_since is not None and part.but_until is not None:
        span -= part.but_until - part.but_since
    return -(-span // max(LENGTHS[part.rollup], timedelta(seconds=kind.interval_s)))
