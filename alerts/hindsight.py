"""What late readings make of the past: the alerts that a device would have had, had everything come in time. Pure.

Live, a reading that comes after a newer one decides nothing, and one that comes late moves no live alert. Afterwards
the stored readings are evaluated once more, in the order of their times and by the same engine; where that tells of
other alerts than the log does, the true ones are added as historical and stand in the place of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from alerts.conditions import CONDITIONS
from alerts.engine import Engine, Transition, evaluate
from alerts.rule import Rule
from alerts.rules_replay import Arrived, readings_of
from devices.device import Device
from devices.fleet import Fleet
from devices.kinds import KINDS
from devices.quality import Reason

FOR_EVER = float("inf")
# What no delay of a rule accounts for: conditions that look back over an hour.
MARGIN_S = 3600.0


class Step(NamedTuple):
    """A level that an alert comes to, at (epoch s) the reading that brings it there."""

    at: float
    severity: int
    siaga: int | None
    value: float | None


class Episode(NamedTuple):
    """One alert from raising to clearing; cleared None: it stands."""

    steps: tuple[Step, ...]
    cleared: Step | None = None

    @property
    def opened(self) -> float:
        return self.steps[0].at

    @property
    def until(self) -> float:
        return FOR_EVER if self.cleared is None else self.cleared.at

    @property
    def peak(self) -> int:
        return max(step.severity for step in self.steps)

    def same(self, other: Episode) -> bool:
        """Whether both tell the same: levels and times, not the digits of a value."""
        mine, others = [(s.at, s.severity) for s in self.steps], [(s.at, s.severity) for s in other.steps]
        return mine == others and self.until == other.until


class Told(NamedTuple):
    """An alert as it is stored, with all its episodes in order."""

    alert_id: int
    episodes: tuple[Episode, ...]

    @property
    def opened(self) -> float:
        return self.episodes[0].opened

    @property
    def until(self) -> float:
        return self.episodes[-1].until


class Correction(NamedTuple):
    """Alerts that late readings tell otherwise, and what they tell instead."""

    superseded: tuple[int, ...]
    true: tuple[Episode, ...]


class Reviewed(NamedTuple):
    """waits: something that was affected still stands, so what became of it cannot be told yet."""

    corrections: tuple[Correction, ...]
    waits: bool


class Past:
    """The readings of one device, told in order of their times, and what its rules make of them."""

    def __init__(self, rules: Sequence[Rule], device: Device) -> None:
        self._fleet = Fleet([device])
        self._engine = Engine(tuple(rules))
        self._engine.fit(self._fleet)
        self._transitions: list[Transition] = []

    def feed(self, arrived: Arrived) -> None:
        """The next of them: rows as in storage/rules_replay.py, by ts."""
        rows = [(row[0], row[1], row[1], row[3], row[4] & ~Reason.LATE, *row[5:]) for row in arrived.rows]
        evaluated = evaluate(self._engine, self._fleet, [readings_of(arrived._replace(rows=rows), self._fleet)])
        self._engine.apply(evaluated)
        self._transitions += evaluated.transitions

    @property
    def at_rest(self) -> bool:
        return not self._engine.states

    def episodes(self) -> dict[str, list[Episode]]:
        """By rule."""
        return episodes(self._transitions)


def episodes(transitions: Iterable[Transition]) -> dict[str, list[Episode]]:
    """Alerts of one device, from its transitions in order, by rule."""
    found: dict[str, list[Episode]] = {}
    for each in transitions:
        mine = found.setdefault(each.key.rule, [])
        at = each.event_at.timestamp()
        standing = bool(mine) and mine[-1].cleared is None
        if each.what == "cleared":
            if standing:
                mine[-1] = mine[-1]._replace(cleared=Step(at, mine[-1].steps[-1].severity, each.siaga, each.value))
            continue
        assert each.to_severity is not None
        step = Step(at, each.to_severity, each.siaga, each.value)
        if not standing:
            mine.append(Episode((step,)))
        elif mine[-1].steps[-1].severity != step.severity:  # going live may leave the level as it is
            mine[-1] = mine[-1]._replace(steps=(*mine[-1].steps, step))
    return found


def ahead_s(rules: Iterable[Rule], kind: str) -> float:
    """For how long a reading can matter to what comes after it, or before: delays, and readings in a row."""
    longest = max((_longest_s(rule, KINDS[kind].interval_s) for rule in rules), default=0.0)
    return longest + MARGIN_S


def review(told: Sequence[Told], true: Sequence[Episode], since: float, until: float) -> Reviewed:
    """Of one rule on one device: what is to be corrected between two times (epoch s) that readings came late for."""
    corrections: list[Correction] = []
    waits = False
    for alerts, found in _together(told, true):
        spans: list[Told | Episode] = [*alerts, *found]
        if min(each.opened for each in spans) > until or max(each.until for each in spans) < since:
            continue
        recorded = sorted((each for alert in alerts for each in alert.episodes), key=lambda each: each.opened)
        if len(recorded) == len(found) and all(a.same(b) for a, b in zip(recorded, found, strict=True)):
            continue
        if any(each.until == FOR_EVER for each in spans):
            waits = True
        else:
            corrections.append(Correction(tuple(alert.alert_id for alert in alerts), tuple(found)))
    return Reviewed(tuple(corrections), waits)


def _together(told: Sequence[Told], true: Sequence[Episode]) -> Iterator[tuple[list[Told], list[Episode]]]:
    """Alerts and episodes whose times overlap, taken together; in order of time."""
    spans: list[Told | Episode] = sorted([*told, *true], key=lambda each: (each.opened, each.until))
    alerts: list[Told] = []
    found: list[Episode] = []
    reach = -FOR_EVER
    for each in spans:
        if each.opened > reach and (alerts or found):
            yield alerts, found
            alerts, found = [], []
        if isinstance(each, Told):
            alerts.append(each)
        else:
            found.append(each)
        reach = max(reach, each.until)
    if alerts or found:
        yield alerts, found


def _longest_s(rule: Rule, interval_s: float) -> float:
    if rule.condition not in CONDITIONS:
        return 0.0
    delays = (max(level.delay_on_s, (level.samples - 1) * interval_s) for level in rule.level)
    return max(rule.delay_off_s, *delays)
