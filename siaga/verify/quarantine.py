"""Quarantine against the truth and against the ledger. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple

from siaga.verify.report import Finding, micros
from siaga.verify.sent import Entry
from storage.audit import WITH_TIME, Kept, LedgerTotal

Line = tuple[str, str]  # device, reason


class Found(NamedTuple):
    """How many packets of each kind are in quarantine, conflicts apart, of those that the truth has there."""

    findings: list[Finding]
    quarantined: dict[str, int]


def compare(told: Mapping[str, Mapping[Entry, Sequence[int | None]]], kept: Iterable[Kept]) -> Found:
    """told: times by kind. Per device, topic and reason as many must be kept; more were delivered again.

    Past the daily cap of a device one row for each reason goes on counting, whatever the topic.
    """
    there: Counter[Entry] = Counter()
    over_cap: Counter[Line] = Counter()
    times: dict[Entry, set[int]] = {}
    for each in kept:
        if each.over_cap:
            over_cap[each.device_id, each.reason] += each.times
        else:
            entry = Entry(each.device_id, each.topic, each.reason)
            there[entry] += each.times
            times.setdefault(entry, set()).update(map(_sent_us, each.ts))
    findings: list[Finding] = []
    found = dict.fromkeys(told, 0)
    for kind, entries in told.items():
        for entry in sorted(entries):
            wanted = len(entries[entry])
            line = (entry.device_id, entry.reason)
            kept_whole = min(there[entry], wanted)
            counted = min(over_cap[line], wanted - kept_whole)
            there[entry] -= kept_whole
            over_cap[line] -= counted
            if kept_whole + counted < wanted:
                detail = f"{entry.reason} on {entry.topic!r}: {kept_whole + counted} are kept, the truth has {wanted}"
                gone: list[int | None] = []
                if entry.reason in WITH_TIME:
                    gone += _gone(entries[entry], times.get(entry, set()))
                findings += (Finding("missing", "quarantine", entry.device_id, at, detail) for at in gone or [None])
            if entry.reason != "conflict":
                found[kind] += kept_whole + counted
    return Found(findings, found)


def _sent_us(ts: str) -> int:
    """A `ts` as it was sent, as µs since 1970 UTC: RFC 3339, or epoch milliseconds."""
    try:
        return round(float(ts) * 1000)
    except ValueError:
        return micros(ts)


def agree(kept: Iterable[Kept], totals: Iterable[LedgerTotal]) -> list[Finding]:
    """The ledger counts what is new: every row that was kept whole, and everything past the cap. What was replayed it
    counts as what that became."""
    conflicts: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for each in kept:
        if each.replayed:
            continue
        line = conflicts if each.reason == "conflict" else others
        line[each.device_id] += each.times if each.over_cap else each.rows
    findings = []
    known = {total.device_id: total for total in totals}
    for device_id in sorted(known.keys() | conflicts.keys() | others.keys()):
        total = known.get(device_id) or LedgerTotal(device_id, 0, 0, 0)
        for name, counted, rows in (
            ("conflict", total.conflict, conflicts[device_id]),
            ("quarantined", total.quarantined, others[device_id]),
        ):
            if counted != rows:
                detail = f"the ledger counts {counted} {name}, {rows} are kept"
                findings.append(Finding("different", "quarantine", device_id, None, detail))
    return findings


def replayed(kept: Iterable[Kept]) -> dict[str, frozenset[int]]:
    """When what was replayed came first (µs), by the device that sent it."""
    times: defaultdict[str, set[int]] = defaultdict(set)
    for each in kept:
        if each.replayed:
            times[each.device_id].update(each.arrived_us)
    return {device_id: frozenset(arrived) for device_id, arrived in times.items()}


def _gone(told: Iterable[int | None], kept: Container[int]) -> list[int]:
    """Times of which nothing is kept."""
    return sorted({at for at in told if at is not None and at not in kept})
