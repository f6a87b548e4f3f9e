"""What a batch says of its rows: late or not, fit to decide on or not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from devices.batch import Batch, Packet, Readings
from devices.device import Device
from devices.fleet import Fleet
from devices.payload import encode
from devices.quality import Quality, Reason
from devices.topics import readings_topic
from ingest.intake import Limits, take_in

T0 = datetime(2026, 11, 24, 12, tzinfo=UTC)
FLEET = Fleet([Device("wl-1", "water_level")])
LIMITS = Limits(262_144, 1_000, 300, 900, 3_650)


def one(level_m: float | None, received_after_s: float = 0) -> Batch:
    body = encode({"ts": T0, "level_m": level_m})
    return take_in(
        [Packet(readings_topic("12.09", "wl-1"), body, T0 + timedelta(seconds=received_after_s))], FLEET, LIMITS
    )


def only(batch: Batch) -> Readings:
    (readings,) = batch.readings
    assert len(readings) == 1
    return readings


@pytest.mark.parametrize(
    ("level_m", "qc", "trusted"),
    [
        (2.0, Quality.GOOD, True),
        (20.0, Quality.GOOD, True),
        (20.01, Quality.FAIL, False),
        (-5.01, Quality.FAIL, False),
        (None, Quality.MISSING, False),
    ],
)
def test_alerts_may_be_decided_on_values_within_the_hard_range(
    level_m: float | None, qc: Quality, trusted: bool
) -> None:
    readings = only(one(level_m))
    assert readings.qc.tolist() == [qc]
    assert readings.trusted.tolist() == [trusted]
    assert bool(readings.reason[0] & Reason.RANGE) is (qc is Quality.FAIL)


@pytest.mark.parametrize(("after_s", "late"), [(0, False), (900, False), (900.001, True), (86_400, True)])
def test_late_is_older_than_the_live_window(after_s: float, late: bool) -> None:
    assert only(one(2.0, after_s)).late.tolist() == [late]


def test_lateness_says_nothing_about_the_value() -> None:
    readings = only(one(2.0, 10_000))
    assert readings.trusted.tolist() == [True]
    assert readings.qc.tolist() == [Quality.GOOD]


def test_size_counts_readings_and_quarantine() -> None:
    packets = [Packet("?", b"", T0), Packet(readings_topic("12.09", "wl-1"), encode([{"ts": T0}, {"ts": T0}]), T0)]
    assert take_in(packets, FLEET, LIMITS).size == 3
