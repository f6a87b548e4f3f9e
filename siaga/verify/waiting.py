"""Wait until what was sent has arrived and is rolled up, as long as there is progress."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
import psycopg

from siaga.verify.report import EPOCH
from siaga.verify.sent import PLACED, STORED, OfKind
from simulator.truth.incidents import OF
from storage import audit

# Counting 400,000 marks takes a good part of a second: looking must not slow down what is waited for.
LOOK_S, LOOK_FACTOR = 0.5, 5
TELL_S = 5.0
FIVE_MINUTES, MOMENT = timedelta(minutes=5), timedelta(milliseconds=1)


class Progress(NamedTuple):
    """Packets and readings in the ledger, of those expected; buckets that wait for their rollup; late readings whose
    alerts are not looked at yet; alerts that are not looked at for incidents yet."""

    arrived: int
    expected: int
    pending: int
    unreviewed: int = 0
    ungrouped: int = 0

    @property
    def done(self) -> bool:
        return self.arrived >= self.expected and not (self.pending or self.unreviewed or self.ungrouped)


def wait(measure: Callable[[], Progress], patience_s: float, tell: Callable[[str], None]) -> Progress:
    """Until all is done, or nothing has changed for patience_s; the last measure."""
    progress = measure()
    took_s = 0.0
    changed = time.monotonic()
    told = changed - TELL_S
    while not progress.done and time.monotonic() - changed < patience_s:
        if time.monotonic() - told >= TELL_S:
            told = time.monotonic()
            late = f", {progress.unreviewed:,} late batches are not reviewed yet" if progress.unreviewed else ""
            tell(
                f"waiting: {progress.arrived:,} of {progress.expected:,} have arrived,"
                f" {progress.pending:,} buckets are not rolled up yet{late}"
            )
        time.sleep(max(LOOK_S, LOOK_FACTOR * took_s))
        began = time.monotonic()
        latest = measure()
        took_s = time.monotonic() - began
        if latest != progress:
            progress, changed = latest, time.monotonic()
    return progress


def expected(told: Sequence[OfKind]) -> Counter[str]:
    """How many packets and readings each line of the ledger must have received."""
    lines: Counter[str] = Counter()
    for of in told:
        placed = of.sent.sure & np.isin(of.sent.outcome, PLACED)
        numbers = np.bincount(of.sent.rows.device[placed], minlength=len(of.devices))
        lines.update(dict(zip(of.devices, numbers.tolist(), strict=True)))
        for entry, times in of.quarantined.items():
            if entry.reason != "conflict":  # it has a place, and is counted there
                lines[entry.device_id] += len(times)
    return lines


def progress(conn: psycopg.Connection[Any], told: Sequence[OfKind], lines: Mapping[str, int]) -> Progress:
    """As it is now; lines: what is expected."""
    received = {total.device_id: total.received for total in audit.ledger_totals(conn, list(lines))}
    arrived = sum(min(number, received.get(line, 0)) for line, number in lines.items())
    unreviewed = sum(audit.unreviewed(conn, of.devices) for of in told)
    ungrouped = sum(audit.ungrouped(conn, of.devices, OF) for of in told)
    return Progress(arrived, sum(lines.values()), sum(pending(conn, of) for of in told), unreviewed, ungrouped)


def pending(conn: psycopg.Connection[Any], of: OfKind) -> int:
    """Buckets of readings of the truth that are not rolled up yet."""
    times = of.sent.rows.at_us[of.sent.outcome == STORED]
    if len(times) == 0:
        return 0
    first, last = (EPOCH + timedelta(microseconds=int(at)) for at in (times.min(), times.max()))
    return audit.pending(conn, of.kind, of.devices, first - FIVE_MINUTES, last + MOMENT)
