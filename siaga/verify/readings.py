"""Readings as told against readings as stored. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from devices.kind import Bools, Floats, Kind
from siaga.verify import flags
from siaga.verify.pairs import pair
from siaga.verify.report import Finding
from siaga.verify.sent import DUPLICATE, NOT_SENT, PLACED, STORED, Sent
from siaga.verify.window import Window
from storage.audit import RECEIVED, Ints, Rows
from storage.kind_tables import reading_table

# What the server computes it may compute in another order; what was sent comes back to the last bit.
COMPUTED_TOLERANCE = 1e-9
NOTHING: Mapping[str, Container[int]] = {}


class Compared(NamedTuple):
    """found and missing count stored readings of the truth, surely sent or not; foreign: rows that it does not know.

    Of those, extra are the ones that it should. excused: by device, readings whose flags may differ. shaken: devices of
    which something may be lost, or did not arrive in the order in which it was sent. replayed: rows that came out of
    quarantine.
    """

    findings: list[Finding]
    found: int
    found_unsure: int
    missing: int
    extra: int
    foreign: Ints
    excused: Counter[str]
    shaken: frozenset[str]
    replayed: int


def compare(
    kind: Kind, devices: Sequence[str], sent: Sent, stored: Rows, window: Window, unsure: Container[str] = (),
    replayed: Mapping[str, Container[int]] = NOTHING,
) -> Compared:  # fmt: skip
    """Every stored reading of the truth must be there as it is told, and no other within the window.

    A time that the truth names is within it wherever it lies. A reading that the broker may have lost may be missing;
    where it was not the only one of its time, another may stand in its place.
    unsure: devices of which the broker may have lost something. replayed: by device when entries of quarantine arrived
    that were replayed; a row of that arrival with the number of a reading that the truth has in quarantine is that one.
    """
    table = reading_table(kind)
    told = np.flatnonzero(sent.outcome == STORED)
    keys = sent.rows.places()
    pairs = pair([keys[row] for row in told], stored_keys := stored.places())
    lost = told[pairs.only_left]
    missing = lost[sent.sure[lost]]
    findings = [
        Finding("missing", table, devices[device], at_us, _name(seq, boot))
        for device, at_us, seq, boot in _named(sent.rows, missing)
    ]
    mine, theirs = told[pairs.left], pairs.right
    certain = sent.sure[mine] | _alone(sent)[mine]
    mine, theirs = mine[certain], theirs[certain]
    shaken = flags.shaken(devices, sent.rows, stored, mine, theirs, unsure)
    excused = flags.excused(sent.rows, stored, mine, theirs, shaken)
    findings += _different(kind, table, devices, sent.rows, stored, mine, theirs, excused)
    named = {keys[row] for row in np.flatnonzero(sent.outcome != STORED)}
    again = _replayed(devices, sent, stored, pairs.only_right, replayed)
    extra = [
        row
        for row in pairs.only_right.tolist()
        if row not in again and (window.holds(int(stored.at_us[row])) or stored_keys[row] in named)
    ]
    findings += (
        Finding("extra", table, devices[device], at_us, _name(seq, boot))
        for device, at_us, seq, boot in _named(stored, extra)
    )
    found_unsure = int(np.count_nonzero(~sent.sure[told[pairs.left]]))
    flagged = Counter(devices[device] for device in sent.rows.device[mine[excused]].tolist())
    return Compared(
        findings, len(pairs.left), found_unsure, len(missing), len(extra), pairs.only_right, flagged,
        frozenset(devices[device] for device in np.flatnonzero(shaken).tolist()), len(again),
    )  # fmt: skip


def computed(kind: Kind) -> frozenset[str]:
    """Metrics that the server derives from others."""
    nothing = np.empty(0)
    return frozenset(kind.derive(dict.fromkeys(kind.numbers, nothing), lambda _: nothing))


def _replayed(
    devices: Sequence[str], sent: Sent, stored: Rows, rows: Ints, replayed: Mapping[str, Container[int]]
) -> frozenset[int]:
    """Those of the rows that came out of quarantine."""
    if not replayed:
        return frozenset()
    held = np.flatnonzero(~np.isin(sent.outcome, (STORED, DUPLICATE, NOT_SENT)))
    told = {(device, seq, boot) for device, _, seq, boot in _named(sent.rows, held)}
    return frozenset(
        row
        for row, (device, _, seq, boot) in zip(rows.tolist(), _named(stored, rows), strict=True)
        if int(stored.whole[RECEIVED][row]) in replayed.get(devices[device], ()) and (device, seq, boot) in told
    )


def _different(
    kind: Kind, table: str, devices: Sequence[str], told: Rows, stored: Rows, mine: Ints, theirs: Ints, excused: Bools
) -> Iterator[Finding]:
    derived = computed(kind)
    wrong: dict[str, Bools] = {name: told.whole[name][mine] != stored.whole[name][theirs] for name in ("qc", "seq")}
    wrong["qc"] &= ~excused
    wrong["qc_reason"] = flags.differing(told, stored, mine, theirs) & ~excused
    for name in kind.metrics:
        wrong[name] = ~_equal(told.numbers[name][mine], stored.numbers[name][theirs], name in derived)
    boots = [told.texts["boot"][a] != stored.texts["boot"][b] for a, b in zip(mine, theirs, strict=True)]
    wrong["boot"] = np.array(boots, dtype=np.bool_)
    for i in np.flatnonzero(np.any(list(wrong.values()), axis=0)):
        a, b = mine[i], theirs[i]
        words = [
            f"{name} is {_value(stored, name, b)}, the truth has {_value(told, name, a)}"
            for name, column in wrong.items()
            if column[i]
        ]
        yield Finding("different", table, devices[told.device[a]], int(told.at_us[a]), "; ".join(words))


def _equal(told: Floats, stored: Floats, derived: bool) -> Bools:
    if derived:
        return np.isclose(told, stored, rtol=COMPUTED_TOLERANCE, atol=0, equal_nan=True)
    return np.asarray((told == stored) | (np.isnan(told) & np.isnan(stored)), dtype=np.bool_)


def _alone(sent: Sent) -> Bools:
    """Rows that are the only one for their device and time."""
    placed = np.flatnonzero(np.isin(sent.outcome, PLACED))
    device, at_us = sent.rows.device[placed], sent.rows.at_us[placed]
    repeats = (device[1:] == device[:-1]) & (at_us[1:] == at_us[:-1])
    alone = np.ones(len(sent.outcome), dtype=np.bool_)
    alone[placed[1:][repeats]] = False
    alone[placed[:-1][repeats]] = False
    return alone


def _named(rows: Rows, chosen: Sequence[int] | Ints) -> Iterator[tuple[int, int, int, str | None]]:
    for row in chosen:
        yield int(rows.device[row]), int(rows.at_us[row]), int(rows.whole["seq"][row]), rows.texts["boot"][row]


def _name(seq: int, boot: str | None) -> str:
    return f"seq {seq} of boot {boot}" if boot is not None and seq >= 0 else f"seq {seq}" if seq >= 0 else "without seq"


def _value(rows: Rows, name: str, row: int) -> str:
    if name in rows.texts:
        return repr(rows.texts[name][row])
    if name in rows.whole:
        value = int(rows.whole[name][row])
        return "null" if value < 0 else str(value)
    number = float(rows.numbers[name][row])
    return "null" if np.isnan(number) else repr(number)
