"""Should somebody be told? A table of transitions and answers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from alerts.engine import Transition
from alerts.notices import wants_notice
from alerts.rule import Key
from tests.alerts.timeline import Timeline, gauge, only

LEAST = 2


def step(
    what: str, before: int | None, after: int | None, peak: int | None = None, historical: bool = False
) -> Transition:
    at = datetime(2026, 11, 24, 12, tzinfo=UTC)
    return Transition(
        Key("siaga", "wl-1"), "water_level", what, "level_m", before, after, None, at, 3.0, historical,  # type: ignore[arg-type]
        max(before or 0, after or 0) if peak is None else peak,
    )  # fmt: skip


def named(value: object) -> str:
    if isinstance(value, Transition):
        return f"{value.what} {value.from_severity}-{value.to_severity} peak {value.peak_severity}"
    return str(value)


@pytest.mark.parametrize(
    ("transition", "answer"),
    [
        (step("raised", None, 2), "new"),
        (step("raised", None, 3), "new"),
        (step("raised", None, 1), None),
        (step("raised", None, 0), None),
        (step("worsened", 2, 3), "worse"),
        (step("worsened", 1, 2), "worse"),
        (step("worsened", 0, 1), None),
        (step("eased", 3, 2), None),
        (step("eased", 2, 1), None),
        (step("went_live", 2, 2), "now live"),
        (step("went_live", 3, 2), "now live"),
        (step("went_live", 1, 1), None),
        (step("went_live", 3, 1), None),
        (step("cleared", 3, None), None),
        (step("cleared", 1, None, peak=3), None),
    ],
    ids=named,
)  # fmt: skip
def test_live_transitions(transition: Transition, answer: str | None) -> None:
    assert wants_notice(transition, LEAST) == answer


@pytest.mark.parametrize("what", ["raised", "worsened", "eased", "cleared"])
def test_historical_transitions_never_page(what: str) -> None:
    assert wants_notice(step(what, 3, 3, historical=True), 0) is None


def test_with_least_severity_0_every_beginning_is_told_unless_it_is_held() -> None:
    assert wants_notice(step("raised", None, 0), 0) == "new"
    assert wants_notice(step("raised", None, 3), 0, held=True) is None


def test_of_a_flood_what_begins_and_worsens_is_told() -> None:
    river = Timeline(gauge(), rules=only("siaga", "water_level"))
    told = []
    for hour, level in [(19, 3.0), (20, 3.7), (21, 2.9), (22, 2.9), (23, 2.1), (0, 2.1), (1, 1.0), (2, 1.0)]:
        river.push(f"{hour}:00", level_m=level)
        told += [(t.what, wants_notice(t, LEAST)) for t in river.last]
    assert told == [
        ("raised", "new"), ("worsened", "worse"), ("eased", None), ("eased", None), ("cleared", None),
    ]  # fmt: skip
