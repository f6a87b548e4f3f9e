"""What a run of rules comes to: alerts, floods of them, and who has most. Pure."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from alerts import kpi
from alerts.engine import Transition
from devices.kind import Label

TOP = 10
FOR_EVER = float("inf")


class Noisy(NamedTuple):
    """One rule on one device."""

    rule: str
    device_id: str
    alerts: int
    transitions: int


class Total(NamedTuple):
    """alerts: raised live, or gone live. historical: raised by late data, which nobody is told of."""

    alerts: int
    historical: int
    transitions: int
    floods: int
    flood_s: float
    by_rule: dict[str, int]
    top: list[Noisy]


@dataclass
class Tally:
    """Counts transitions as they come; keeps one time for each alert."""

    raised_s: array[float] = field(default_factory=lambda: array("d"))
    historical: int = 0
    alerts: Counter[tuple[str, str]] = field(default_factory=Counter)
    transitions: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, transitions: Iterable[Transition]) -> None:
        for each in transitions:
            self.transitions[each.key] += 1
            if each.what in ("raised", "went_live") and not each.historical:
                self.alerts[each.key] += 1
                self.raised_s.append(each.event_at.timestamp())
            elif each.what == "raised":
                self.historical += 1

    def total(self) -> Total:
        flooded = kpi.floods(np.sort(np.array(self.raised_s)), FOR_EVER)
        by_rule: Counter[str] = Counter()
        for (rule, _), number in self.alerts.items():
            by_rule[rule] += number
        worst = sorted(self.transitions, key=lambda key: (-self.alerts[key], -self.transitions[key], key))
        return Total(
            alerts=self.alerts.total(),
            historical=self.historical,
            transitions=self.transitions.total(),
            floods=len(flooded),
            flood_s=sum(each.end - each.begin for each in flooded),
            by_rule=dict(sorted(by_rule.items())),
            top=[Noisy(*key, self.alerts[key], self.transitions[key]) for key in worst[:TOP]],
        )


def sentence(current: Total, candidate: Total | None) -> Label:
    """What a dry-run comes to, for people."""
    english, indonesian = f"would have raised {_english(current)}", f"akan memunculkan {_indonesian(current)}"
    if candidate is not None:
        english += f"; with the candidate: {_english(candidate)}"
        indonesian += f"; dengan usulan: {_indonesian(candidate)}"
    return Label(indonesian, english)


def _english(total: Total) -> str:
    return f"{_many(total.alerts, 'alert')}, {_many(total.floods, 'flood')}"


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _indonesian(total: Total) -> str:
    return f"{total.alerts} peringatan, {total.floods} lonjakan"
