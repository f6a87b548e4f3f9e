"""What the ledger must name as missing, and what it must not. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from devices.kind import Bools
from siaga.verify.gaps import NOTHING, by_boot, ranges
from siaga.verify.report import Finding
from siaga.verify.sent import NOT_SENT, STORED, Sent
from storage.audit import Ints, Rows

MISSING = "/api/v1/ledger/missing"
Boot = tuple[int, str]  # of a device


class Numbers(NamedTuple):
    """Of one device, by boot. there: stored. gone: what the truth tells of and is not stored, though a later one is."""

    there: Mapping[str, Ints]
    gone: Mapping[str, Ints]

    @property
    def whole(self) -> bool:
        """Nothing can be missing."""
        return not any(map(len, self.gone.values())) and all(
            len(there) == there[-1] - there[0] + 1 for there in self.there.values()
        )


def numbers(devices: Sequence[str], sent: Sent, stored: Rows) -> dict[str, Numbers]:
    """By device, of those that number their readings. What is in quarantine is told by another."""
    told = by_boot(sent.rows, np.flatnonzero(np.isin(sent.outcome, (STORED, NOT_SENT))))
    kept = by_boot(stored, np.arange(len(stored)))
    begins = _begins(stored, kept)
    there: defaultdict[str, dict[str, Ints]] = defaultdict(dict)
    gone: defaultdict[str, dict[str, Ints]] = defaultdict(dict)
    for (device, boot), own in kept.items():
        lost = np.setdiff1d(told.get((device, boot), NOTHING), own)
        there[devices[device]][boot] = own
        gone[devices[device]][boot] = lost[(lost >= begins[device, boot]) & (lost < own[-1])]
    return {device_id: Numbers(there[device_id], gone[device_id]) for device_id in there}


def compare(device_id: str, of: Numbers, named: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    """named: ranges as the API tells them."""
    by_name: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for each in named:
        by_name[each["boot"]].append((each["first"], each["last"]))
    for boot, there in of.there.items():
        gone = of.gone[boot]
        silent = gone[~_within(gone, by_name[boot])]
        if len(silent):
            yield Finding("missing", MISSING, device_id, None, f"boot {boot}: not named, not stored: {ranges(silent)}")
        wrong = there[_within(there, by_name[boot])]
        if len(wrong):
            yield Finding("extra", MISSING, device_id, None, f"boot {boot}: named, and stored: {ranges(wrong)}")


def _begins(stored: Rows, kept: Mapping[Boot, Ints]) -> dict[Boot, int]:
    """The first number that each boot surely used: 0 where something of another boot is stored before its first."""
    first: dict[Boot, tuple[int, int]] = {}  # number, time
    since: defaultdict[int, dict[str, int]] = defaultdict(dict)
    columns = (stored.device.tolist(), stored.at_us.tolist(), stored.whole["seq"].tolist(), stored.texts["boot"])
    for device, at_us, seq, boot in zip(*columns, strict=True):
        if boot is not None and seq >= 0:
            first[device, boot] = min(first.get((device, boot), (seq, at_us)), (seq, at_us))
            since[device].setdefault(boot, at_us)  # rows are in order of time
    return {
        (device, boot): 0
        if any(other != boot and began < first[device, boot][1] for other, began in since[device].items())
        else int(kept[device, boot][0])
        for device, boot in kept
    }


def _within(numbers: Ints, named: Iterable[tuple[int, int]]) -> Bools:
    found: Bools = np.zeros(len(numbers), dtype=np.bool_)
    for first, last in named:
        found |= (numbers >= first) & (numbers <= last)
    return found
