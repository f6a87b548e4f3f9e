"""The letter of a road: level of service A to F by density, after the Highway Capacity Manual. Pure.

Vehicles are counted as passenger cars by MKJI 1997 (urban, divided): motorcycles take less room, trucks more.
docs/traffic.md has sources and what the letters cannot tell.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Letter = Literal["A", "B", "C", "D", "E", "F"]

# Passenger cars a vehicle.
PCU_MOTORCYCLE, PCU_HEAVY = 0.25, 1.3
# HCM: 11, 18, 26, 35, 45 passenger cars per mile and lane, in km; inclusive upper bounds.
BOUNDS: tuple[tuple[Letter, float], ...] = (("A", 6.8), ("B", 11.2), ("C", 16.2), ("D", 21.7), ("E", 28.0))
# Standing traffic has no speed, so no density: a lane that is so full stands (rule stopped).
FULL_PCT = 80.0


class Classes(NamedTuple):
    """Vehicles of a time; None where a detector tells no classes."""

    motorcycle: float | None
    car: float | None
    heavy: float | None


def passenger_cars(count: float, classes: Classes) -> float:
    """The same traffic in passenger cars; where classes are unknown every vehicle counts as one."""
    if classes.motorcycle is None or classes.car is None or classes.heavy is None:
        return count
    return PCU_MOTORCYCLE * classes.motorcycle + classes.car + PCU_HEAVY * classes.heavy


def density(cars_per_h: float, speed_kmh: float | None, lanes: int) -> float | None:
    """Passenger cars per km and lane; None without a speed, 0 of an empty road."""
    if cars_per_h == 0:
        return 0.0
    return cars_per_h / speed_kmh / lanes if speed_kmh and lanes else None


def letter(per_km: float | None, occupancy_pct: float | None) -> Letter | None:
    """A to F; None where it cannot be told. An empty road whose lanes are full stands still."""
    if occupancy_pct is not None and occupancy_pct > FULL_PCT:
        return "F"
    if per_km is None:
        return None
    return next((name for name, most in BOUNDS if per_km <= most), "F")
