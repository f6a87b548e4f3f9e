"""The checks on the simulated city: no false alarm in a healthy week of every kind, and which faults are found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from devices.batch import Packet, Readings
from devices.checks import check
from devices.checks_memory import Memory
from devices.fleet import Fleet
from devices.payload import encode
from devices.quality import Quality
from devices.topics import readings_topic
from ingest.intake import Limits, take_in
from simulator.city import City, Happenings
from simulator.fleet import Sizes, build
from simulator.pace import CABINET_S, DETECTOR_S, FIELD_PACE_S, GAUGE_S, LAMP_S

START = datetime(2026, 11, 9, tzinfo=UTC).timestamp()
LIMITS = Limits(262_144, 1_000, 300, 900, 3_650)
DEMO_PACE_S = {"streetlight": LAMP_S, "water_level": GAUGE_S, "traffic": DETECTOR_S, "cabinet": CABINET_S}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def flagged(city: City, hours: float, step_h: float = 6.0) -> Iterator[Readings]:
    """What the city measures, with flags, a few hours at a time."""
    fleet, memory = Fleet(city.devices), Memory()
    memory.fit(fleet)
    topics = [readings_topic(device.region or "", device.id) for device in city.devices]
    for begin in np.arange(0, hours, step_h).tolist():
        t0, t1 = (round(1000 * (START + 3600 * h)) for h in (begin, begin + step_h))
        packets = [
            Packet(topics[r.device], encode(r.fields), EPOCH + timedelta(milliseconds=r.ts_ms))
            for r in city.readings(t0, t1)
        ]
        checked = check(memory, fleet, take_in(packets, fleet, LIMITS).readings)
        memory.apply(checked.learnt)
        yield from checked.readings


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("hours", "pace"), [(168, FIELD_PACE_S), (8, DEMO_PACE_S)], ids=["a week", "a night, as fast as a demo"]
)
def test_nothing_is_suspect_in_a_healthy_city(hours: float, pace: dict[str, float], seed: int) -> None:
    """Faulty lamps, storms, rush hours and tides included: they are real."""
    fleet = build(Sizes(7, 14, (20,), cabinets=True), seed)
    city = City(fleet, seed, START, seconds=pace, happenings=Happenings(faulty_share=0.3))
    seen = set()
    for readings in flagged(city, hours):
        wrong = np.flatnonzero(readings.qc != Quality.GOOD)
        told = [(readings.device_id[row], readings.ts(row), readings.reason[row]) for row in wrong[:5].tolist()]
        assert told == []
        seen.add(readings.kind.name)
    assert seen == set(pace)
