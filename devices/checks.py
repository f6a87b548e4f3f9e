"""Checks of quality against other fields and earlier readings: readings + memory at the last commit → flags + memory.

Pure and vectorised: the n-th reading of each device of a batch takes its step together with those of all others.
Only a reading newer than all that arrived of its device before is held against them, so what is found depends on the
order of arrival alone and never on how arrivals are cut into batches. What the steps mean: docs/quality.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from devices.batch import Readings
from devices.checks_memory import NEWEST, Check, Learnt, Memory, Placed, checks_of
from devices.fleet import Fleet
from devices.kind import Bools, Floats
from devices.quality import ROUNDING, Change, Flat, Quality, Reason, Restless

Rows = npt.NDArray[np.intp]
Flags = npt.NDArray[np.int32]
S_US = 1_000_000


class Checked(NamedTuple):
    """readings with their flags; learnt goes to `Memory.apply` once they are committed."""

    readings: list[Readings]
    learnt: list[Learnt]


def check(memory: Memory, fleet: Fleet, batch: Iterable[Readings]) -> Checked:
    """Flag a batch. Changes neither the memory nor the readings given."""
    checked = Checked([], [])
    for arrived in batch:
        with np.errstate(all="ignore"):
            readings = across_fields(arrived, fleet)
            if checks_of(readings.kind):
                readings, learnt = over_time(memory, fleet, readings)
                checked.learnt.append(learnt)
        checked.readings.append(readings)
    return checked


def across_fields(readings: Readings, fleet: Fleet) -> Readings:
    """Suspect what the fields of one reading rule out together."""
    found = readings.kind.doubtful(readings.numbers, lambda name: fleet.attribute(name)[readings.device])
    doubtful = np.zeros(len(readings), dtype=np.bool_)
    for rows in found.values():
        doubtful |= rows
    if not doubtful.any():
        return readings
    qc = np.where(doubtful & readings.trusted, Quality.SUSPECT, readings.qc).astype(np.int16)
    return replace(readings, qc=qc, reason=readings.reason | (doubtful * Reason.CROSS_FIELD).astype(np.int32))


def over_time(memory: Memory, fleet: Fleet, readings: Readings) -> tuple[Readings, Learnt]:
    """Hold each reading against those of its device before it."""
    kind = readings.kind
    order, own, rounds = _rounds(readings.device)
    devices = readings.device[order[: rounds[0]]] if rounds else readings.device[:0]
    state = memory.recall(kind, devices)
    ts_us, trusted = readings.ts_us[order].astype(np.float64), readings.trusted[order]
    steps = [
        _step(placed, readings.numbers[placed.metric][order], trusted, fleet, readings.device[order], devices)
        for placed in checks_of(kind)
    ]
    flags = np.zeros(len(readings), dtype=np.int32)
    failed = np.zeros(len(readings), dtype=np.bool_)
    first = 0
    for size in rounds:
        at = _At(slice(first, first + size), slice(None) if size == len(devices) else own[first : first + size])
        newest = state[NEWEST, at.own]
        newer = ~(ts_us[at.rows] <= newest)  # NaN: none came before
        if not newer.all():
            at, newest = at.only(newer, own), newest[newer]
        now_us = ts_us[at.rows]
        gap_us = now_us - newest
        state[NEWEST, at.own] = now_us
        for step in steps:
            _take(step, state, at, own, ts_us, gap_us, flags, failed)
        first += size
    learnt = Learnt(kind, devices, np.ascontiguousarray(state.T))
    if not flags.any():
        return readings, learnt
    back = np.empty(len(order), dtype=np.intp)
    back[order] = np.arange(len(order))
    flags, failed = flags[back], failed[back]
    doubted = flags & ~int(Reason.RESTLESS) != 0
    qc = np.where(failed, Quality.FAIL, np.where(doubted, Quality.SUSPECT, readings.qc)).astype(np.int16)
    return replace(readings, qc=qc, reason=readings.reason | flags), learnt


def _rounds(device: npt.NDArray[np.int64]) -> tuple[Rows, Rows, list[int]]:
    """Rows in rounds, the first of each device by its number, the second of each, and so on; beside each row its
    device's place in the first round; and how many rows each round has."""
    by_device = np.argsort(device, kind="stable")
    sorted_ = device[by_device]
    begins = np.ones(len(sorted_), dtype=np.bool_)
    begins[1:] = sorted_[1:] != sorted_[:-1]
    starts = np.flatnonzero(begins)
    place = np.cumsum(begins) - 1
    nth = np.arange(len(sorted_)) - starts[place]
    in_rounds = np.argsort(nth, kind="stable")
    return by_device[in_rounds], place[in_rounds], np.bincount(nth).tolist()


class _At(NamedTuple):
    """Rows of one round, at most one of each device, and the places of their devices."""

    rows: slice | Rows
    own: slice | Rows

    def only(self, kept: Bools, own: Rows) -> _At:
        rows = np.arange(self.rows.start, self.rows.stop) if isinstance(self.rows, slice) else self.rows
        return _At(rows[kept], own[rows[kept]])


class _Step(NamedTuple):
    """One check of one metric: cells is its part of the state, per_s the limit of each device, known the rows with a
    value to judge (None: all)."""

    check: Check
    cells: slice
    value: Floats
    per_s: Floats
    known: Bools | None


def _step(
    placed: Placed,
    value: Floats,
    trusted: Bools,
    fleet: Fleet,
    device: npt.NDArray[np.int64],
    devices: npt.NDArray[np.int64],
) -> _Step:
    check, known = placed.check, trusted & ~np.isnan(value)
    per_s = np.full(len(devices), check.per_s if isinstance(check, Change) else np.nan)
    if isinstance(check, Change) and check.per is not None:
        per_s *= fleet.attribute(check.per)[devices]
    if isinstance(check, Flat) and check.step is not None:
        known &= ~(fleet.attribute(check.step)[device] > check.tolerance)
    return _Step(check, slice(placed.first, placed.beyond), value, per_s, None if known.all() else known)


def _take(
    step: _Step, state: Floats, at: _At, own: Rows, ts_us: Floats, gap_us: Floats, flags: Flags, failed: Bools
) -> None:
    """One check of one round: its flags, and the state after."""
    if step.known is not None:
        known = step.known[at.rows]
        if not known.any():
            return
        if not known.all():
            at, gap_us = at.only(known, own), gap_us[known]
    cells, value, now_us = state[step.cells], step.value[at.rows], ts_us[at.rows]
    before = cells[:, at.own]
    after: tuple[Floats, ...]
    if isinstance(step.check, Change):
        found, after = changed(step.check, step.per_s[at.own], before, value, now_us)
        flags[at.rows] |= found
    elif isinstance(step.check, Restless):
        restless, after = risen(step.check, before, value, now_us)
        flags[at.rows] |= restless * np.int32(Reason.RESTLESS)
    else:
        flat, dead, after = flattened(step.check, before, value, now_us, gap_us)
        flags[at.rows] |= flat * np.int32(Reason.FLAT)
        failed[at.rows] |= dead
    for cell, column in zip(cells, after, strict=True):
        cell[at.own] = column


def changed(
    check: Change, per_s: Floats, before: Floats, value: Floats, ts_us: Floats
) -> tuple[Flags, tuple[Floats, Floats, Floats]]:
    """Flags, and the cells after: accepted value, its time in µs, how many in a row are too far, signed."""
    accepted, at_us, run = before
    by = value - accepted
    size = by if check.rises_only else np.abs(by)
    far = size > np.maximum(check.least, per_s * (ts_us - at_us) / S_US)  # nothing accepted yet, no limit: false
    if not far.any():
        return np.zeros(len(value), dtype=np.int32), (value, ts_us, np.zeros(len(value)))
    side = np.where(far, np.sign(by), 0.0)
    run = np.where(side * run > 0, run + side, side)
    doubted = far & (np.abs(run) < check.confirm)
    flags = doubted * int(Reason.RATE) | (doubted & (size > check.spike)) * int(Reason.SPIKE)
    after = (np.where(doubted, accepted, value), np.where(doubted, at_us, ts_us), np.where(doubted, run, 0.0))
    return flags.astype(np.int32), after


def flattened(
    check: Flat, before: Floats, value: Floats, ts_us: Floats, gap_us: Floats
) -> tuple[Bools, Bools, tuple[Floats, Floats, Floats, Floats]]:
    """Flat, flat for too long, and the cells after: lowest and highest of the run, its begin in µs, its length."""
    low, high, since_us, length = before
    low, high = np.minimum(low, value), np.maximum(high, value)
    goes_on = (high - low <= check.tolerance + ROUNDING) & (gap_us <= check.suspect_s * S_US) & (value > check.above)
    low, high = np.where(goes_on, low, value), np.where(goes_on, high, value)
    since_us, length = np.where(goes_on, since_us, ts_us), np.where(goes_on, length + 1, 1.0)
    lasts_us = ts_us - since_us
    flat = (lasts_us >= check.suspect_s * S_US) & (length >= check.samples)
    return flat, flat & (lasts_us >= check.fail_s * S_US), (low, high, since_us, length)


def risen(check: Restless, before: Floats, value: Floats, ts_us: Floats) -> tuple[Bools, tuple[Floats, ...]]:
    """Risen too often, and the cells after: last value, its time in µs, and since when each of the last `rise` times it
    rose by one lies, oldest first: the time of the reading before."""
    last, at_us, *since = before
    by = value - last  # NaN at first: no rise
    for times in range(1, check.rise + 1):
        again = by >= times
        if not again.any():
            break
        since = [np.where(again, later, own) for own, later in zip(since, [*since[1:], at_us], strict=True)]
    return since[0] >= ts_us - check.within_s * S_US, (value, ts_us, *since)
