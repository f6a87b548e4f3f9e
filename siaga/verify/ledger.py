"""The ledger's lines against the truth and against the rows that are really there. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from siaga.verify.report import Finding
from siaga.verify.sent import CONFLICT, DUPLICATE, PLACED, STORED, Sent
from siaga.verify.window import Window
from storage.audit import Ints, LedgerLine, Rows

HOUR_US = 3_600_000_000
Hour = tuple[int, int]  # device, when it begins


class Counted(NamedTuple):
    """Duplicates and conflicts of the truth that the ledger has, and what it has beyond: delivered again."""

    findings: list[Finding]
    duplicate: int
    conflict: int
    again: int


class _Told(NamedTuple):
    """Of one hour; unsure: the broker may have lost something of it. distinct: conflicts that differ."""

    stored: int = 0
    duplicate: int = 0
    conflict: int = 0
    distinct: int = 0
    unsure: bool = False


def compare(
    devices: Sequence[str], sent: Sent, stored: Rows, foreign: Ints, ledger: Iterable[LedgerLine], window: Window,
    over_cap: Container[str], replayed: Container[str] = (),
) -> Counted:  # fmt: skip
    """Per device and hour of ts, named by the truth or within the window: stored must be the rows that are there, and
    what the truth has beside rows foreign to it.

    Duplicates and conflicts at least as in the truth: a conflict that comes again counts as a duplicate. over_cap:
    devices of which quarantine only counts conflicts, and cannot tell that one came again. replayed: devices of which
    quarantined packets became something else, which may be more conflicts and duplicates, or fewer.
    """
    told = _told(sent)
    there = Counter(_hours(stored, np.arange(len(stored))))
    strange = Counter(_hours(stored, foreign))
    number = {device_id: index for index, device_id in enumerate(devices)}
    lines = {(number[line.device_id], line.hour_us): line for line in ledger}
    findings = []
    duplicates = conflicts = again = 0
    beside = {hour for hour in lines.keys() | there.keys() if window.touches(hour[1], HOUR_US)}
    for hour in sorted(told.keys() | beside):
        want = told.get(hour, _Told())
        line = lines.get(hour) or LedgerLine(devices[hour[0]], hour[1], 0, 0, 0)
        wrong = _wrong_stored(line, want, there[hour], strange[hour])
        conflict = min(line.conflict, want.conflict)
        duplicate = min(line.duplicate, want.duplicate)
        repeated = min(want.conflict - conflict, line.duplicate - duplicate)
        if not want.unsure and line.device_id not in replayed:
            wrong += _wrong_others(line, want, conflict + repeated, line.device_id in over_cap)
        if wrong:
            findings.append(Finding("different", "ledger", line.device_id, line.hour_us, "; ".join(wrong)))
        duplicates += duplicate
        conflicts += conflict + repeated
        again += line.duplicate - duplicate - repeated
    return Counted(findings, duplicates, conflicts, again)


def _wrong_stored(line: LedgerLine, want: _Told, there: int, strange: int) -> list[str]:
    if line.stored == there and (want.unsure or line.stored == want.stored + strange):
        return []
    return [f"stored is {line.stored}, {there} rows are there, the truth has {want.stored}"]


def _wrong_others(line: LedgerLine, want: _Told, conflicts: int, over_cap: bool) -> list[str]:
    """conflicts: how many of the truth's the line has, among its conflicts or its duplicates."""
    if line.conflict < want.distinct or (line.conflict > want.conflict and not over_cap):
        return [f"conflict is {line.conflict}, the truth has {want.conflict}"]
    if line.duplicate < want.duplicate or conflicts < want.conflict:
        least = want.duplicate + max(want.conflict - line.conflict, 0)
        return [f"duplicate is {line.duplicate}, the truth has {least}"]
    return []


def _told(sent: Sent) -> dict[Hour, _Told]:
    placed = np.flatnonzero(np.isin(sent.outcome, PLACED))
    counts: dict[int, Counter[Hour]] = {
        outcome: Counter(_hours(sent.rows, placed[(sent.outcome[placed] == outcome) & sent.sure[placed]]))
        for outcome in PLACED
    }
    distinct: defaultdict[Hour, set[tuple[object, ...]]] = defaultdict(set)
    conflicts = placed[sent.outcome[placed] == CONFLICT]
    for row, hour in zip(conflicts.tolist(), _hours(sent.rows, conflicts), strict=True):
        rows = sent.rows
        values = tuple(column[row].tobytes() for column in rows.numbers.values())
        distinct[hour].add((int(rows.at_us[row]), int(rows.whole["seq"][row]), rows.texts["boot"][row], *values))
    unsure = set(_hours(sent.rows, placed[~sent.sure[placed]]))
    return {
        hour: _Told(
            counts[STORED][hour], counts[DUPLICATE][hour], counts[CONFLICT][hour], len(distinct[hour]), hour in unsure
        )
        for hour in set(_hours(sent.rows, placed))
    }


def _hours(rows: Rows, chosen: Ints) -> list[Hour]:
    starts = rows.at_us[chosen] // HOUR_US * HOUR_US
    return list(zip(rows.device[chosen].tolist(), starts.tolist(), strict=True))
