"""What was never sent must show as gaps in the sequence numbers of what is stored. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from devices.kind import Kind
from siaga.verify.report import Finding
from siaga.verify.sent import STORED, Sent
from storage.audit import Ints, Rows
from storage.kind_tables import reading_table

SHOWN = 3
NOTHING: Ints = np.empty(0, dtype=np.int64)


def compare(kind: Kind, devices: Sequence[str], sent: Sent, stored: Rows) -> list[Finding]:
    """Per device and boot as many numbers must be missing as the truth tells between the first and the last stored.

    Packets of which the truth knows no number may account for more. Devices with messages that the broker may have
    lost are left out.
    """
    doubtful = set(sent.rows.device[~sent.sure].tolist())
    nameless = np.bincount(sent.rows.device[sent.rows.whole["seq"] < 0], minlength=len(devices))
    every = np.arange(len(sent.outcome))
    told_stored = _numbers(sent.rows, every[sent.outcome == STORED])
    told_lost = _numbers(sent.rows, every[sent.outcome != STORED])
    findings = []
    for (device, boot), there in _numbers(stored, np.arange(len(stored))).items():
        wanted = told_stored.get((device, boot))
        if wanted is None or device in doubtful:
            continue
        between = (there[0], there[-1])
        lost = np.setdiff1d(_within(told_lost.get((device, boot), NOTHING), *between), wanted)
        gone = np.setdiff1d(_within(wanted, *between), there)
        gaps = int(there[-1] - there[0]) + 1 - len(there)
        if len(gone) == 0 and len(lost) <= gaps <= len(lost) + nameless[device]:
            continue
        detail = f"boot {boot}: {gaps} numbers are missing among the stored, the truth has {len(lost)}"
        shown = _ranges(there, lost)
        findings.append(Finding("different", reading_table(kind), devices[device], None, detail + shown))
    return findings


def _numbers(rows: Rows, chosen: Ints) -> dict[tuple[int, str], Ints]:
    """Sequence numbers by device and boot, rising, each once."""
    found: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    devices, seqs = rows.device[chosen].tolist(), rows.whole["seq"][chosen].tolist()
    for row, device, seq in zip(chosen.tolist(), devices, seqs, strict=True):
        boot = rows.texts["boot"][row]
        if boot is not None and seq >= 0:
            found[device, boot].append(seq)
    return {key: np.unique(np.array(numbers, dtype=np.int64)) for key, numbers in found.items()}


def _within(numbers: Ints, low: int, high: int) -> Ints:
    return numbers[(numbers > low) & (numbers < high)]


def _ranges(there: Ints, lost: Ints) -> str:
    """The first gaps that are more than what was lost."""
    holes = np.flatnonzero(np.diff(there) > 1)
    ranges = []
    for a, b in zip(there[holes] + 1, there[holes + 1] - 1, strict=True):
        if np.count_nonzero((lost >= a) & (lost <= b)) < b - a + 1:
            ranges.append(f"{a}" if a == b else f"{a}-{b}")
        if len(ranges) > SHOWN:
            break
    return f": {', '.join(ranges[:SHOWN])}{' …' * (len(ranges) > SHOWN)}" if ranges else ""
