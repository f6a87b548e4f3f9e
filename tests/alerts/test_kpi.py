"""Figures of alerts against numbers worked out by hand, and floods against the plain definition."""

from __future__ import annotations

import random

import numpy as np
import pytest

from alerts.kpi import HOUR_S, Flood, chattering, floods, rate, share_in_flood, to_ack

MIN = 60.0


def at(*minutes: float) -> np.ndarray:
    return np.array(minutes, dtype=np.float64) * MIN


def test_rate() -> None:
    """4 hours: 6 alerts, 7, 13 (11 of them in one tenth of a minute), none."""
    times = at(*range(6), *range(60, 67), *([120.0] * 11), 140, 150)
    found = rate(times, 0, 4 * HOUR_S)
    assert found.hours == 4
    assert found.mean == 26 / 4
    assert found.most == 13
    assert (found.share_up_to_6, found.share_7_to_12, found.share_above_12) == (0.5, 0.25, 0.25)
    assert found.most_in_10_min == 11
    assert found.share_10_min_above_10 == pytest.approx(1 / 24)


def test_operators_share_the_alerts() -> None:
    times = at(*np.linspace(0, 59, 24))
    assert rate(times, 0, HOUR_S).share_above_12 == 1
    two = rate(times, 0, HOUR_S, operators=2)
    assert (two.mean, two.most, two.share_7_to_12) == (12, 12, 1)
    assert rate(times, 0, HOUR_S, operators=4).share_up_to_6 == 1


def test_no_alerts_and_a_range_that_is_no_whole_hour() -> None:
    none = rate(at(), 0, 90 * MIN)
    assert (none.hours, none.mean, none.most, none.share_up_to_6, none.most_in_10_min) == (2, 0, 0, 1, 0)
    assert floods(at(), 0) == []
    assert to_ack([]) == []
    assert chattering(np.empty(0, dtype=np.int64), at()) == {}


def test_a_flood_begins_with_the_eleventh_and_ends_when_four_are_left() -> None:
    times = at(*range(11))  # the eleventh comes when the first is just ten minutes old
    assert floods(times, 1e9) == []
    times = at(*(i / 2 for i in range(11)))  # 0 … 5 min
    (found,) = floods(times, 1e9)
    assert found == Flood(begin=5 * MIN, end=(3 + 10) * MIN, alerts=11)
    assert share_in_flood([found], 0, 80 * MIN) == pytest.approx(0.1)
    assert floods(times, 6 * MIN)[0].end == 6 * MIN
    # Ten are no flood; one that has begun goes on with six in ten minutes.
    assert floods(times[:10], 1e9) == []
    (long,) = floods(np.concatenate([times, at(*np.arange(6, 60, 1.7))]), 1e9)
    assert long.alerts == 11 + 32


def test_two_floods() -> None:
    one = at(*(i / 10 for i in range(20)))
    found = floods(np.concatenate([one, one + 60 * MIN]), 1e9)
    assert [flood.alerts for flood in found] == [20, 20]
    assert found[1].begin == 60 * MIN + MIN


@pytest.mark.parametrize("seed", range(5))
def test_floods_are_what_the_definition_says(seed: int) -> None:
    """Second by second: on when more than 10 came in the last 600 s, off when fewer than 5 did."""
    chance = random.Random(seed)
    seconds = sorted(int(chance.choice([1, 1, 4]) * chance.uniform(0, 2500)) for _ in range(150))
    count = np.bincount(seconds, minlength=12_000)
    on, spans = False, []
    for second in range(12_000):
        recent = int(count[max(0, second - 599) : second + 1].sum())
        if not on and recent > 10:
            on = True
            spans.append([float(second), 0.0])
        elif on and recent < 5:
            on = False
            spans[-1][1] = float(second)
    assert [[flood.begin, flood.end] for flood in floods(np.array(seconds, dtype=np.float64), 1e9)] == spans


def test_chattering_is_three_transitions_of_one_alert_in_a_minute() -> None:
    rows = [(1, 0), (2, 10), (1, 30), (2, 50), (1, 60), (2, 71), (3, 0), (3, 1), (3, 2), (3, 3), (3, 200)]
    alerts = np.array([row[0] for row in rows], dtype=np.int64)
    times = np.array([row[1] for row in rows], dtype=np.float64)
    assert chattering(alerts, times) == {1: 3, 3: 4}


def test_time_to_acknowledge() -> None:
    found = to_ack([(3, 60), (3, 120), (3, 180), (1, 1000)])
    assert [(each.severity, each.acknowledged, each.median_s) for each in found] == [
        (None, 4, 150), (3, 3, 120), (1, 1, 1000),
    ]  # fmt: skip
    assert found[1].p90_s == pytest.approx(168)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([], []),
        ([0] * 10, []),
        ([0] * 11, [(0, 600)]),
        # The eleventh within 10 min of the first begins it, and it ends when all but four are older than 10 min.
        ([n * 59.0 for n in range(11)], [(590, 6 * 59 + 600)]),
        ([n * 60.0 for n in range(11)], []),
        # Between 5 and 10 in 10 min it goes on, and does not begin.
        ([*[0.0] * 11, *range(100, 1000, 100)], [(0, 1100)]),
        ([*[0.0] * 11, *[5000.0] * 12], [(0, 600), (5000, 5600)]),
        ([n * 100.0 for n in range(50)], []),
    ],
)
def test_a_flood_is_more_than_10_in_10_min_until_fewer_than_5(
    times: list[float], expected: list[tuple[float, float]]
) -> None:
    found = floods(np.sort(np.array(times)), float("inf"))
    assert [(each.begin, each.end) for each in found] == expected
