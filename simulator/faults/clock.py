"""Faults of a device's clock and memory: when it says it measured, and as which boot."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from simulator.faults.fault import Fault, Ints, Scope


class ClockSkew(Fault):
    """The clock is wrong by offset_s, by a share of its own (normal, spread_s) and by drift_ppm more and more.

    offset_s = 25200 is local time told as UTC: WIB is seven hours ahead.
    """

    fault: Literal["clock_skew"] = "clock_skew"
    offset_s: float = Field(default=0.0, ge=-1e9, le=1e9)
    spread_s: float = Field(default=5.0, ge=0, le=1e9)
    drift_ppm: float = Field(default=20.0, ge=-10_000, le=10_000)

    def told_ms(self, scope: Scope, device: Ints, at_ms: Ints) -> Ints:
        own_s = self.spread_s * scope.noise("offset", device, np.zeros(1, dtype=np.int64)).clip(-3, 3)
        drift_ms = (at_ms - scope.from_ms) * self.drift_ppm / 1e6
        return np.asarray(at_ms + np.round(1000 * (self.offset_s + own_s) + drift_ms).astype(np.int64))


class ClockLost(Fault):
    """A clock without battery after a power cut: it counts from 1 January 1970, as if from_h had been that moment."""

    fault: Literal["clock_lost"] = "clock_lost"

    def told_ms(self, scope: Scope, device: Ints, at_ms: Ints) -> Ints:
        return np.asarray(at_ms - scope.from_ms)


class Reboot(Fault):
    """Each chosen device begins a new boot, `times` times in the span: seq counts from 0 again."""

    fault: Literal["reboot"] = "reboot"
    times: int = Field(default=1, ge=1, le=1000)

    def moments(self, scope: Scope) -> list[tuple[int, int]]:
        """(device, epoch ms) of every reboot."""
        device = np.repeat(np.array(scope.devices, dtype=np.int64), self.times)
        u = scope.chance("moment", device, np.tile(np.arange(self.times), len(scope.devices)))
        at_ms = scope.from_ms + (u * (scope.until_ms - scope.from_ms)).astype(np.int64)
        return list(zip(device.tolist(), at_ms.tolist(), strict=True))


ClockFault = ClockSkew | ClockLost
