"""Alerts of the rule stale that a live run must bring: silence between two receptions.

A live reading is received when it was measured. One that arrives after a newer one is heard only together with it, in
one batch: it moves no reception.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from devices.device import Device
from simulator.truth.course import Ints
from simulator.truth.folder import Expected, Step
from simulator.truth.rules import SILENT_CHECK_S, SILENT_S, SILENT_SEVERITY, SILENT_SLACK_S


def silences(device: Device, ts_ms: Ints, end_ms: int) -> Iterator[Expected]:
    """Silences of a device, ts_ms in order of arrival, each from the limit to the reading that ends it.

    One that begins to count after end_ms is left out. The server finds it a little later than it begins: what ends or
    comes to end_ms before that may go either way.
    """
    limit_ms, slack_ms = 1000 * SILENT_S[device.kind], 1000 * (SILENT_CHECK_S + SILENT_SLACK_S)
    newest = np.maximum.accumulate(ts_ms)
    heard = np.unique(newest)
    for i in np.flatnonzero(np.diff(heard, append=end_ms) > limit_ms - slack_ms).tolist():
        begun, ended = int(heard[i]) + limit_ms, int(heard[i + 1]) if i + 1 < len(heard) else None
        if begun > end_ms:
            continue
        # A late reading in the batch of the one that ends it makes it end at its own ts.
        late = ts_ms[(ts_ms > heard[i]) & (newest == ended)] if ended is not None else ts_ms[:0]
        spread_ms = 0 if ended is None else ended - int(late.min())
        yield Expected(
            "stale",
            device.id,
            (end_ms if ended is None else ended) > begun + slack_ms,
            (Step(begun, SILENT_SEVERITY[device.kind]),),
            ended,
            max(slack_ms, spread_ms) / 1000,
        )
