"""What the simulator's tests share: a city's readings through ingest, and the moments at which things happen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from devices.batch import Batch, Packet
from devices.device import Device
from devices.fleet import Fleet
from devices.kind import Floats
from devices.payload import encode
from devices.topics import readings_topic
from ingest.intake import Limits, take_in
from simulator.city import Reading

LIMITS = Limits(
    payload_max_bytes=262_144, array_max=1_000, future_max_s=300, live_window_s=900, age_max_days=3_650
)  # fmt: skip
# Tuesday 24 November 2026, 00:00 WIB
MIDNIGHT = datetime(2026, 11, 23, 17, tzinfo=UTC).timestamp()
DAY_S, HOUR_S = 86_400, 3_600


def wib(hour: float, day: int = 0) -> float:
    """Epoch seconds of an hour of that Tuesday, or of a day after it."""
    return MIDNIGHT + day * DAY_S + hour * HOUR_S


def through_ingest(devices: Sequence[Device], readings: Iterable[Reading]) -> Batch:
    """What ingest makes of readings that arrive at the moment they were taken."""
    topics = [readings_topic(device.region or "", device.id) for device in devices]
    packets = (
        Packet(topics[r.device], encode(r.fields), datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=r.ts_ms))
        for r in readings
    )
    return take_in(packets, Fleet(devices), LIMITS)


def grid(count: int, t: Floats) -> tuple[np.ndarray, Floats]:
    """Rows and times of `count` devices all measured at each of the times; reshape(count, -1) undoes it."""
    return np.repeat(np.arange(count), len(t)), np.tile(t, count)
