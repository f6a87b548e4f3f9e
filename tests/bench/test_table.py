"""The benchmark's own arithmetic, and that its messages are what they say they are."""

from __future__ import annotations

import time

from bench.ingest.drain import Drained
from bench.ingest.table import GROUPS, judged, line, shown
from bench.lamps import lamps, messages
from bench.usage import Used
from devices.kinds import KINDS


def drained(rate: float, cpu_s: float = 1.0, rows: int | None = 100) -> Drained:
    return Drained(100 / rate, rate, rows, 100, dict.fromkeys(GROUPS, Used(cpu_s, 40.0 * cpu_s)))


def test_a_line_is_the_median_of_its_rounds() -> None:
    one = line([drained(10, 1), drained(50, 3), drained(20, 2, rows=99)])
    assert (one.rate, one.best, one.missing) == (20, 50, 1)
    assert one.cpu_s["client"] == 20_000  # 2 s for 100 readings
    assert one.peak_mb["client"] == 120


def test_ours_is_judged_by_the_bars_of_its_broker() -> None:
    lines = {letter: line([drained(rate)]) for letter, rate in {"a": 100, "b": 50, "c": 80, "e": 90}.items()}
    assert [(each.figure, each.bar) for each in judged("nats", 1, lines)] == [(0.9, 0.75), (1.8, 2.0), (1.125, 1.0)]
    assert [each.bar for each in judged("mosquitto20", 1, lines)] == [0.85, None, None]
    assert [each.bar for each in judged("nats", 50, lines)] == [None, None, None, 150_000]
    told = shown("NATS", dict.fromkeys(lines, "somebody"), lines, judged("nats", 1, lines))
    assert "e/b 1.80 (bar 2.00: MISSED)" in told
    assert "e/a 0.90 (bar 0.75: reached)" in told


def test_a_competitor_without_a_table_misses_nothing() -> None:
    assert line([drained(10, rows=None)]).missing == 0


def test_a_backlog_holds_what_was_asked_for_and_is_all_live() -> None:
    devices, now = lamps(250), time.time()
    single = list(messages(devices, 1_000, 1, now))
    assert [each.readings for each in single] == [1] * 1_000
    arrays = list(messages(devices, 1_000, 3, now))  # 4 of each device: three together and one alone
    assert sum(each.readings for each in arrays) == 1_000
    items = [item for each in arrays for item in KINDS["streetlight"].many.validate_json(each.payload)]
    times = [item["ts"] / 1000 if isinstance(item["ts"], int) else item["ts"].timestamp() for item in items]
    assert all(now - 300 <= at < now for at in times)
    assert sorted(item["seq"] for item in items) == sorted(list(range(4)) * 250)
