"""Stored readings through the engine once more, with other rules or the same: what would have been raised. Pure.

The clock is that of the arrivals: it stands still between two of them but for devices that fall silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from alerts.engine import Engine, Evaluated, Rows, Transition, evaluate
from alerts.rule import Rule
from alerts.silence import find_silent, is_stream_silent, next_silent_us
from devices.batch import Packet, Readings, utc
from devices.fleet import Fleet
from devices.kind import Kind
from devices.kinds import KINDS

# What evaluation never looks at: stored rows do not have it.
_NO_PACKET = Packet("", b"", utc(0))
_NO_ITEM: dict[str, Any] = {}
END_US = np.iinfo(np.int64).max


class Arrived(NamedTuple):
    """Stored readings of a kind in order of arrival: (device_id, ts µs, received µs, qc, reason, *metrics)."""

    kind: str
    metrics: Sequence[str]
    rows: Sequence[tuple[Any, ...]]


class Replay:
    """Rules on a fleet, at rest to begin with. What stood before the first reading is raised by it once more."""

    def __init__(self, rules: tuple[Rule, ...], fleet: Fleet, since: datetime, stream_silent_s: float | None) -> None:
        self._fleet, self._stream_silent_s = fleet, stream_silent_s
        self._engine = Engine(rules)
        self._engine.fit(fleet)
        self._since_us = _microseconds(since)  # since when we listen
        self._heard_us = self._since_us  # the newest arrival
        self._has_stale = any(rule.condition == "stale" for rule in rules)

    def feed(self, batch: Sequence[Readings]) -> list[Transition]:
        """What these readings, none of which arrived before those fed already, make of the alerts."""
        waiting = [in_turn(readings) for readings in batch]
        found: list[Transition] = []
        while waiting:
            due_us = self._due_us()
            if due_us == END_US and self._has_stale:
                # Until somebody is heard live nobody is due: the first who is says who is from then on.
                due_us = min((int(us) for each in waiting for us in each.received_us[~each.late][:1]), default=END_US)
            now, waiting = _parted(waiting, due_us)
            if now:
                found += self._apply(evaluate(self._engine, self._fleet, now))
                self._heard_us = max(self._heard_us, *(int(each.received_us.max()) for each in now))
            elif waiting:
                found += self._look(due_us, min(int(each.received_us.min()) for each in waiting))
        return found

    def end(self, until: datetime) -> list[Transition]:
        """Devices that fell silent between the last arrival and the end."""
        until_us = _microseconds(until)
        found: list[Transition] = []
        while (due_us := self._due_us()) < until_us:
            found += self._look(due_us, until_us)
        return found

    def _due_us(self) -> int:
        """Until when readings can be evaluated before the next device counts as silent."""
        if not self._has_stale:
            return END_US
        due = next_silent_us(self._engine, self._fleet, self._since_us)
        return END_US if np.isinf(due) else int(due)

    def _look(self, due_us: int, next_us: int) -> list[Transition]:
        """Look for silent devices as ingest does. next_us: when something is heard again."""
        now, heard = utc(due_us + 1), utc(self._heard_us)
        if is_stream_silent(self._engine, self._fleet, now, heard, self._stream_silent_s):
            self._since_us = next_us  # then every device has its time to speak
            return []
        return self._apply(find_silent(self._engine, self._fleet, now, utc(self._since_us)))

    def _apply(self, evaluated: Evaluated) -> list[Transition]:
        self._engine.apply(evaluated)
        return evaluated.transitions


def readings_of(arrived: Arrived, fleet: Fleet) -> Readings:
    """Stored rows as what evaluation takes. Devices that the fleet does not have are left out."""
    kind = KINDS[arrived.kind]
    rows = [row for row in arrived.rows if row[0] in fleet.number]
    device_id, ts_us, received_us, qc, reason, *values = zip(*rows, strict=True) if rows else _none(arrived)
    count = len(rows)
    return Readings(
        kind=kind,
        device=np.array([fleet.number[each] for each in device_id], dtype=np.int64),
        device_id=device_id,
        packet=[_NO_PACKET] * count,
        ts_us=np.array(ts_us, dtype=np.int64),
        received_us=np.array(received_us, dtype=np.int64),
        seq=[None] * count,
        boot=[None] * count,
        fw=[None] * count,
        numbers={
            name: np.array(column, dtype=np.float64) for name, column in zip(arrived.metrics, values, strict=True)
        },
        qc=np.array(qc, dtype=np.int16),
        reason=np.array(reason, dtype=np.int32),
        item=[_NO_ITEM] * count,
    )


def in_turn(readings: Readings) -> Readings:
    """Without what was not newer than all that had arrived of its device before: live, it decided nothing.

    The engine sorts a batch by ts, and these readings came in many; what arrived in one moment stays together.
    """
    if len(readings) == 0:
        return readings
    order = np.lexsort((readings.ts_us, readings.received_us, readings.device))
    device, received, ts_us = readings.device[order], readings.received_us[order], readings.ts_us[order]
    # Devices one after the other on one scale, so that one running maximum serves all.
    _, rank = np.unique(device, return_inverse=True)
    scale = rank * (int(ts_us.max()) - int(ts_us.min()) + 1) + (ts_us - ts_us.min())
    newest = np.maximum.accumulate(scale)
    new_moment = np.append(True, (device[1:] != device[:-1]) | (received[1:] != received[:-1]))
    first = np.maximum.accumulate(np.where(new_moment, np.arange(len(order)), 0))
    before = np.where(first > 0, newest[first - 1], -1)
    # Of the device before everything is lower on the scale.
    kept = np.sort(order[scale > before])
    return readings if len(kept) == len(readings) else _rows(readings, kept)


def metrics_of(rules: Sequence[Rule], kind: Kind) -> tuple[str, ...]:
    """Metrics that these rules look at, of a kind."""
    wanted = frozenset[str]().union(*(rule.metrics for rule in rules if rule.kind == kind.name))
    return tuple(name for name in kind.metrics if name in wanted)


def kinds_of(rules: Sequence[Rule]) -> list[Kind]:
    """Kinds that these rules may watch."""
    names = {rule.kind for rule in rules if rule.enabled}
    return [kind for kind in KINDS.values() if "*" in names or kind.name in names]


def _parted(batch: Sequence[Readings], until_us: int) -> tuple[list[Readings], list[Readings]]:
    """What arrived up to then, and what came after."""
    before, after = [], []
    for readings in batch:
        cut = int(np.searchsorted(readings.received_us, until_us, side="right"))
        if cut == len(readings):
            before.append(readings)
            continue
        if cut:
            before.append(readings.part(slice(cut)))
        after.append(readings.part(slice(cut, None)))
    return [each for each in before if len(each)], after


def _rows(readings: Readings, rows: Rows) -> Readings:
    chosen = rows.tolist()
    count = len(chosen)
    return replace(
        readings.part(slice(count)), device=readings.device[rows], ts_us=readings.ts_us[rows],
        device_id=[readings.device_id[row] for row in chosen], received_us=readings.received_us[rows],
        numbers={name: column[rows] for name, column in readings.numbers.items()}, qc=readings.qc[rows],
        reason=readings.reason[rows],
    )  # fmt: skip


def _none(arrived: Arrived) -> Sequence[tuple[Any, ...]]:
    return [()] * (5 + len(arrived.metrics))


def _microseconds(at: datetime) -> int:
    return round(at.timestamp() * 1e6)
