"""What lamps were told since the run began: on, off, or a level of light, each from a time on.

Power and counters are changed by the difference to what would have been, so a meter's counters still agree with its
power. Only sound lamps obey: whoever tells a lamp asks first (`Told.may`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from devices.kind import Bools, Floats
from simulator.physics.lamp_duty import Drawn, Duty, Totals, between, power_w
from simulator.physics.lamp_faults import Fault

Ints = npt.NDArray[np.int64]
Switch = Literal["auto", "on", "off"]


class Spell(NamedTuple):
    """From `since` (epoch s) on. light: 0 to 1; None: as the lamp's own schedule has it."""

    since: float
    switch: Switch = "auto"
    light: float | None = None


class Told:
    """The spells of each lamp, in order of time."""

    def __init__(self, sound: Bools) -> None:
        self._sound = sound
        self._spells: dict[int, list[Spell]] = {}
        self._some = np.zeros(len(sound), dtype=np.bool_)  # was told anything

    def may(self, lamp: int) -> bool:
        """Whether a lamp obeys: one that is broken, or will be, does not."""
        return bool(self._sound[lamp])

    def switch(self, lamp: int, at: float, to: Switch) -> None:
        """auto: back to its own schedule, and to the light that this has."""
        self._add(lamp, Spell(at, to, None if to == "auto" else self._now(lamp).light))

    def dim(self, lamp: int, at: float, light: float) -> None:
        """So much light whenever it is lit."""
        self._add(lamp, Spell(at, self._now(lamp).switch, light))

    def lit(self, duty: Duty, row: Ints, t: Floats, own: Drawn) -> Drawn:
        """Light and power of lamps `row` at epoch s t, from what they would have been."""
        for here in np.flatnonzero(self._some[row]).tolist():
            spell = self._at(int(row[here]), float(t[here]))
            if spell is not None:
                is_lit = spell.switch == "on" or (spell.switch == "auto" and own.dim[here] > 0)
                light = _light(spell) if is_lit else 0.0
                own.dim[here] = light
                own.watts[here] = _watts(duty, int(row[here]), light)
        return own

    def counted(self, duty: Duty, row: Ints, t: Floats, base: Totals) -> Totals:
        """Counters of lamps `row` at epoch s t, from what they would have been."""
        for here in np.flatnonzero(self._some[row]).tolist():
            lamp, now = int(row[here]), float(t[here])
            for before, spell, until in self._until(lamp, now):
                would = _between(duty, lamp, spell.since, until)
                has = _has(duty, lamp, spell, would, until, moved=spell.switch != before.switch)
                for column, added, instead in zip(base, has, would, strict=True):
                    column[here] += added - instead
        return base

    def _until(self, lamp: int, now: float) -> Iterator[tuple[Spell, Spell, float]]:
        """The spells of a lamp before now in which it was not left to itself, each with the one before and its end."""
        spells = self._spells[lamp]
        ends = [*(each.since for each in spells[1:]), now]
        for before, spell, end in zip([Spell(0.0), *spells], spells, ends, strict=False):
            if spell.since < now and not _is_own(spell):
                yield before, spell, min(end, now)

    def _add(self, lamp: int, spell: Spell) -> None:
        self._spells.setdefault(lamp, []).append(spell)
        self._some[lamp] = True

    def _now(self, lamp: int) -> Spell:
        return self._spells[lamp][-1] if lamp in self._spells else Spell(0.0)

    def _at(self, lamp: int, t: float) -> Spell | None:
        """The spell of a time; None where the lamp is left to its schedule."""
        found = next((each for each in reversed(self._spells[lamp]) if each.since <= t), None)
        return None if found is None or _is_own(found) else found


def _is_own(spell: Spell) -> bool:
    return spell.switch == "auto" and spell.light is None


def _light(spell: Spell) -> float:
    return 1.0 if spell.light is None else spell.light


def _watts(duty: Duty, lamp: int, light: float) -> float:
    return float(power_w(duty.nominal_w[[lamp]], np.array([light]))[0]) if light > 0 else 0.0


def _between(duty: Duty, lamp: int, since: float, until: float) -> tuple[float, ...]:
    """What a sound lamp adds to its counters by itself."""
    row, none = np.array([lamp]), np.array([int(Fault.NONE)])
    return tuple(float(column[0]) for column in between(duty, row, none, np.array([since]), np.array([until])))


def _has(
    duty: Duty, lamp: int, spell: Spell, would: tuple[float, ...], until: float, *, moved: bool
) -> tuple[float, ...]:
    """What it adds as told, as Totals: seconds lit, Ws, switches. moved: its relay was told another thing before."""
    if spell.switch == "auto":
        lit_s, switches = would[0], would[2]
    else:
        lit_s, switches = (until - spell.since if spell.switch == "on" else 0.0), float(moved)
    light = _light(spell)
    return (lit_s if light > 0 else 0.0), lit_s * _watts(duty, lamp, light), switches
