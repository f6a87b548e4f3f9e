"""What the checks over time remember of each device: a row of numbers, laid out by what its kind declares.

Changes only by `apply`, after the commit that stored the same row with the device's latest reading.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from devices.fleet import Fleet
from devices.kind import Floats, Kind
from devices.quality import Change, Flat, Restless

NEWEST = 0  # the first cell: ts of the newest reading that arrived, µs since 1970
NOBODY, NOTHING = -1, -2  # layouts that no kind has: of a row, of a kind that was never kept
NAN = float("nan")
Check = Change | Flat | Restless
AS_STORED = np.dtype("<f8")

Ints = npt.NDArray[np.int64]


class Placed(NamedTuple):
    """A check of a metric, with its cells [first, beyond)."""

    metric: str
    check: Check
    first: int
    beyond: int


class Learnt(NamedTuple):
    """What is to be remembered of some devices (numbers in the fleet, ascending): a row of cells each."""

    kind: Kind
    device: Ints
    cells: Floats

    def stored(self, device: Ints) -> npt.NDArray[np.uint8]:
        """The rows of some of the devices as the database keeps them: bytes, a row each."""
        rows = np.ascontiguousarray(self.cells[np.searchsorted(self.device, device)], dtype=AS_STORED)
        return rows.view(np.uint8)


@cache
def checks_of(kind: Kind) -> tuple[Placed, ...]:
    """The checks over time that a kind declares."""
    found, first = [], NEWEST + 1
    for name, metric in kind.metrics.items():
        for check in (metric.change, metric.flat, metric.restless):
            if check is not None:
                beyond = first + len(_blank(check))
                found.append(Placed(name, check, first, beyond))
                first = beyond
    return tuple(found)


@cache
def blank(kind: Kind) -> Floats:
    """The cells of a device that has not been heard."""
    return np.array([NAN, *(cell for placed in checks_of(kind) for cell in _blank(placed.check))])


def _blank(check: Check) -> tuple[float, ...]:
    """What a check knows at first. A Change keeps the accepted value, its time, how many are too far; a Flat lowest,
    highest, begin, length of its run; a Restless the last value, its time, since when it rose the last times."""
    match check:
        case Change():
            return NAN, NAN, 0.0
        case Flat():
            return NAN, NAN, NAN, 0.0
        case Restless():
            return (NAN,) * (2 + check.rise)


class Memory:
    """Rows of cells by device number."""

    def __init__(self) -> None:
        self._cells: Floats = np.empty((0, 0))
        self._kind: npt.NDArray[np.int16] = np.empty(0, dtype=np.int16)  # whose layout the row has
        self._numbers: dict[str, int] = {}

    def fit(self, fleet: Fleet) -> None:
        """Make room for devices that joined the fleet."""
        self._grow(len(fleet), self._cells.shape[1])

    def recall(self, kind: Kind, devices: Ints) -> Floats:
        """What is known of these devices: a copy, a column each. Blank where a row is of another kind."""
        width = len(blank(kind))
        if self._cells.shape[1] < width:
            return np.tile(blank(kind)[:, None], len(devices))
        cells = self._cells[devices, :width].T.copy()
        strange = self._kind[devices] != self._numbers.get(kind.name, NOTHING)
        cells[:, strange] = blank(kind)[:, None]
        return cells

    def apply(self, learnt: Iterable[Learnt]) -> None:
        """Take over what has been committed."""
        for kind, device, cells in learnt:
            self._grow(len(self._kind), cells.shape[1])
            self._cells[device, : cells.shape[1]] = cells
            self._kind[device] = self._numbers.setdefault(kind.name, len(self._numbers))

    def restore(self, kind: Kind, fleet: Fleet, stored: Iterable[tuple[str, bytes | None]]) -> None:
        """Take over what the database keeps, by device id. Rows of another layout are as good as none."""
        size = len(blank(kind)) * AS_STORED.itemsize
        number = fleet.number
        found = [
            (number[device_id], row) for device_id, row in stored if row and len(row) == size and device_id in number
        ]
        devices = np.array([device for device, _ in found], dtype=np.int64)
        cells = np.frombuffer(b"".join(row for _, row in found), dtype=AS_STORED).astype(np.float64)
        self.apply([Learnt(kind, devices, cells.reshape(len(found), -1) if found else np.empty((0, len(blank(kind)))))])

    def _grow(self, count: int, width: int) -> None:
        rows, columns = self._cells.shape
        if count <= rows and width <= columns:
            return
        cells = np.full((max(count, rows), max(width, columns)), NAN)
        cells[:rows, :columns] = self._cells
        kind = np.full(len(cells), NOBODY, dtype=np.int16)
        kind[:rows] = self._kind
        self._cells, self._kind = cells, kind
