"""Streetlights: switched by the sun, dimmed by a schedule, metered; everything a function of lamp and time.

Power P(d) = P_sb + (P_nom - P_sb) * (a*d + (1-a)*d^2), PF(d) = 0.97 - 0.35 * (1-d)^3, I = P / (U * PF).
Energy, operating hours and switch count are integrals in closed form, so that counters agree with power at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import numpy as np
import numpy.typing as npt

from devices.device import Device
from devices.kind import Floats
from devices.sun import SUNSET_DEG, elevation_deg
from simulator.asahan import CENTRE
from simulator.noise import normal, smooth, uniform
from simulator.rain import DAY_S, WIB_S
from simulator.weather import air_c, wib_hour

LINEARITY = 0.85  # a in P(d)
STANDBY_W = 0.7
DIM = 0.70  # between DIM_FROM and DIM_UNTIL
DIM_FROM_S, DIM_UNTIL_S = 10 * 3600.0, 17 * 3600.0  # 22:00 and 05:00 WIB, counted from noon
PHOTOCELL_S, PHOTOCELL_SPREAD_S = 300.0, 240.0
FAULTY_SHARE = 0.015
MAINS_V = 220.0

# Nights are numbered from noon to noon; this is noon WIB of 1 January 2020.
FIRST_NOON = 1_577_854_800
NIGHTS = 366 * 30
Ints = npt.NDArray[np.int64]


class Fault(IntEnum):
    """What a lamp has been suffering from since before the run."""

    NONE = 0
    DRIVER = 1  # dark at night, controller and mains alive
    DAY_BURNER = 2  # relay welded: lit at full power around the clock
    LOW_VOLTAGE = 3  # at the far end of a weak feeder


@dataclass(frozen=True)
class Lamps:
    """Constants of every lamp, one column each. on_s and off_s shift its switching against Kisaran's sun."""

    seed: int
    key: Ints
    nominal_w: Floats
    on_s: Floats
    off_s: Floats
    since: Ints  # night of commissioning
    drop_v: Floats  # along the feeder at full load
    fault: Ints

    def __len__(self) -> int:
        return len(self.key)


def lamps_of(devices: Sequence[Device], seed: int) -> Lamps:
    """The constants of lamps, from their registry entries and the seed."""
    key = np.arange(len(devices))
    lon = np.array([CENTRE[1] if d.lon is None else d.lon for d in devices])
    nominal = np.array([float(d.attributes.get("nominal_w", 90.0)) for d in devices])
    # Sunset comes 4 minutes earlier for each degree further east.
    west_s = (CENTRE[1] - lon) * 240
    photocell = PHOTOCELL_S + PHOTOCELL_SPREAD_S * normal(seed, "lamp/photocell", key, [[0], [1]]).clip(-2.5, 2.0)
    position = _along_feeder(devices)
    fault = _faults(devices, position, seed)
    drop = 10 * position**0.7 * (0.6 + 0.4 * uniform(seed, "lamp/drop", key)) + np.where(
        fault == Fault.LOW_VOLTAGE, 22.0, 0.0
    )
    since = 100 + (1500 * uniform(seed, "lamp/since", key)).astype(np.int64)
    power = nominal * (1 + 0.012 * normal(seed, "lamp/power", key).clip(-3, 3))
    return Lamps(seed, key, power, west_s + photocell[0], west_s + photocell[1], since, drop, fault)


def measure(lamps: Lamps, row: Ints, t: Floats) -> dict[str, Floats]:
    """Metrics for rows of (lamp, epoch s); NaN where a meter has nothing to say."""
    night, since_noon = _night(t)
    on, off = _sunset()[night] + lamps.on_s[row], _sunrise()[night] + lamps.off_s[row]
    fault, nominal, key = lamps.fault[row], lamps.nominal_w[row], lamps.key[row]
    lit = ((since_noon >= on) & (since_noon < off)) | (fault == Fault.DAY_BURNER)
    dimmed = (since_noon >= DIM_FROM_S) & (since_noon < DIM_UNTIL_S) & (fault != Fault.DAY_BURNER)
    dim = np.where(lit, np.where(dimmed, DIM, 1.0), 0.0)

    true_w = np.where(lit, np.where(fault == Fault.DRIVER, STANDBY_W, power_w(nominal, dim)), 0.0)
    power = true_w * (1 + 0.004 * smooth(lamps.seed, "lamp/meter", key, t, 120))
    voltage = _voltage(lamps, row, t, lit)
    factor = np.where(fault == Fault.DRIVER, 0.45, 0.97 - 0.35 * (1 - dim) ** 3)
    heat = 20 * true_w / nominal * (1 - np.exp(-np.maximum(since_noon - on, 0.0) / 2400))
    hours, energy = _counters(lamps, row, night, since_noon, on, off)
    return {
        "power_w": np.round(power, 2),
        "voltage_v": np.round(voltage, 1),
        "current_a": np.round(power / (voltage * factor), 4),
        "power_factor": np.where(lit, np.round(factor, 3), np.nan),
        "dimming_pct": np.round(100 * dim),
        "energy_wh": np.round(energy, 1),
        "operating_h": np.round(hours, 3),
        "switch_count": _switches(lamps, row, night, since_noon, on, off),
        "temperature_c": np.round(
            air_c(lamps.seed, t) + 3 + heat + 0.3 * normal(lamps.seed, "lamp/c", key, t // 60), 1
        ),
    }


def power_w(nominal: Floats, dim: Floats) -> Floats:
    """Power at a dimming level 0..1; the curve is steeper near full light."""
    return np.asarray(STANDBY_W + (nominal - STANDBY_W) * (LINEARITY * dim + (1 - LINEARITY) * dim**2))


def _along_feeder(devices: Sequence[Device]) -> Floats:
    """Place of each lamp on its feeder, 0 at the panel to 1 at the end."""
    members: dict[str, list[int]] = {}
    for i, device in enumerate(devices):
        members.setdefault(str(device.attributes.get("feeder", "")), []).append(i)
    position = np.zeros(len(devices))
    for listed in members.values():
        position[listed] = (np.arange(len(listed)) + 1) / len(listed)
    return position


def _faults(devices: Sequence[Device], position: Floats, seed: int) -> Ints:
    """About 1.5 % of lamps: driver, low voltage and day burner in turn; low voltage only at ends of feeders."""
    fault = np.zeros(len(devices), dtype=np.int64)
    order = np.argsort(uniform(seed, "lamp/fault", np.arange(len(devices))))
    count = round(FAULTY_SHARE * len(devices)) or int(len(devices) >= 10)
    ends = [int(i) for i in order if position[i] > 0.9]
    others = [int(i) for i in order if position[i] <= 0.9]
    for k in range(count):
        kind = (Fault.DRIVER, Fault.LOW_VOLTAGE, Fault.DAY_BURNER)[k % 3]
        pool = ends if kind is Fault.LOW_VOLTAGE else others
        if pool:
            fault[pool.pop(0)] = kind
    return fault


def _voltage(lamps: Lamps, row: Ints, t: Floats, lit: npt.NDArray[np.bool_]) -> Floats:
    """220 V, less the feeder's drop under load and 4 V in the evening, wandering by 1.5 V in 10 min."""
    hour = wib_hour(t)
    evening = 4 * np.clip((hour - 17.5) / 0.8, 0, 1) * np.clip((21.5 - hour) / 0.8, 0, 1)
    load = np.where((hour > 18.2) | (hour < 6.2), 1.0, 0.3)
    feeder = lamps.drop_v[row] * np.where(lit, 1.0, load)
    wander = 1.5 * smooth(lamps.seed, "lamp/volt", lamps.key[row], t, 600).clip(-2.5, 2.5)
    return np.asarray(MAINS_V - feeder - evening + wander + 2.0)


def _counters(lamps: Lamps, row: Ints, night: Ints, now: Floats, on: Floats, off: Floats) -> tuple[Floats, Floats]:
    """Hours lit and Wh since commissioning, both the exact integral of what `measure` says (without meter noise)."""
    full = np.clip(np.minimum(now, DIM_FROM_S) - on, 0, None)
    full += np.clip(np.minimum(now, off) - DIM_UNTIL_S, 0, None)
    low = np.clip(now - DIM_FROM_S, 0, DIM_UNTIL_S - DIM_FROM_S)
    nights = night - lamps.since[row]
    whole = _lit_before()[night] - _lit_before()[lamps.since[row]] + nights * (lamps.off_s - lamps.on_s)[row]
    low_s = nights * (DIM_UNTIL_S - DIM_FROM_S) + low
    full_s = whole - nights * (DIM_UNTIL_S - DIM_FROM_S) + full
    always = nights * float(DAY_S) + now
    fault, nominal = lamps.fault[row], lamps.nominal_w[row]
    watt_seconds = full_s * power_w(nominal, np.ones(1)) + low_s * power_w(nominal, np.full(1, DIM))
    burner, dark = fault == Fault.DAY_BURNER, fault == Fault.DRIVER
    watt_seconds = np.where(dark, (full_s + low_s) * STANDBY_W, watt_seconds)
    watt_seconds = np.where(burner, always * power_w(nominal, np.ones(1)), watt_seconds)
    return np.where(burner, always, full_s + low_s) / 3600, watt_seconds / 3600


def _switches(lamps: Lamps, row: Ints, night: Ints, now: Floats, on: Floats, off: Floats) -> Floats:
    count = 2 * (night - lamps.since[row]) + (now >= on) + (now >= off)
    return np.where(lamps.fault[row] == Fault.DAY_BURNER, 1.0, count)


def _night(t: Floats) -> tuple[Ints, Floats]:
    """Number of the night and seconds since its noon."""
    night = np.floor((t - FIRST_NOON) / DAY_S).astype(np.int64)
    if night.size and (night.min() < 0 or night.max() >= NIGHTS):
        raise ValueError("the simulator's calendar reaches from January 2020 to 2049")
    return night, t - FIRST_NOON - night * float(DAY_S)


@cache
def _sunset() -> Floats:
    """Sunset at Kisaran, seconds after the noon of each night."""
    return _crossing(6.3 * 3600, -1)


@cache
def _sunrise() -> Floats:
    """The sunrise that ends each night, seconds after its noon."""
    return _crossing(18.3 * 3600, 1)


@cache
def _lit_before() -> Floats:
    """Seconds of night (sunset to sunrise) before each night since the first."""
    return np.concatenate([[0.0], np.cumsum(_sunrise() - _sunset())])[:-1]


def _crossing(guess_s: float, sign: int) -> Floats:
    """When the sun crosses the horizon: near the equator it moves 0.24 degrees a minute, four steps find it to 1 s."""
    noon = FIRST_NOON + np.arange(NIGHTS) * float(DAY_S)
    s = np.full(NIGHTS, guess_s)
    for _ in range(4):
        s += (SUNSET_DEG - elevation_deg(noon + s, *CENTRE)) / (sign * 0.24 / 60)
    return s


assert (FIRST_NOON + WIB_S) % DAY_S == DAY_S // 2
