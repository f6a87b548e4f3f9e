"""When devices report: each at its own interval and phase, spread evenly so that no second holds a burst.

Times are whole milliseconds, and a device's k-th report since 1970 has the same time in every run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

# The pace of real devices, s.
FIELD_PACE_S = {"streetlight": 900.0, "water_level": 600.0, "traffic": 300.0, "cabinet": 300.0}
# Demo pace: far faster, so that a dashboard moves.
LAMP_S, GAUGE_S, DETECTOR_S, CABINET_S = 8.0, 10.0, 30.0, 30.0
LAMPS_AT_DEMO_PACE = 1_200  # more lamps report less often, down to
LAMP_SLOWEST_S = 60.0
# Under this a detector's count is so small that flow per hour says nothing.
DETECTOR_FASTEST_S = 5.0
SLOWEST_S = 86_400.0  # the longest period a detector may count over
GOLDEN = 0.6180339887498949


class RateError(ValueError):
    """The rate asked for cannot be reached with these devices."""


class Schedule(NamedTuple):
    """Report k of device i is at phase_ms[i] + k * interval_ms[i]."""

    interval_ms: Ints
    phase_ms: Ints

    @property
    def rate(self) -> float:
        """Messages a second of all devices together."""
        return float((1000 / self.interval_ms).sum())

    def first(self, t_ms: int) -> Ints:
        """Number of each device's first report at or after t_ms."""
        return _ceil(t_ms - self.phase_ms, self.interval_ms)

    def between(self, t0_ms: int, t1_ms: int) -> tuple[Ints, Ints]:
        """Devices and report numbers in [t0_ms, t1_ms), by device."""
        first = self.first(t0_ms)
        count = self.first(t1_ms) - first
        device = np.repeat(np.arange(len(count)), count)
        begin = np.repeat(np.cumsum(count) - count, count)
        return device, first[device] + np.arange(len(device)) - begin


def schedule(kinds: Sequence[str], rate: float | None, seconds: Mapping[str, float] | None = None) -> Schedule:
    """The demo pace, that of `seconds` by kind, or one scaled to `rate` messages a second in all.

    Raises RateError when the rate cannot be reached.
    """
    lamps = kinds.count("streetlight")
    lamp_s = min(max(LAMP_S, LAMP_S * lamps / LAMPS_AT_DEMO_PACE), LAMP_SLOWEST_S)
    pace = {"streetlight": lamp_s, "water_level": GAUGE_S, "traffic": DETECTOR_S, "cabinet": CABINET_S}
    pace |= dict(seconds or {})
    interval = np.array([pace[kind] for kind in kinds])
    if rate is not None:
        if not 0 < rate < float("inf"):
            raise RateError(f"--rate {rate:g}: must be above 0 messages a second")
        detector = np.array([kind == "traffic" for kind in kinds])
        interval = interval * (1 / interval).sum() / rate
        interval[detector] = np.maximum(interval[detector], DETECTOR_FASTEST_S)
        left = rate - (1 / interval[detector]).sum()
        if not detector.all():
            interval[~detector] *= (1 / interval[~detector]).sum() / left
        if interval.min() < 0.001:
            raise RateError(f"--rate {rate:g}: too fast for {len(kinds)} devices, each reports once a ms at most")
        if interval.max() > SLOWEST_S:
            raise RateError(f"--rate {rate:g}: too slow for {len(kinds)} devices, each reports once a day at least")
    interval_ms = np.maximum(np.round(interval * 1000), 1).astype(np.int64)
    # Multiples of the golden ratio fall evenly into [0, 1) whatever their number.
    phase_ms = (np.arange(len(kinds)) * GOLDEN % 1 * interval_ms).astype(np.int64)
    return Schedule(interval_ms, phase_ms)


def _ceil(a: Ints, b: Ints) -> Ints:
    return np.asarray(-(-a // b), dtype=np.int64)
