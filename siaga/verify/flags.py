"""Flags that may differ from the truth: where readings did not arrive as they were sent. Pure.

Checks over time follow the order of arrival, as alerts do. A broker or a server that was killed may bring older
readings after newer ones, or lose some; what the checks find then is another thing than what they find in order.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

import numpy as np

from devices.kind import Bools
from devices.quality import OVER_TIME, Reason
from storage.audit import RECEIVED, Ints, Rows

# LATE says when a reading arrived, and the truth of a run is the same whenever it is played.
OF_THE_VALUE = ~int(Reason.LATE)


def differing(told: Rows, stored: Rows, mine: Ints, theirs: Ints) -> Bools:
    """Pairs with different reasons."""
    return np.asarray(_apart(told, stored, mine, theirs) != 0, dtype=np.bool_)


def excused(told: Rows, stored: Rows, mine: Ints, theirs: Ints, shaken: Bools) -> Bools:
    """Pairs whose reasons differ in those of checks over time only, on shaken devices."""
    apart = _apart(told, stored, mine, theirs)
    over_time = np.asarray((apart != 0) & (apart & ~int(OVER_TIME) == 0), dtype=np.bool_)
    return np.asarray(over_time & shaken[told.device[mine]], dtype=np.bool_)


def shaken(devices: Sequence[str], told: Rows, stored: Rows, mine: Ints, theirs: Ints, unsure: Container[str]) -> Bools:
    """Devices whose readings the broker may have lost (unsure) or that arrived out of their order of sending."""
    found = _out_of_order(len(devices), told, stored, mine, theirs)
    found |= np.array([device_id in unsure for device_id in devices], dtype=np.bool_)
    return found


def _apart(told: Rows, stored: Rows, mine: Ints, theirs: Ints) -> Ints:
    """The reasons that only one of each pair has."""
    return np.asarray((told.whole["qc_reason"][mine] ^ stored.whole["qc_reason"][theirs]) & OF_THE_VALUE)


def _out_of_order(count: int, told: Rows, stored: Rows, mine: Ints, theirs: Ints) -> Bools:
    """Devices of which some reading arrived before one that was sent before it."""
    device, message = told.device[mine], told.whole["message"][mine]
    order = np.lexsort((message, device))
    device, received_us = device[order], stored.whole[RECEIVED][theirs][order]
    overtaken = (device[1:] == device[:-1]) & (received_us[1:] < received_us[:-1])
    found = np.zeros(count, dtype=np.bool_)
    found[device[1:][overtaken]] = True
    return found
