"""What was never sent must show as gaps in the sequence numbers of what is stored. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from devices.kind import Kind
from siaga.verify.report import Finding
from siaga.verify.sent import NOT_SENT, STORED, Sent
from storage.audit import Ints, Rows
from storage.kind_tables import reading_table

SHOWN = 3
NOTHING: Ints = np.empty(0, dtype=np.int64)


def compare(kind: Kind, devices: Sequence[str], sent: Sent, stored: Rows) -> list[Finding]:
    """Per device and boot as many numbers must be missing as the truth tells between the first and the last stored.

    Packets of which the truth knows no number may account for more, and what it has in quarantine may have been
    replayed since. Devices with messages that the broker may have lost are left out.
    """
    doubtful = set(sent.rows.device[~sent.sure].tolist())
    nameless = np.bincount(sent.rows.device[sent.rows.whole["seq"] < 0], minlength=len(devices))
    every = np.arange(len(sent.outcome))
    told_stored = by_boot(sent.rows, every[sent.outcome == STORED])
    told_lost = by_boot(sent.rows, every[sent.outcome == NOT_SENT])
    told_elsewhere = by_boot(sent.rows, every[~np.isin(sent.outcome, (STORED, NOT_SENT))])
    findings = []
    for (device, boot), there in by_boot(stored, np.arange(len(stored))).items():
        wanted = told_stored.get((device, boot))
        if wanted is None or device in doubtful:
            continue
        between = (there[0], there[-1])
        elsewhere = np.setdiff1d(told_elsewhere.get((device, boot), NOTHING), there)
        lost = np.union1d(told_lost.get((device, boot), NOTHING), elsewhere)
        lost = np.setdiff1d(_within(lost, *between), wanted)
        gone = np.setdiff1d(_within(wanted, *between), there)
        gaps = int(there[-1] - there[0]) + 1 - len(there)
        if len(gone) == 0 and len(lost) <= gaps <= len(lost) + nameless[device]:
            continue
        detail = f"boot {boot}: {gaps} numbers are missing among the stored, the truth has {len(lost)}"
        shown = _unexplained(there, lost)
        findings.append(Finding("different", reading_table(kind), devices[device], None, detail + shown))
    return findings


def by_boot(rows: Rows, chosen: Ints) -> dict[tuple[int, str], Ints]:
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


def ranges(numbers: Ints) -> str:
    """The first ranges of some rising numbers."""
    ends = np.flatnonzero(np.diff(numbers) > 1)
    firsts, lasts = numbers[np.concatenate([[0], ends + 1])], numbers[np.concatenate([ends, [len(numbers) - 1]])]
    return _listed(list(zip(firsts.tolist(), lasts.tolist(), strict=True)))


def _unexplained(there: Ints, lost: Ints) -> str:
    """The first gaps that are more than what was lost."""
    holes = np.flatnonzero(np.diff(there) > 1)
    found: list[tuple[int, int]] = []
    for a, b in zip((there[holes] + 1).tolist(), (there[holes + 1] - 1).tolist(), strict=True):
        if np.count_nonzero((lost >= a) & (lost <= b)) < b - a + 1:
            found.append((a, b))
        if len(found) > SHOWN:
            break
    return f": {_listed(found)}" if found else ""


def _listed(found: Sequence[tuple[int, int]]) -> str:
    shown = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in found[:SHOWN])
    return shown + " …" * (len(found) > SHOWN)
