"""Control cabinets: the meter in front of a panel's lamps counts what they draw, and what is lost on the way.

P = 1.03 * sum of the lamps' P + what somebody has tapped, and so exactly for its energy.

Three phases share the load unevenly, a tap sits on phase R. The contactor follows the dusk that the photocells see.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from devices.device import Device
from devices.kind import Bools, Floats
from simulator.noise import Wander, uniform, wander
from simulator.physics import lamps as lamp
from simulator.physics.lamps import Lamps
from simulator.physics.night import night_of, nights

LOSSES = 0.03
FACTOR = 0.96
FREQUENCY_HZ, WANDER_HZ = 50.0, 0.03
WANDER_V = 0.8
METER = 0.002
PHASES = ("r", "s", "t")
# Lamp rows that are worked out at once, for the sake of memory.
ROWS_MAX = 200_000
Ints = npt.NDArray[np.int64]


class Spell(NamedTuple):
    """Something about a cabinet between two times, epoch s, half-open: no mains, an open door, a tap of so many W."""

    cabinet: int  # its index among the cabinets
    since: float
    until: float
    watts: float = 0.0


@dataclass(frozen=True)
class Cabinets:
    """Constants of every cabinet. members: rows of its lamps; shares: of the three phases in its load."""

    seed: int
    lamps: Lamps
    members: tuple[Ints, ...]
    shares: Floats
    taps: tuple[Spell, ...]
    dark: tuple[Spell, ...]
    open: tuple[Spell, ...]
    meter: Wander
    volts: Wander
    hertz: Wander


class Happens(NamedTuple):
    """What happens to cabinets at set times: taps, times without mains, open doors."""

    taps: tuple[Spell, ...] = ()
    dark: tuple[Spell, ...] = ()
    open: tuple[Spell, ...] = ()


NOTHING = Happens()


def cabinets_of(
    devices: Sequence[Device], lit: Sequence[Device], lamps: Lamps, seed: int, happens: Happens = NOTHING
) -> Cabinets:
    """The constants of cabinets and of their lamps, those of the same panel."""
    key = np.arange(len(devices))
    panel = np.array([device.attributes.get("panel", "") for device in lit])
    members = tuple(np.flatnonzero(panel == device.attributes.get("panel")) for device in devices)
    weights = 0.8 + 0.4 * uniform(seed, "cabinet/phase", key[:, None], np.arange(3)[None, :])
    return Cabinets(
        seed=seed,
        lamps=lamps,
        members=members,
        shares=weights / weights.sum(axis=1, keepdims=True),
        taps=happens.taps,
        dark=happens.dark,
        open=happens.open,
        meter=wander(seed, "cabinet/meter", key, 120),
        volts=wander(seed, "cabinet/volt", np.arange(3 * len(devices)), 600),
        hertz=wander(seed, "cabinet/hertz", key, 60),
    )


def measure(cabinets: Cabinets, row: Ints, t: Floats) -> dict[str, Floats]:
    """Metrics for rows of (cabinet, epoch s); NaN where a meter has nothing to say."""
    fed = ~_during(cabinets.dark, row, t)
    drawn_w, used_ws = _load(cabinets, row, t)
    tap_w, tap_ws = _tapped(cabinets, row, t)
    accuracy = 1 + METER * cabinets.meter.at(row, t).clip(-2.5, 2.5)
    by_phase = cabinets.shares[row] * (drawn_w * (1 + LOSSES))[:, None]
    by_phase[:, 0] += tap_w
    watts = np.round(by_phase * (accuracy * fed)[:, None], 1)
    factor = np.where(watts > 0, FACTOR, np.nan)
    volts = lamp.panel_v(t)[:, None] + WANDER_V * np.stack(
        [cabinets.volts.at(3 * row + phase, t).clip(-2.5, 2.5) for phase in range(3)], axis=1
    )
    volts = np.round(volts * fed[:, None], 1)
    amperes = np.round(watts / np.maximum(volts * FACTOR, 1), 3)
    hertz = FREQUENCY_HZ + WANDER_HZ * cabinets.hertz.at(row, t).clip(-3, 3)
    found = {
        "power_w": np.round(watts.sum(axis=1), 1),
        "energy_wh": np.round((used_ws * (1 + LOSSES) + tap_ws) / 3600, 1),
        "frequency_hz": np.round(hertz * fed, 2),
        "contactor_on": (_switched_on(cabinets.seed, t) & fed).astype(np.float64),
        "door_open": _during(cabinets.open, row, t).astype(np.float64),
        "mains_ok": fed.astype(np.float64),
    }
    columns = {"voltage_{}_v": volts, "current_{}_a": amperes, "power_{}_w": watts, "power_factor_{}": factor}
    for name, of_phases in columns.items():
        found |= {name.format(phase): of_phases[:, number] for number, phase in enumerate(PHASES)}
    return found


def _load(cabinets: Cabinets, row: Ints, t: Floats) -> tuple[Floats, Floats]:
    """Power of the lamps, W, and their energy since commissioning, Ws."""
    watts, watt_s = np.zeros(len(row)), np.zeros(len(row))
    for part in _parts(cabinets, row):
        members = [cabinets.members[cabinet] for cabinet in row[part].tolist()]
        which = np.repeat(np.arange(len(members)), [len(each) for each in members])
        if len(which):
            drawn_w, used_ws = lamp.load(cabinets.lamps, np.concatenate(members), t[part][which])
            watts[part] = np.bincount(which, drawn_w, len(members))
            watt_s[part] = np.bincount(which, used_ws, len(members))
    return watts, watt_s


def _parts(cabinets: Cabinets, row: Ints) -> Iterator[slice]:
    most = max((len(each) for each in cabinets.members), default=1) or 1
    step = max(1, ROWS_MAX // most)
    for first in range(0, len(row), step):
        yield slice(first, first + step)


def _tapped(cabinets: Cabinets, row: Ints, t: Floats) -> tuple[Floats, Floats]:
    """Power of the taps, W, and their energy, Ws; nothing flows without mains."""
    watts, watt_s = np.zeros(len(row)), np.zeros(len(row))
    for tap in cabinets.taps:
        here = row == tap.cabinet
        watts[here] += tap.watts * ((t[here] >= tap.since) & (t[here] < tap.until))
        lasted = (np.minimum(t[here], tap.until) - tap.since).clip(0)
        for dark in cabinets.dark:
            if dark.cabinet == tap.cabinet:
                begin, end = max(dark.since, tap.since), np.minimum(np.minimum(t[here], dark.until), tap.until)
                lasted -= (end - begin).clip(0)
        watt_s[here] += tap.watts * lasted
    return watts, watt_s


def _during(spells: Sequence[Spell], row: Ints, t: Floats) -> Bools:
    found = np.zeros(len(row), dtype=np.bool_)
    for spell in spells:
        found |= (row == spell.cabinet) & (t >= spell.since) & (t < spell.until)
    return found


def _switched_on(seed: int, t: Floats) -> Bools:
    night, now = night_of(t)
    table, late_s = nights(seed), lamp.PHOTOCELL_S
    return np.asarray((now >= table.dusk_s[night] + late_s) & (now < table.dawn_s[night] + late_s))
