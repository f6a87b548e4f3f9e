"""What every fault says of itself: which devices it befalls and when; and the dice it is thrown with.

A fault is a value: named, with parameters, and decided by the seed alone. The same device and time meet the same fate
however a run is cut into windows. Defaults follow published deployments: Sharma, Golubchik and Govindan 2010, Ni et
al. 2009, and what was measured on Jakarta's river telemetry of January 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from devices.kind import Bools, Floats
from simulator.city import City
from simulator.noise import normal, uniform

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NEVER = -1
Ints = npt.NDArray[np.int64]
KindName = Literal["streetlight", "water_level", "traffic", "cabinet"]
Share = Field(default=1.0, gt=0, le=1)
HOURS_MAX = 24.0 * 366
SpellHours = Annotated[float, Field(gt=0, le=24 * 14)]


class Fault(BaseModel):
    """kind and devices (a pattern of ids as in wl-*, without the run's tag) choose among the fleet, share how many of
    those: that part of them, at least one, drawn by the seed. from_h and until_h are hours after the start."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: KindName | None = None
    devices: str = "*"
    share: float = Share
    from_h: float = Field(default=0.0, ge=0, le=HOURS_MAX)
    until_h: float | None = Field(default=None, gt=0, le=HOURS_MAX)

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.until_h is not None and self.from_h >= self.until_h:
            raise ValueError(f"from_h {self.from_h:g} must be less than until_h {self.until_h:g}")
        return self

    def fits(self, kind: str, name: str) -> bool:
        """Whether a device of this kind and id without tag is among those to choose from."""
        return self.kind in (None, kind) and fnmatchcase(name, self.devices)


class Spells(Fault):
    """A fault that comes in spells of between hours[0] and hours[1], per_day of them to a device and day.

    Without per_day it is one spell, from from_h to until_h.
    """

    per_day: float | None = Field(default=None, gt=0, le=1)
    hours: tuple[SpellHours, SpellHours] = (1.0, 6.0)

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        check_range("hours", self.hours)
        return self


def check_range(name: str, values: tuple[float, float]) -> None:
    """Raises ValueError when the lower end is above the upper one."""
    low, high = values
    if low > high:
        raise ValueError(f"{name}: the lower {low:g} must not be above the upper {high:g}")


@dataclass(frozen=True)
class Scope:
    """A fault thrown on a fleet: the devices it chose, its span in epoch ms [from, until), its own dice."""

    city: City
    stream: str
    chosen: Bools
    from_ms: int
    until_ms: int

    @classmethod
    def of(cls, fault: Fault, number: int, city: City, names: Sequence[str], end_ms: int) -> Scope:
        """number: its place in the scenario, so that two of a kind throw different dice. names: ids without tag."""
        stream = f"fault {number}"
        fits = [
            i for i, (device, name) in enumerate(zip(city.devices, names, strict=True)) if fault.fits(device.kind, name)
        ]
        order = np.argsort(uniform(city.seed, f"{stream}/share", np.array(fits, dtype=np.int64)), kind="stable")
        count = max(1, round(fault.share * len(fits)))
        chosen = np.zeros(len(names), dtype=np.bool_)
        chosen[[fits[i] for i in order[:count]]] = True
        until_ms = end_ms if fault.until_h is None else city.start_ms + round(fault.until_h * HOUR_MS)
        return cls(city, stream, chosen, city.start_ms + round(fault.from_h * HOUR_MS), until_ms)

    @property
    def devices(self) -> list[int]:
        return [int(i) for i in np.flatnonzero(self.chosen)]

    def hits(self, device: Ints, at_ms: Ints) -> Bools:
        """Rows within the fault's devices and span."""
        return np.asarray(self.chosen[device] & (at_ms >= self.from_ms) & (at_ms < self.until_ms))

    def chance(self, what: str, device: Ints, at_ms: Ints) -> Floats:
        """Evenly in (0, 1), for each device and time."""
        return uniform(self.city.seed, f"{self.stream}/{what}", device, at_ms)

    def noise(self, what: str, device: Ints, at_ms: Ints) -> Floats:
        """Standard normal, for each device and time."""
        return normal(self.city.seed, f"{self.stream}/{what}", device, at_ms)

    def spell(self, fault: Spells, device: Ints, at_ms: Ints) -> tuple[Ints, Ints]:
        """Begin and end of the spell that each row lies in; NEVER where in none."""
        hit = self.hits(device, at_ms)
        begin, end = np.full(len(device), NEVER), np.full(len(device), NEVER)
        if fault.per_day is None:
            begin[hit], end[hit] = self.from_ms, self.until_ms
            return begin, end
        for days_before in range(1 + int(fault.hours[1] // 24) + 1):
            day = at_ms // DAY_MS - days_before
            comes = self.chance("spell", device, day) < fault.per_day
            from_ms = day * DAY_MS + (self.chance("begin", device, day) * DAY_MS).astype(np.int64)
            low, high = (h * HOUR_MS for h in fault.hours)
            lasts = (low + (high - low) * self.chance("length", device, day)).astype(np.int64)
            inside = hit & comes & (at_ms >= from_ms) & (at_ms < from_ms + lasts) & (begin == NEVER)
            begin, end = np.where(inside, from_ms, begin), np.where(inside, from_ms + lasts, end)
        return begin, end
