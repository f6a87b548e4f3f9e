"""What a device has measured and will tell: items, made of the city's blocks after sensors and clocks had their say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from devices.device import Device
from devices.kind import Floats
from devices.kinds import KINDS
from devices.quality import Quality, Reason


@dataclass(slots=True)
class Item:
    """One reading as a device tells it. at_ms: when it was measured; ts_ms: when it says so; fields: on the wire.

    values is what must be stored of it, qc and reason are what its own fields give; unreadable: the server cannot
    decode it.
    """

    device: int  # index in the fleet
    at_ms: int
    ts_ms: int
    seq: int
    boot: str
    fields: dict[str, Any]
    faults: list[str] = field(default_factory=list)
    values: dict[str, float | None] = field(default_factory=dict)
    qc: int = int(Quality.GOOD)
    reason: int = 0
    unreadable: bool = False


def foresee(kind_name: str, items: list[Item], fleet: tuple[Device, ...]) -> None:
    """Set values, qc and reason of readable items of one kind: what a server that keeps the rules makes of each alone.

    From the declaration of the kind: what it derives, its hard ranges, what its neighbours rule out or make doubtful.
    """
    kind = KINDS[kind_name]
    readable = [item for item in items if not item.unreadable]
    numbers: dict[str, Floats] = {
        name: np.array([item.fields.get(name) for item in readable], dtype=np.float64) for name in kind.numbers
    }
    failed = np.zeros(len(readable), dtype=np.bool_)
    attributes: dict[str, Floats] = {}

    def attribute(name: str) -> Floats:
        if name not in attributes:
            told = [fleet[item.device].attributes.get(name) for item in readable]
            attributes[name] = np.array(told, dtype=np.float64)
        return attributes[name]

    with np.errstate(all="ignore"):
        for name, derived in kind.derive(numbers, attribute).items():
            failed |= np.isinf(derived)
            numbers[name] = np.where(np.isinf(derived), np.nan, derived)
        for beyond in kind.impossible(numbers).values():
            failed |= beyond
    present = np.zeros(len(readable), dtype=np.bool_)
    for name, metric in kind.metrics.items():
        present |= ~np.isnan(numbers[name])
        failed |= (numbers[name] < metric.low) | (numbers[name] > metric.high)
    doubtful = np.zeros(len(readable), dtype=np.bool_)
    with np.errstate(all="ignore"):
        for rows in kind.doubtful(numbers, attribute).values():
            doubtful |= rows
    alone = np.where(present, np.where(doubtful, Quality.SUSPECT, Quality.GOOD), Quality.MISSING)
    qc = np.where(failed, Quality.FAIL, alone).tolist()
    reason = (failed * Reason.RANGE + doubtful * Reason.CROSS_FIELD).tolist()
    columns = [[None if v != v else v for v in numbers[name].tolist()] for name in kind.metrics]
    for row, item in enumerate(readable):
        item.qc, item.reason = qc[row], reason[row]
        item.values = {name: column[row] for name, column in zip(kind.metrics, columns, strict=True)}
