"""Streetlights: switched by the sun, dimmed by a schedule, metered; everything a function of lamp and time.

PF(d) = 0.97 - 0.35 * (1-d)^3, I = P / (U * PF); power and counters: see `lamp_duty`. Vocabulary: uCIFI (OMA LwM2M
objects 3416 and 3418). Voltage is 220 V less a drop that grows along the feeder and with load, and 4 V in the
evening: a cabinet of SLightliMon shows 7 V between day and night; PLN promises 198 to 231 V (SPLN 1).

Ageing does not show in what a lamp reports: the light of an LED falls by 3 % in 10,000 h, but its driver keeps current
and power, and no lamp here measures light. A sixth of the panels still has discharge lamps with two-level ballasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt

from devices.device import Device
from devices.kind import Floats
from simulator.asahan import CENTRE
from simulator.noise import Hashes, Wander, normal, roots, scatter, uniform, wander
from simulator.physics.lamp_duty import (
    CHATTER_S,
    DIM,
    SURGE,
    Duty,
    Totals,
    between,
    drawn,
    moment,
    power_w,
    totals,
)
from simulator.physics.lamp_faults import Failure, Fault, Round, rounds, standing
from simulator.physics.lamp_told import Told
from simulator.physics.night import nights
from simulator.physics.weather import air_c, minutely, wib_hour

PHOTOCELL_S, PHOTOCELL_SPREAD_S = 300.0, 240.0
FAULTY_SHARE = 0.015
OLD_SHARE = 1 / 6  # of panels, with discharge lamps
MAINS_V = 222.0  # at the panel by day
WEAK_V = 24.0  # what a weak feeder loses more
WANDER_V = 0.6  # standard deviation; more, and a day at the panel would span more than those 7 V
__all__ = ["FAULTY_SHARE", "Failure", "Fault", "Lamps", "lamps_of", "load", "measure", "panel_v"]
_FACTOR = 0.97, round(0.97 - 0.35 * (1 - DIM) ** 3, 3), 0.45  # at full light, dimmed, and of a driver that is broken
_FACTOR_LOW = 0.62  # without its capacitor
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Lamps:
    """Constants of every lamp, one column each."""

    seed: int
    duty: Duty
    drop_v: Floats  # along the feeder at full load
    fault: Ints  # since before the run
    failures: tuple[Round, ...]
    failing: npt.NDArray[np.bool_]  # has any of those
    volts: Wander
    meter: Wander
    warmth: Hashes
    told: Told  # what they were told since

    def __len__(self) -> int:
        return len(self.fault)


def lamps_of(
    devices: Sequence[Device], seed: int, *, faulty_share: float = FAULTY_SHARE, failures: Sequence[Failure] = ()
) -> Lamps:
    """The constants of lamps, from their registry entries and the seed.

    faulty_share: of lamps with a fault since before the run. failures: what fails at set times, numbered as `devices`.
    Raises ValueError naming the lamp when two failures of one overlap.
    """
    key = np.arange(len(devices))
    position = _along_feeder(devices)
    failing = np.zeros(len(devices), dtype=np.bool_)
    scheduled = rounds(failures, len(devices))
    failing[[failure.lamp for failure in failures]] = True
    fault = standing(position, seed, faulty_share)
    return Lamps(
        seed=seed,
        duty=_duty(devices, key, seed),
        drop_v=10 * position**0.7 * (0.6 + 0.4 * uniform(seed, "lamp/drop", key)),
        fault=fault,
        failures=scheduled,
        failing=failing,
        volts=wander(seed, "lamp/volt", key, 600),
        meter=wander(seed, "lamp/meter", key, 120),
        warmth=roots(seed, "lamp/c", key),
        told=Told((fault == Fault.NONE) & ~failing),
    )


def measure(lamps: Lamps, row: Ints, t: Floats) -> dict[str, Floats]:
    """Metrics for rows of (lamp, epoch s); NaN where a meter has nothing to say."""
    at = moment(lamps.duty, row, t)
    fault = _fault_at(lamps, row, t)
    dim, true_w = lamps.told.lit(lamps.duty, row, t, drawn(lamps.duty, row, at, fault))
    lit = dim > 0
    power = true_w * (1 + 0.004 * lamps.meter.at(row, t))
    voltage = _voltage(lamps, row, t, lit, fault)
    factor = np.where(dim < 1, _FACTOR[1], _FACTOR[0])
    factor[fault == Fault.DRIVER] = _FACTOR[2]
    factor[fault == Fault.LOW_POWER_FACTOR] = _FACTOR_LOW
    heat = 20 * true_w / lamps.duty.nominal_w[row] * (1 - np.exp(np.minimum(at.on - at.now, 0) / 2400))
    air = minutely(lambda minute: air_c(lamps.seed, minute), t)
    counted = _counters(lamps, row, t, totals(lamps.duty, row, at, lamps.fault[row]))
    return {
        "power_w": np.round(power, 2),
        "voltage_v": np.round(voltage, 1),
        "current_a": np.round(power / np.maximum(voltage * factor, 1), 4),
        "power_factor": np.where(lit, factor, np.nan),
        "dimming_pct": np.round(100 * dim),
        "energy_wh": np.round(counted.watt_s / 3600, 1),
        "operating_h": np.round(counted.lit_s / 3600, 3),
        "switch_count": counted.switches,
        "temperature_c": np.round(air + 3 + heat + 0.3 * scatter(lamps.warmth[row], t // 60), 1),
    }


def load(lamps: Lamps, row: Ints, t: Floats) -> tuple[Floats, Floats]:
    """What lamps draw for rows of (lamp, epoch s), without errors of meters: W, and Ws since commissioning."""
    at = moment(lamps.duty, row, t)
    drawn_w = lamps.told.lit(lamps.duty, row, t, drawn(lamps.duty, row, at, _fault_at(lamps, row, t))).watts
    return drawn_w, _counters(lamps, row, t, totals(lamps.duty, row, at, lamps.fault[row])).watt_s


def _duty(devices: Sequence[Device], key: Ints, seed: int) -> Duty:
    lon = np.array([CENTRE[1] if d.lon is None else d.lon for d in devices])
    nominal = np.array([float(d.attributes.get("nominal_w", 90.0)) for d in devices])
    panel = [crc32(str(d.attributes.get("panel", d.attributes.get("feeder", ""))).encode()) for d in devices]
    old = uniform(seed, "panel/old", np.array(panel, dtype=np.int64)) < OLD_SHARE
    # Sunset comes 4 minutes earlier for each degree further east.
    west_s = (CENTRE[1] - lon) * 240
    photocell = PHOTOCELL_S + PHOTOCELL_SPREAD_S * normal(seed, "lamp/photocell", key, [[0], [1]]).clip(-2.5, 2.0)
    since = 100 + (1500 * uniform(seed, "lamp/since", key)).astype(np.int64)
    power = nominal * (1 + 0.012 * normal(seed, "lamp/power", key).clip(-3, 3))
    return Duty(
        seed=seed,
        nominal_w=power,
        dim_w=power_w(power, np.full(len(power), DIM)),
        surge_w=np.where(old, SURGE * power, 0.0),
        on_s=west_s + photocell[0],
        off_s=west_s + photocell[1],
        since=since.astype(np.float64),
        before_s=nights(seed).before_s[since],
        chatter_s=2 * CHATTER_S * uniform(seed, "lamp/chatter", key),
    )


def _along_feeder(devices: Sequence[Device]) -> Floats:
    """Place of each lamp on its feeder, 0 at the panel to 1 at the end."""
    members: dict[str, list[int]] = {}
    for i, device in enumerate(devices):
        members.setdefault(str(device.attributes.get("feeder", "")), []).append(i)
    position = np.zeros(len(devices))
    for listed in members.values():
        position[listed] = (np.arange(len(listed)) + 1) / len(listed)
    return position


def _fault_at(lamps: Lamps, row: Ints, t: Floats) -> Ints:
    fault = lamps.fault[row]
    some = np.flatnonzero(lamps.failing[row])
    for failures in lamps.failures:
        i = failures.of_lamp[row[some]]
        now = (i >= 0) & (failures.since[i] <= t[some]) & (t[some] < failures.until[i])
        fault[some[now]] = failures.fault[i[now]]
    return fault


def _counters(lamps: Lamps, row: Ints, t: Floats, base: Totals) -> Totals:
    """Counters with what scheduled failures changed: what was added under each, and not what would have been."""
    some = np.flatnonzero(lamps.failing[row])
    for failures in lamps.failures:
        i = failures.of_lamp[row[some]]
        begun = (i >= 0) & (failures.since[i] < t[some])
        here, i = some[begun], i[begun]
        lamp, since, until = row[here], failures.since[i], np.minimum(t[here], failures.until[i])
        has = between(lamps.duty, lamp, failures.fault[i], since, until)
        would = between(lamps.duty, lamp, lamps.fault[lamp], since, until)
        for column, added, instead in zip(base, has, would, strict=True):
            column[here] += added - instead
    return lamps.told.counted(lamps.duty, row, t, base)


def _voltage(lamps: Lamps, row: Ints, t: Floats, lit: npt.NDArray[np.bool_], fault: Ints) -> Floats:
    """The panel's, less the feeder's drop under load, wandering with a memory of 10 min."""
    drop = lamps.drop_v[row]
    drop[np.flatnonzero(fault == Fault.LOW_VOLTAGE)] += WEAK_V
    drop *= np.where(lit, 1.0, minutely(_load, t))
    volts = panel_v(t) - drop + WANDER_V * lamps.volts.at(row, t).clip(-2.5, 2.5)
    volts[np.flatnonzero(fault == Fault.UNPOWERED)] = 0.0
    return np.asarray(volts)


def panel_v(t: Floats) -> Floats:
    """Voltage at a panel."""
    return minutely(_panel_v, t)


def _panel_v(t: Floats) -> Floats:
    """Houses pull the voltage down by 4 V between 18:00 and 21:00."""
    hour = wib_hour(t)
    return np.asarray(MAINS_V - 4 * np.clip((hour - 17.5) / 0.8, 0, 1) * np.clip((21.5 - hour) / 0.8, 0, 1))


def _load(t: Floats) -> Floats:
    """Current of a feeder as a share of the highest: by day only what houses on the same line draw."""
    hour = wib_hour(t)
    return np.where((hour > 18.2) | (hour < 6.2), 1.0, 0.3)
