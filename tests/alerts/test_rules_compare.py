"""A change of rules, alert by alert: what would be lost, later, joined, or new."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from alerts.engine import Transition
from alerts.rule import Key
from alerts.rules_compare import NAMED_MOST, Stories, by_day, price, short

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
UNTIL = (START + timedelta(days=2)).timestamp()
MINUTE = 60
# (from minute, to minute or None, severity)
Alert = tuple[float, float | None, int]


def stories(*alerts: Alert, device: str = "pju-1", historical: bool = False) -> Stories:
    found = Stories()
    for begin, end, severity in alerts:
        for what, minute, to in (("raised", begin, severity), ("cleared", end, None)):
            if minute is not None:
                at = START + timedelta(minutes=minute)
                key = Key("lamp_out", device)
                found.add(
                    [Transition(key, "streetlight", what, None, None, to, None, at, None, historical)]  # type: ignore[arg-type]
                )
    return found


@pytest.mark.parametrize(
    ("before", "after", "counts", "same"),
    [
        pytest.param([(0, 30, 0)], [(0, 30, 0)], {}, 1, id="the same"),
        pytest.param([(0, 30, 0)], [(0, 60, 0)], {}, 1, id="the same, and ends later"),
        pytest.param([(0, 30, 0)], [], {"lost": 1}, 0, id="lost"),
        pytest.param([(0, 30, 0)], [(30, 40, 0)], {"lost": 1, "new": 1}, 0, id="another, just after"),
        pytest.param([(0, 30, 0)], [(10, 30, 0)], {"later": 1}, 0, id="later"),
        pytest.param([(10, 30, 0)], [(0, 30, 0)], {"sooner": 1}, 0, id="sooner"),
        pytest.param([(0, 30, 2)], [(0, 30, 1)], {"milder": 1}, 0, id="milder"),
        pytest.param([(0, 10, 0), (20, 30, 0)], [(0, 30, 0)], {"joined": 1}, 1, id="joined to the one before"),
        pytest.param([(0, None, 0)], [(5, None, 0)], {"later": 1}, 0, id="still standing"),
        pytest.param([(0, 0, 1)], [(0, 0, 1)], {}, 1, id="over as it began"),
        pytest.param([(0, 30, 0)], [(0, 10, 0), (20, 30, 0)], {}, 1, id="in two parts"),
        pytest.param([], [(0, 30, 0)], {"new": 1}, 0, id="new"),
    ],
)
def test_each_alert_is_compared(before: list[Alert], after: list[Alert], counts: dict[str, int], same: int) -> None:
    found = price(stories(*before), stories(*after), UNTIL)
    assert (found.counts, found.same) == (counts, same)
    assert sorted(each.what for each in found.named) == sorted(counts)


def test_a_device_is_compared_with_itself() -> None:
    found = price(stories((0, 30, 0)), stories((0, 30, 0), device="pju-2"), UNTIL)
    assert [(each.what, each.device_id) for each in found.named] == [("lost", "pju-1"), ("new", "pju-2")]


def test_how_much_later() -> None:
    before, after = stories((0, 60, 0), (100, 160, 0), (200, 260, 0)), stories((5, 60, 0), (110, 160, 0), (240, 260, 0))
    assert price(before, after, UNTIL).later_s == 10 * MINUTE


def test_the_severe_ones_are_counted_and_named_first() -> None:
    mild = [(100.0 + 10 * n, 105.0 + 10 * n, 1) for n in range(NAMED_MOST + 5)]
    found = price(stories((0, 30, 3), *mild), stories(), UNTIL)
    assert (found.severe, found.counts) == (1, {"lost": NAMED_MOST + 6})
    assert len(found.named) == NAMED_MOST
    assert [each.severity for each in found.named[:2]] == [3, 1]
    assert found.named[1].before
    assert found.named[1].before.begin == (START + timedelta(minutes=mild[-1][0])).timestamp()


def test_what_nobody_is_told_of_is_no_alert() -> None:
    assert price(stories((0, 30, 2), historical=True), stories(), UNTIL).named == []


def test_short_ones_and_days() -> None:
    found = stories((0, 29, 0), (60, 90, 0), (720, None, 0))
    assert short(found, UNTIL) == 1
    assert by_day(found, UNTIL, timezone(timedelta(hours=7))) == {date(2026, 11, 24): 2, date(2026, 11, 25): 1}
