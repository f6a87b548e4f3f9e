"""Readings + state at the last commit → transitions + next state. No clock, no I/O: time comes in as an argument.

Conditions run vectorised over the batch; only readings that reach a rung, or whose device is not at rest, take a step
in Python. Nothing changes until `apply`: a failed commit is simply evaluated again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from alerts.conditions import CONDITIONS, OF_ANY_READING, UNKNOWN, Seen
from alerts.rule import BY_WORKER, Key, Rule
from alerts.rules_scope import Watched
from alerts.state import State, step
from devices.batch import Readings
from devices.fleet import Fleet
from devices.kind import Bools

What = Literal["raised", "worsened", "eased", "cleared", "went_live"]
NEVER = np.iinfo(np.int64).min

Rows = npt.NDArray[np.intp]
Microseconds = npt.NDArray[np.int64]
NOBODY: Rows = np.empty(0, dtype=np.intp)


class Transition(NamedTuple):
    """One step of an alert's life. Severities are None where there is no level (before raising, after clearing).

    peak_severity is the worst since it was raised (or went live), this step included. why: what else than readings.
    """

    key: Key
    kind: str
    what: What
    metric: str | None
    from_severity: int | None
    to_severity: int | None
    siaga: int | None
    event_at: datetime
    value: float | None
    historical: bool
    peak_severity: int | None = None
    why: str | None = None


class Times(NamedTuple):
    """Of readings that were evaluated, in columns: the device's number, when it was and, of live ones, the arrival."""

    device: Rows
    ts_us: Microseconds
    received_us: Microseconds  # NEVER where it came late


class Evaluated(NamedTuple):
    """What a batch would change; hand it to `Engine.apply` once it is committed."""

    transitions: list[Transition]
    states: dict[Key, State | None]  # None: at rest, forget it
    times: list[Times]
    # Of each Readings, those that may make another past than was told: alerts/hindsight.py.
    passed: Sequence[Bools] = ()


@dataclass
class Engine:
    """The state at the last commit."""

    rules: tuple[Rule, ...]
    states: dict[Key, State] = field(default_factory=dict)
    newest_us: Microseconds = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    heard_us: Microseconds = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    _watched: Watched | None = field(default=None, init=False, repr=False, compare=False)

    def watched(self, fleet: Fleet) -> Watched:
        """Which rule watches which device of this fleet; worked out when rules or fleet have changed."""
        if self._watched is None or self._watched.rules is not self.rules or self._watched.fleet is not fleet:
            self._watched = Watched(self.rules, fleet)
        return self._watched

    def fit(self, fleet: Fleet) -> None:
        """Make room for devices that joined the fleet."""
        missing = len(fleet) - len(self.newest_us)
        if missing > 0:
            never = np.full(missing, NEVER, dtype=np.int64)
            self.newest_us = np.concatenate([self.newest_us, never])
            self.heard_us = np.concatenate([self.heard_us, never])

    def apply(self, evaluated: Evaluated) -> None:
        """Take over what has been committed."""
        for key, state in evaluated.states.items():
            if state is None:
                self.states.pop(key, None)
            else:
                self.states[key] = state
        for device, ts_us, received_us in evaluated.times:
            np.maximum.at(self.newest_us, device, ts_us)
            np.maximum.at(self.heard_us, device, received_us)


def evaluate(engine: Engine, fleet: Fleet, batch: Iterable[Readings]) -> Evaluated:
    """Evaluate a batch. Readings that are not newer than the device's newest evaluated one decide nothing."""
    evaluated = Evaluated([], {}, [])
    busy = _busy(engine, fleet)
    watched = engine.watched(fleet)
    passed = []
    for readings in batch:
        order = _order(engine, readings)
        passed.append(_passed(engine, fleet, readings, order))
        seen = Seen(readings, fleet)
        for name, watch in watched.of(readings.kind.name).items():
            for rule, mine in watch.split(readings.device[order]):
                if rule.condition in BY_WORKER:
                    continue
                _run(engine, rule, fleet, *_rows(seen, fleet, order, mine), busy.get(name, NOBODY), evaluated)
        evaluated.times.append(_times(readings, order))
    return evaluated._replace(passed=passed)


def _busy(engine: Engine, fleet: Fleet) -> dict[str, Rows]:
    """By rule, the numbers of devices that are not at rest."""
    busy: dict[str, list[int]] = {}
    for rule, device_id in engine.states:
        if (number := fleet.number.get(device_id)) is not None:
            busy.setdefault(rule, []).append(number)
    return {rule: np.array(numbers, dtype=np.intp) for rule, numbers in busy.items()}


def _passed(engine: Engine, fleet: Fleet, readings: Readings, order: Rows) -> Bools:
    """Readings that decide nothing, as newer ones came before; and late ones under an alert that was raised live."""
    passed = np.ones(len(readings), dtype=np.bool_)
    passed[order] = False
    if readings.late.any():
        by_clock = {rule.id for rule in engine.rules if rule.condition == "stale"}
        live = np.zeros(len(fleet), dtype=np.bool_)
        for key, state in engine.states.items():
            if state.rung and not state.historical and key.rule not in by_clock and key.device_id in fleet.number:
                live[fleet.number[key.device_id]] = True
        passed |= readings.late & live[readings.device]
    return passed


def _order(engine: Engine, readings: Readings) -> Rows:
    """Rows in event order, each newer than all of its device before it."""
    newer = np.flatnonzero(readings.ts_us > engine.newest_us[readings.device])
    by_device = newer[np.lexsort((readings.ts_us[newer], readings.device[newer]))]
    device, ts_us = readings.device[by_device], readings.ts_us[by_device]
    # The same device and time twice in a batch: the first decides, as the first is stored (lexsort is stable).
    again = np.zeros(len(by_device), dtype=np.bool_)
    again[1:] = (device[1:] == device[:-1]) & (ts_us[1:] == ts_us[:-1])
    kept = np.sort(by_device[~again])
    return kept[np.argsort(readings.ts_us[kept], kind="stable")]


def _rows(seen: Seen, fleet: Fleet, order: Rows, mine: Bools | None) -> tuple[Seen, Rows]:
    """The readings that a rule looks at, and in which order."""
    if mine is None:
        return seen, order
    rows = order[mine]
    # Conditions look at whole columns: of a rule for few devices only theirs, as cutting them out costs 1 µs a row.
    if 2 * len(rows) > len(seen.readings):
        return seen, rows
    return Seen(_only(seen.readings, rows), fleet), np.arange(len(rows), dtype=np.intp)


def _only(readings: Readings, rows: Rows) -> Readings:
    numbers = {name: column[rows] for name, column in readings.numbers.items()}
    lists = (readings.device_id, readings.packet, readings.seq, readings.boot, readings.fw, readings.item)
    device_id, packet, seq, boot, fw, item = ([column[row] for row in rows.tolist()] for column in lists)
    return replace(
        readings, device=readings.device[rows], device_id=device_id, packet=packet, ts_us=readings.ts_us[rows],
        received_us=readings.received_us[rows], seq=seq, boot=boot, fw=fw, numbers=numbers, qc=readings.qc[rows],
        reason=readings.reason[rows], item=item,
    )  # fmt: skip


def _run(
    engine: Engine,
    rule: Rule,
    fleet: Fleet,
    seen: Seen,
    order: Rows,
    busy: Rows,
    evaluated: Evaluated,
) -> None:
    readings = seen.readings
    up, hold = CONDITIONS[rule.condition](rule, seen)
    late = readings.late
    if rule.condition not in OF_ANY_READING:
        up = np.where(readings.trusted, up, UNKNOWN)
    # Only devices that are not at rest, or that reach a rung in this batch, can move.
    moving = np.zeros(len(fleet), dtype=np.bool_)
    moving[busy] = True
    moving[readings.device[order][up[order] > 0]] = True
    for row in order[moving[readings.device[order]] & (up[order] != UNKNOWN)].tolist():
        key = Key(rule.id, readings.device_id[row])
        before = _state(engine, evaluated, key)
        if before is None and up[row] == 0:
            continue
        before = before or State.rest(rule)
        after = step(rule, before, readings.ts_us[row] / 1e6, int(up[row]), int(hold[row]), bool(late[row]))
        evaluated.states[key] = None if after.at_rest else after
        value = readings.numbers[rule.metric][row] if rule.metric else None
        moved = transition(
            rule, key, readings.kind.name, before, after, readings.ts(row),
            None if value is None or np.isnan(value) else float(value),
        )  # fmt: skip
        if moved:
            evaluated.transitions.append(moved)


def _state(engine: Engine, evaluated: Evaluated, key: Key) -> State | None:
    return evaluated.states[key] if key in evaluated.states else engine.states.get(key)


def transition(
    rule: Rule,
    key: Key,
    kind: str,
    before: State,
    after: State,
    at: datetime,
    value: float | None,
) -> Transition | None:
    """What happened between two states, if anything did."""
    what: What
    if before.historical and not after.historical and after.rung:
        what = "went_live"  # at whatever level: nobody was told of it before
    elif after.rung > before.rung:
        what = "worsened" if before.rung else "raised"
    elif after.rung < before.rung:
        what = "eased" if after.rung else "cleared"
    else:
        return None
    ladder = any(level.siaga for level in rule.level)
    siaga = rule.level[after.rung - 1].siaga if after.rung else 4 if ladder else None
    return Transition(
        key, kind, what, rule.metric, _severity(rule, before.rung), _severity(rule, after.rung), siaga,
        at.astimezone(UTC), value, before.historical if what == "cleared" else after.historical,
        _severity(rule, before.peak if what == "cleared" else after.peak),
    )  # fmt: skip


def _severity(rule: Rule, rung: int) -> int | None:
    return rule.level[rung - 1].severity if rung else None


def _times(readings: Readings, order: Rows) -> Times:
    arrived = np.where(readings.late[order], NEVER, readings.received_us[order])
    return Times(readings.device[order], readings.ts_us[order], arrived)
