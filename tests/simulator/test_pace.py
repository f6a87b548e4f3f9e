"""When devices report: at the rate asked for, evenly, and the same whatever windows are asked for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.fleet import make_fleet
from simulator.pace import DETECTOR_FASTEST_S, RateError, schedule

START_MS = 1_796_000_000_000


def kinds(size: int) -> list[str]:
    return [device.kind for device in make_fleet(size, 1)]


def test_demo_pace_is_about_24_messages_a_second_for_200_devices() -> None:
    pace = schedule(kinds(200), None)
    assert pace.rate == pytest.approx(24, abs=1)
    seconds = dict(zip(kinds(200), (pace.interval_ms / 1000).tolist(), strict=True))
    assert seconds == {"streetlight": 8, "water_level": 10, "traffic": 30}


def test_many_lamps_report_less_often_but_never_less_than_once_a_minute() -> None:
    assert schedule(["streetlight"] * 2_400, None).interval_ms.tolist() == [16_000] * 2_400
    assert schedule(["streetlight"] * 50_000, None).interval_ms.tolist() == [60_000] * 50_000


@pytest.mark.parametrize("size", [8, 200, 1_000])
@pytest.mark.parametrize("rate", [0.05, 1, 24, 100, 1_000])
def test_the_rate_asked_for_is_kept(size: int, rate: float) -> None:
    pace = schedule(kinds(size), rate)
    assert pace.rate == pytest.approx(rate, rel=0.05)
    device, _ = pace.between(START_MS, START_MS + round(1000 * 400 / rate))
    assert len(device) == pytest.approx(400, rel=0.05, abs=size / 4)


def test_detectors_never_count_over_less_than_5_s() -> None:
    fleet = kinds(200)
    pace = schedule(fleet, 2_000)
    detectors = np.array([kind == "traffic" for kind in fleet])
    assert pace.interval_ms[detectors].min() >= 1000 * DETECTOR_FASTEST_S
    assert pace.interval_ms[~detectors].max() < 1000
    assert pace.rate == pytest.approx(2_000, rel=0.05)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf"), 1e9, 1e-4])
def test_a_rate_that_cannot_be_reached_is_refused_by_name(rate: float) -> None:
    with pytest.raises(RateError, match="--rate"):
        schedule(kinds(200), rate)


def test_no_second_holds_a_burst() -> None:
    pace = schedule(kinds(1_000), 200)
    device, report = pace.between(START_MS, START_MS + 60_000)
    ts = pace.phase_ms[device] + report * pace.interval_ms[device]
    a_second = np.bincount((ts - START_MS) // 1000, minlength=60)
    assert a_second.min() > 150
    assert a_second.max() < 250


@given(st.integers(1, 60), st.floats(0.5, 50), st.lists(st.integers(0, 600_000), max_size=6))
def test_windows_partition_the_reports(size: int, rate: float, cuts: list[int]) -> None:
    pace = schedule(kinds(size), rate)
    edges = [0, *sorted(cuts), 600_000]
    parts = [pace.between(START_MS + a, START_MS + b) for a, b in pairwise(edges)]
    found = sorted((int(d), int(r)) for device, report in parts for d, r in zip(device, report, strict=True))
    device, report = pace.between(START_MS, START_MS + 600_000)
    assert found == sorted(zip(device.tolist(), report.tolist(), strict=True))
    ts = pace.phase_ms[device] + report * pace.interval_ms[device]
    assert ((ts >= START_MS) & (ts < START_MS + 600_000)).all()
    for i in range(size):
        assert (np.diff(report[device == i]) == 1).all(), "no report is left out"


def test_a_devices_reports_have_the_same_times_in_every_run() -> None:
    pace = schedule(kinds(50), None)
    late, early = pace.first(START_MS + 3_600_000), pace.first(START_MS)
    _, report = pace.between(START_MS, START_MS + 7_200_000)
    assert (late > early).all()
    assert set(late.tolist()) <= set(report.tolist())
