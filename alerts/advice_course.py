"""The level that a rule was at on one device over time, as a replay of its readings tells it. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from alerts.engine import Transition
from devices.kind import Floats

Levels = npt.NDArray[np.int8]


@dataclass
class Course:
    """The level in force after each transition that people were shown; NONE where there is no alert.

    Nine bytes a transition: of a signal that chatters for a month there are ten of these at once.
    """

    NONE = -1
    _times: array[float] = field(default_factory=lambda: array("d"))
    _levels: array[int] = field(default_factory=lambda: array("b"))

    def add(self, transitions: Iterable[Transition]) -> None:
        for each in transitions:
            if not each.historical:
                self._times.append(each.event_at.timestamp())
                self._levels.append(self.NONE if each.what == "cleared" else each.to_severity or 0)

    def __len__(self) -> int:
        return len(self._times)

    @property
    def times(self) -> Floats:
        """Rising: a silence is found later than the reading that ends it was taken."""
        return np.maximum.accumulate(np.array(self._times, dtype=np.float64))

    @property
    def levels(self) -> Levels:
        return np.array(self._levels, dtype=np.int8)

    def spans(self, severity: int, until: float) -> tuple[Floats, Floats]:
        """From when to when it was at least so severe; 0: all alerts."""
        reached = np.concatenate([[False], self.levels >= severity, [False]])
        times = np.append(self.times, until)
        edges = np.flatnonzero(reached[1:] != reached[:-1])
        return times[edges[::2]], times[edges[1::2]]
