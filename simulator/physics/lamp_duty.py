"""What lamps draw, and the exact integral of it: the counters of a meter agree with its power at any time.

Power P(d) = P_sb + (P_nom - P_sb) * (a*d + (1-a)*d^2). Full light to 22:00, 70 % to 05:00, full to dawn. Discharge
lamps draw more while they run up: 1.27 times at first (6.96 for 5.49 kW, a cabinet of SLightliMon), here falling in a
straight line for 5 min.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from devices.kind import Floats
from simulator.physics.lamp_faults import Fault
from simulator.physics.night import FIRST_NOON, night_of, nights
from simulator.physics.rain import DAY_S

LINEARITY = 0.85  # a in P(d)
STANDBY_W = 0.7
DIM = 0.70  # between DIM_FROM_S and DIM_UNTIL_S
DIM_FROM_S, DIM_UNTIL_S = 10 * 3600.0, 17 * 3600.0  # 22:00 and 05:00 WIB, counted from noon
DIM_S = DIM_UNTIL_S - DIM_FROM_S
SURGE, SURGE_S = 0.27, 300.0
PARTIAL = 0.55  # one LED string of two dead
TAPPED = 1.4  # a lamp with somebody else's load beside it, while it is lit
CHATTER_S = 240.0  # a chattering relay is closed as long, then open as long
Ints = npt.NDArray[np.int64]

# By fault: share of a sound lamp's power while it is lit.
_SHARE = np.array([1.0, 0.0, 1.0, 1.0, 0.0, PARTIAL, 1.0, TAPPED, 1.0])


@dataclass(frozen=True)
class Duty:
    """Constants of every lamp, one column each. on_s and off_s shift its switching against Kisaran's dusk and dawn."""

    seed: int
    nominal_w: Floats
    dim_w: Floats
    surge_w: Floats  # above nominal at the moment of switching on
    on_s: Floats
    off_s: Floats
    since: Floats  # night of commissioning
    before_s: Floats  # of dark nights before that one
    chatter_s: Floats  # shift of its relay's chatter, should it ever


class Moment(NamedTuple):
    """One time of each row: night, seconds since its noon, and when in that night the lamp switches on and off."""

    night: Ints
    now: Floats
    on: Floats
    off: Floats


class Drawn(NamedTuple):
    """dim: light, 0 to 1. watts: true power."""

    dim: Floats
    watts: Floats


class Totals(NamedTuple):
    """Since commissioning, or between two times."""

    lit_s: Floats
    watt_s: Floats
    switches: Floats


def power_w(nominal: Floats, dim: Floats) -> Floats:
    """Power at a dimming level 0..1; the curve is steeper near full light."""
    return np.asarray(STANDBY_W + (nominal - STANDBY_W) * (LINEARITY * dim + (1 - LINEARITY) * dim**2))


def moment(duty: Duty, row: Ints, t: Floats) -> Moment:
    """Epoch seconds t in the nights of lamps `row`. Raises ValueError outside the calendar (2020 to 2049)."""
    night, now = night_of(t)
    table = nights(duty.seed)
    return Moment(night, now, table.dusk_s[night] + duty.on_s[row], table.dawn_s[night] + duty.off_s[row])


def drawn(duty: Duty, row: Ints, at: Moment, fault: Ints) -> Drawn:
    """Light and power of lamps with these faults."""
    nominal = duty.nominal_w[row]
    lit = (at.now >= at.on) & (at.now < at.off)
    dimmed = (at.now >= DIM_FROM_S) & (at.now < DIM_UNTIL_S)
    watts = np.where(dimmed, duty.dim_w[row], nominal)
    watts += duty.surge_w[row] * np.clip(1 - (at.now - at.on) / SURGE_S, 0, 1)
    if (odd := np.flatnonzero(fault)).size:
        kind = fault[odd]
        watts[odd] = watts[odd] * _SHARE[kind] + STANDBY_W * (kind == Fault.DRIVER)
        lit[odd] &= kind != Fault.UNPOWERED
        burns, chatters = odd[kind == Fault.DAY_BURNER], odd[kind == Fault.CYCLING]
        lit[burns], dimmed[burns], watts[burns] = True, False, nominal[burns]
        lit[chatters] &= (at.now[chatters] + duty.chatter_s[row[chatters]]) // CHATTER_S % 2 == 0
        # Never closed for long enough to run up.
        watts[chatters] = np.where(dimmed[chatters], duty.dim_w[row[chatters]], nominal[chatters])
    return Drawn(np.where(dimmed, DIM, 1.0) * lit, watts * lit)


def totals(duty: Duty, row: Ints, at: Moment, fault: Ints) -> Totals:
    """From commissioning to a moment, if the lamps always had these faults; not for CYCLING."""
    past = at.night - duty.since[row]
    low_s = past * DIM_S + np.clip(at.now - DIM_FROM_S, 0, DIM_S)
    full_s = nights(duty.seed).before_s[at.night] - duty.before_s[row] + past * (duty.off_s - duty.on_s - DIM_S)[row]
    full_s += np.maximum(np.minimum(at.now, DIM_FROM_S) - at.on, 0)
    full_s += np.maximum(np.minimum(at.now, at.off) - DIM_UNTIL_S, 0)
    running = np.clip(at.now - at.on, 0, SURGE_S)
    surge_s = past * (SURGE_S / 2) + running * (1 - running / (2 * SURGE_S))
    lit_s = full_s + low_s
    watt_s = duty.nominal_w[row] * full_s + duty.dim_w[row] * low_s + duty.surge_w[row] * surge_s
    switches = 2 * past + (at.now >= at.on) + (at.now >= at.off)
    if (odd := np.flatnonzero(fault)).size:
        kind = fault[odd]
        watt_s[odd] = watt_s[odd] * _SHARE[kind] + STANDBY_W * lit_s[odd] * (kind == Fault.DRIVER)
        dead, burns = odd[kind == Fault.UNPOWERED], odd[kind == Fault.DAY_BURNER]
        lit_s[dead], switches[dead] = 0.0, 0.0
        lit_s[burns] = past[burns] * DAY_S + at.now[burns]
        watt_s[burns] = lit_s[burns] * duty.nominal_w[row[burns]]
        switches[burns] = 1.0  # a welded relay
    return Totals(lit_s, watt_s, switches)


def between(duty: Duty, row: Ints, fault: Ints, since: Floats, until: Floats) -> Totals:
    """What was added between two times (epoch s) by lamps that had these faults all the while."""
    chatters = fault == Fault.CYCLING
    steady = np.where(chatters, Fault.NONE, fault)
    before, after = (totals(duty, row, moment(duty, row, t), steady) for t in (since, until))
    added = Totals(*(b - a for a, b in zip(before, after, strict=True)))
    if chatters.any():
        for column, of_some in zip(
            added, _chattered(duty, row[chatters], since[chatters], until[chatters]), strict=True
        ):
            column[chatters] = of_some
    return added


def _chattered(duty: Duty, row: Ints, since: Floats, until: Floats) -> Totals:
    """The same for a relay that closes and opens again all night: night after night, as no two are of one length."""
    lit_s, watt_s, switches = np.zeros(len(row)), np.zeros(len(row)), np.zeros(len(row))
    first, last = night_of(since)[0], night_of(until)[0]
    for k in range(int((last - first).max()) + 1):
        noon = FIRST_NOON + np.minimum(first + k, last) * float(DAY_S)
        _, _, on, off = moment(duty, row, noon)
        begin = np.where(first + k <= last, np.clip(since - noon, on, off), off)
        end = np.where(first + k <= last, np.clip(until - noon, on, off), off)
        shift = duty.chatter_s[row]
        all_s = _closed_s(end + shift) - _closed_s(begin + shift)
        low_s = _closed_s(end.clip(DIM_FROM_S, DIM_UNTIL_S) + shift)
        low_s -= _closed_s(begin.clip(DIM_FROM_S, DIM_UNTIL_S) + shift)
        lit_s += all_s
        watt_s += duty.nominal_w[row] * (all_s - low_s) + duty.dim_w[row] * low_s
        switches += (end + shift) // CHATTER_S - (begin + shift) // CHATTER_S
        for edge in (on, off):  # dusk and dawn find the relay closed, or open already
            switches += (begin < end) & (since - noon < edge) & (edge <= until - noon) & (
                (edge + shift) // CHATTER_S % 2 == 0
            )  # fmt: skip
    return Totals(lit_s, watt_s, switches)


def _closed_s(x: Floats) -> Floats:
    """Seconds for which a chattering relay was closed before x."""
    return np.asarray(x // (2 * CHATTER_S) * CHATTER_S + np.minimum(x % (2 * CHATTER_S), CHATTER_S))
