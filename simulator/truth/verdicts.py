"""What each reading of a device says under a rule: the rung it reaches and the rung it still holds.

Rungs count from 1, 0 is none of them, and -1 where a reading says nothing. Vectorised over one device's readings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from devices.device import Device
from devices.kind import Bools, Floats
from devices.sun import SUNSET_DEG, elevation_deg
from simulator.truth.rules import DARK_SHARE, DARK_W, GUARD_S, MAINS_V, OCCUPIED_PCT, ExpectedRule

NOTHING = -1
NEEDED: dict[str, tuple[str, ...]] = {
    "streetlight": ("power_w", "voltage_v", "dimming_pct"),
    "water_level": ("level_m",),
    "traffic": ("speed_kmh", "occupancy_pct"),
}
Rungs = npt.NDArray[np.int8]
Ints = npt.NDArray[np.int64]


class Verdicts(NamedTuple):
    """Of the same length as the readings. held >= reached wherever they say something."""

    reached: Rungs
    held: Rungs


def verdicts(rule: ExpectedRule, device: Device, ts_ms: Ints, columns: Mapping[str, Floats]) -> Verdicts | None:
    """What trusted readings say; columns are those of NEEDED. None when no reading reaches any rung."""
    match rule.name:
        case "siaga":
            return _rising(rule, columns["level_m"], _bounds(rule, device))
        case "voltage_high":
            return _rising(rule, columns["voltage_v"], _bounds(rule, device))
        case "voltage_low":
            voltage = np.where(columns["voltage_v"] < MAINS_V, np.nan, columns["voltage_v"])
            return _falling(rule, voltage, _bounds(rule, device))
        case "congestion":
            return _congestion(rule, device, columns)
        case "lamp_out":
            dark, known = _dark(device, columns)
            return _at_night(device, ts_ms, dark, known)
        case "unpowered":
            voltage = columns["voltage_v"]
            return _at_night(device, ts_ms, voltage < _number(rule.rungs[0].bound, device), ~np.isnan(voltage))


def _rising(rule: ExpectedRule, value: Floats, bounds: list[float]) -> Verdicts | None:
    reached = [value >= bound for bound in bounds]
    return _told(reached, [value >= bound - rule.hysteresis for bound in bounds], ~np.isnan(value))


def _falling(rule: ExpectedRule, value: Floats, bounds: list[float], counts: Bools | None = None) -> Verdicts | None:
    reached = [value < bound if counts is None else (value < bound) & counts for bound in bounds]
    return _told(reached, [value < bound + rule.hysteresis for bound in bounds], ~np.isnan(value))


def _congestion(rule: ExpectedRule, device: Device, columns: Mapping[str, Floats]) -> Verdicts | None:
    """Nothing on the road (no speed, occupancy 0) is free flow and faster than any bound."""
    speed, occupancy = columns["speed_kmh"], columns["occupancy_pct"]
    index = speed / _number("free_flow_kmh", device)
    index = np.where(np.isnan(occupancy), np.nan, index)
    index = np.where(np.isnan(speed) & (occupancy == 0), np.inf, index)
    return _falling(rule, index, _bounds(rule, device), occupancy > OCCUPIED_PCT)


def _dark(device: Device, columns: Mapping[str, Floats]) -> tuple[Bools, Bools]:
    """Whether a lamp gives less light than its dimming asks for, and whether that can be said at all."""
    power, voltage, dimming = (columns[name] for name in NEEDED["streetlight"])
    d = np.where(np.isnan(dimming), 100.0, dimming) / 100
    asked_w = _number("nominal_w", device) * (0.85 * d + 0.15 * d**2)
    dark = (power < np.fmax(DARK_W, DARK_SHARE * asked_w)) & (d > 0)
    return dark, ~np.isnan(power) & ~(voltage < MAINS_V)


def _at_night(device: Device, ts_ms: Ints, bad: Bools, known: Bools) -> Verdicts | None:
    """One rung: bad while the sun is down; by day all is well; GUARD_S around each switch nothing is said."""
    if device.lat is None or device.lon is None or not (bad & known).any():  # the sun costs more than all the rest
        return None
    up = [elevation_deg(ts_ms / 1000 + s, device.lat, device.lon) > SUNSET_DEG for s in (-GUARD_S, 0, GUARD_S)]
    day, night = up[0] & up[1] & up[2], ~(up[0] | up[1] | up[2])
    return _told([bad & night & known], [bad & night], known & (day | night))


def _told(reached: list[Bools], held: list[Bools], known: Bools) -> Verdicts | None:
    """Masks of each rung to the highest rung of each reading."""
    if not any(mask.any() for mask in reached):
        return None
    return Verdicts(*(np.where(known, _highest(masks), NOTHING).astype(np.int8) for masks in (reached, held)))


def _highest(masks: list[Bools]) -> Rungs:
    rungs = np.zeros(len(masks[0]), dtype=np.int8)
    for rung, mask in enumerate(masks, 1):
        rungs[mask] = rung
    return rungs


def _bounds(rule: ExpectedRule, device: Device) -> list[float]:
    return [_number(rung.bound, device) for rung in rule.rungs]


def _number(bound: float | str | None, device: Device) -> float:
    """A number as it is, or that of an attribute; NaN, which nothing reaches, where a device has none."""
    value = device.attributes.get(bound) if isinstance(bound, str) else bound
    return float("nan") if value is None else float(value)
