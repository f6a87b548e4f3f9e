"""Which rule watches which device: of the rules of one id the most specific one, worked out once for a fleet. Pure.

Of a device that is planned or retired none does.

From general to specific: all kinds ("*"), the kind, a district, an attribute of the kind (of two the one that it
names later in group_by: a feeder before its panel), one device.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alerts.rule import DEVICE, DISTRICT, Key, Level, Rule
from devices.device import IN_SERVICE, Device
from devices.fleet import Fleet
from devices.kind import Bools
from devices.kinds import KINDS

Rows = npt.NDArray[np.intp]
NOT_WATCHED = -1


class Watch(NamedTuple):
    """The rules of one id on the devices of a kind. of: which of them, by device number; None: the only one on all."""

    rules: tuple[Rule, ...]
    of: npt.NDArray[np.int32] | None

    def on(self, number: int) -> Rule | None:
        """The rule that watches this device."""
        which = 0 if self.of is None else int(self.of[number])
        return None if which == NOT_WATCHED else self.rules[which]

    def split(self, devices: Rows) -> Iterator[tuple[Rule, Bools | None]]:
        """Each rule that watches any of these devices, with a mask of those; None: all of them."""
        if self.of is None:
            yield self.rules[0], None
            return
        which = self.of[devices]
        for number in np.unique(which).tolist():
            if number != NOT_WATCHED:
                yield self.rules[number], which == number


class Watched:
    """Rules on a fleet; each kind is worked out when it is first asked for."""

    def __init__(self, rules: tuple[Rule, ...], fleet: Fleet) -> None:
        self.rules, self.fleet = rules, fleet
        self._of: dict[str, dict[str, Watch]] = {}
        self._numbers: dict[str, Rows] = {}
        self._groups: dict[str, dict[str, list[int]]] = {}
        self._resting: dict[str, list[int]] = {}
        for number, device in enumerate(fleet.devices):
            if device.status != IN_SERVICE:
                self._resting.setdefault(device.kind, []).append(number)

    def of(self, kind: str) -> dict[str, Watch]:
        """The watches on a kind by the id of their rules, in order of the rules; none where all are disabled."""
        found = self._of.get(kind)
        if found is None:
            variants: dict[str, list[Rule]] = {}
            for rule in self.rules:
                if rule.kind in (kind, "*"):
                    variants.setdefault(rule.id, []).append(rule)
            made = {name: self._watch(kind, each) for name, each in variants.items()}
            found = self._of[kind] = {name: watch for name, watch in made.items() if watch is not None}
        return found

    def on(self, key: Key) -> Rule | None:
        """The rule of this id that watches this device."""
        number = self.fleet.number.get(key.device_id)
        if number is None:
            return None
        watch = self.of(self.fleet.devices[number].kind).get(key.rule)
        return None if watch is None else watch.on(number)

    def numbers(self, kind: str) -> Rows:
        """Numbers of all devices of a kind."""
        found = self._numbers.get(kind)
        if found is None:
            of_kind = [number for number, device in enumerate(self.fleet.devices) if device.kind == kind]
            found = self._numbers[kind] = np.array(of_kind, dtype=np.intp)
        return found

    def _watch(self, kind: str, variants: Sequence[Rule]) -> Watch | None:
        from_general = sorted(variants, key=lambda rule: _rank(rule, kind))
        resting = self._resting.get(kind)
        if not resting and not any(rule.scope for rule in variants):
            last = from_general[-1]
            return Watch((last,), None) if last.enabled else None
        of = np.full(len(self.fleet), NOT_WATCHED, dtype=np.int32)
        for which, rule in enumerate(from_general):
            of[self._members(rule, kind)] = which if rule.enabled else NOT_WATCHED
        if resting:  # planned or retired
            of[resting] = NOT_WATCHED
        return Watch(tuple(from_general), of)

    def _members(self, rule: Rule, kind: str) -> Rows | list[int]:
        for by, value in rule.scope.items():
            if by == DEVICE:
                number = self.fleet.number.get(value)
                return [] if number is None else [number]
            return self._grouped(by).get(value, [])
        return self.numbers(kind)

    def _grouped(self, by: str) -> dict[str, list[int]]:
        """Numbers of devices by their value of an attribute."""
        found = self._groups.get(by)
        if found is None:
            found = self._groups[by] = {}
            for number, device in enumerate(self.fleet.devices):
                value = _value(device, by)
                if isinstance(value, str):
                    found.setdefault(value, []).append(number)
        return found


def rule_on(rules: Sequence[Rule], device: Device, rule_id: str) -> Rule | None:
    """The rule of an id that watches a device."""
    return Watched(tuple(rules), Fleet([device])).on(Key(rule_id, device.id))


def level_on(rules: Sequence[Rule], device: Device, rule_id: str, severity: int) -> Level | None:
    """The level of that rule at which an alert of this severity stands: who is in charge, what is to be done."""
    rule = rule_on(rules, device, rule_id)
    return next((level for level in rule.level if level.severity == severity), None) if rule else None


def _rank(rule: Rule, kind: str) -> tuple[int, int, bool]:
    """How specific a rule is."""
    own = rule.kind != "*"
    for by in rule.scope:
        if by == DEVICE:
            return 3, 0, own
        if by == DISTRICT:
            return 1, 0, own
        grouping = KINDS[kind].group_by
        return 2, grouping.index(by) if by in grouping else 0, own
    return 0, 0, own


def _value(device: Device, by: str) -> object:
    return device.district if by == DISTRICT else device.attributes.get(by)
