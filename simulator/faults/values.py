"""Faults of sensors: they bend what is measured. Each changes the columns of a block and says which rows it touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from devices.kind import Bools, Floats
from simulator.city import Block, Ints
from simulator.faults.fault import DAY_MS, NEVER, Fault, Scope, SpellHours, Spells, check_range

# The metric a sensor of each kind stands and falls with. A gauge sends one of the two; a level that rises is a
# distance that shrinks.
MEASURED = {"water_level": ("level_m", "distance_m"), "streetlight": ("power_w",), "traffic": ("speed_kmh",),
            "cabinet": ("power_w",)}  # fmt: skip
SIGN = {"distance_m": -1.0}
# How far a metric usually ranges, in its unit, and its noise: the measure of spikes and of bursts.
SPAN = {"level_m": 2.0, "distance_m": 2.0, "power_w": 100.0, "speed_kmh": 50.0}
NOISE = {"level_m": 0.0012, "distance_m": 0.0012, "power_w": 0.4, "speed_kmh": 2.5}
COUNTERS = ("energy_wh", "operating_h", "switch_count")
DECIMALS = 3


class Spike(Fault):
    """One value that jumps by between low and high of the metric's usual span (2 m, 100 W, 50 km/h).

    chance: of each report (0.1 %).
    """

    fault: Literal["spike"] = "spike"
    chance: float = Field(default=0.001, gt=0, le=1)
    low: float = Field(default=0.5, gt=0, le=1000)
    high: float = Field(default=3.0, gt=0, le=1000)

    @model_validator(mode="after")
    def _rises(self) -> Self:
        check_range("low, high", (self.low, self.high))
        return self

    def bend(self, scope: Scope, block: Block) -> Bools:
        hit = scope.hits(block.device, block.ts_ms) & (scope.chance("hit", block.device, block.ts_ms) < self.chance)
        size = self.low + (self.high - self.low) * scope.chance("size", block.device, block.ts_ms)
        _add(block, hit, lambda name: size * SPAN[name])
        return hit


class Stuck(Spells):
    """The sensor repeats what it measured when the spell began (1 to 72 h, about once a device-year)."""

    fault: Literal["stuck"] = "stuck"
    hours: tuple[SpellHours, SpellHours] = (1.0, 72.0)

    def bend(self, scope: Scope, block: Block) -> Bools:
        begin, _ = scope.spell(self, block.device, block.ts_ms)
        hit = np.asarray(begin != NEVER)
        if hit.any():
            held = _measured(scope, block, hit, begin)
            # A gauge's rain bucket is another sensor; of a lamp or a detector everything stands still.
            for name in MEASURED["water_level"] if block.kind == "water_level" else block.columns:
                block.columns[name][hit] = held[name]
        return hit


class Drift(Fault):
    """A slow loss of calibration: level_mm_per_day (1 to 5), or pct_per_day of power and speed (0.1)."""

    fault: Literal["drift"] = "drift"
    level_mm_per_day: float = Field(default=3.0, ge=-10_000, le=10_000)
    pct_per_day: float = Field(default=0.1, ge=-100, le=100)

    def bend(self, scope: Scope, block: Block) -> Bools:
        hit = scope.hits(block.device, block.ts_ms)
        days = (block.ts_ms - scope.from_ms) / DAY_MS
        if block.kind == "water_level":
            _add(block, hit, lambda name: days * self.level_mm_per_day / 1000)
        else:
            _add(block, hit, lambda name: block.columns[name] * days * self.pct_per_day / 100)
        return hit


class DatumShift(Fault):
    """From from_h on a gauge stands step_m higher (2 to 30 cm either way, as after a visit by a technician)."""

    fault: Literal["datum_shift"] = "datum_shift"
    kind: Literal["water_level"] = "water_level"
    step_m: float = Field(default=0.15, ge=-5, le=5)

    def bend(self, scope: Scope, block: Block) -> Bools:
        hit = scope.hits(block.device, block.ts_ms)
        _add(block, hit, lambda name: np.full(len(block), self.step_m))
        return hit


class NoiseBurst(Spells):
    """Noise factor times as strong as usual (10) for 1 to 6 h: debris under a radar, rain on it."""

    fault: Literal["noise_burst"] = "noise_burst"
    factor: float = Field(default=10.0, gt=1, le=10_000)

    def bend(self, scope: Scope, block: Block) -> Bools:
        begin, _ = scope.spell(self, block.device, block.ts_ms)
        hit = np.asarray(begin != NEVER)
        noise = scope.noise("burst", block.device, block.ts_ms).clip(-4, 4)
        _add(block, hit, lambda name: noise * NOISE[name] * self.factor)
        return hit


class Blind(Spells):
    """A detector that sees nothing: the loop is cut, the camera dirty. It goes on reporting an empty road."""

    fault: Literal["blind"] = "blind"
    kind: Literal["traffic"] = "traffic"

    def bend(self, scope: Scope, block: Block) -> Bools:
        begin, _ = scope.spell(self, block.device, block.ts_ms)
        hit = np.asarray(begin != NEVER)
        for name, column in block.columns.items():
            if name != "period_s":
                column[hit] = np.nan if name in ("speed_kmh", "headway_s") else 0.0
        return hit


class CounterReset(Fault):
    """From from_h on the counters count from 0 again, as after a new board."""

    fault: Literal["counter_reset"] = "counter_reset"
    kind: Literal["streetlight"] = "streetlight"

    def bend(self, scope: Scope, block: Block) -> Bools:
        hit = scope.hits(block.device, block.ts_ms)
        if hit.any() and block.kind == self.kind:
            before = _measured(scope, block, hit, np.full(len(block), scope.from_ms))
            for name in COUNTERS:
                since = np.maximum(block.columns[name][hit] - before[name], 0.0)
                block.columns[name][hit] = np.round(since, DECIMALS)
        return hit


ValueFault = Spike | Stuck | Drift | DatumShift | NoiseBurst | Blind | CounterReset


def _measured(scope: Scope, block: Block, hit: Bools, at_ms: Ints) -> dict[str, Floats]:
    """What the rows' devices measured at another time."""
    (found,) = scope.city.measured(block.device[hit], at_ms[hit], block.seq[hit], block.boot[hit])
    return found.columns


def _add(block: Block, hit: Bools, how_much: Callable[[str], Floats]) -> None:
    """Add to what the kind's sensor measures; nothing it measures is below 0 but a level."""
    for name in MEASURED[block.kind]:
        column = block.columns[name]
        changed = np.round(column[hit] + SIGN.get(name, 1.0) * how_much(name)[hit], DECIMALS)
        column[hit] = changed if name == "level_m" else np.maximum(changed, 0.0)
