"""Incidents of the truth against those that are stored."""

from __future__ import annotations

from typing import Any

import pytest

from devices.device import Device
from siaga.verify.incidents import Compared, compare, subjects
from siaga.verify.window import Window
from simulator.truth.folder import ExpectedIncident
from storage.audit import Incident

FLEET = [Device(f"lamp-{n}", "streetlight", attributes={"panel": "P-01"}) for n in range(3)]
RUN = Window(0, 100_000_000)
EXPECTED = ExpectedIncident("outage", "panel", "P-01", True, 3, 10_000, 90_000, 2.0)
STORED = Incident(7, "outage", "$panel/P-01", 11_000_000, 89_000_000, 3)


def compared(stored: list[Incident], *expected: ExpectedIncident, shaken: tuple[str, ...] = ()) -> Compared:
    return compare(expected, stored, RUN, subjects(FLEET), shaken)


def said(found: Compared) -> list[tuple[str, str]]:
    return [(each.what, each.detail) for each in found.findings]


def test_one_that_agrees() -> None:
    found = compared([STORED], EXPECTED)
    assert (said(found), found.tally) == ([], (1, 0, 1, 0, 0, 0))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"devices": 2}, "2 devices, the truth has 3"),
        ({"cleared_us": None}, "standing, the truth has it over"),
        ({"cleared_us": 101_000_000}, "standing, the truth has it over"),
        ({"cleared_us": 80_000_000}, "over at another time"),
    ],
)
def test_one_that_differs(change: dict[str, Any], what: str) -> None:
    assert said(compared([STORED._replace(**change)], EXPECTED)) == [("different", f"outage: {what}")]


def test_missing_and_too_many() -> None:
    late = STORED._replace(raised_us=20_000_000)
    assert said(compared([late], EXPECTED)) == [
        ("missing", "outage: 3 devices"), ("extra", "outage: 3 devices, not in the truth"),
    ]  # fmt: skip
    assert said(compared([STORED, STORED._replace(id=8)], EXPECTED)) == [
        ("extra", "outage: 3 devices, not in the truth")
    ]
    assert said(compared([STORED._replace(raised_us=-1)])) == [], "before the run"


def test_what_may_be_need_not_and_may_differ() -> None:
    maybe = EXPECTED._replace(must=False)
    assert said(compared([], maybe)) == said(compared([STORED._replace(devices=2)], maybe)) == []


def test_of_groups_whose_messages_may_be_lost_nothing_is_too_much_or_missing() -> None:
    found = compared([], EXPECTED, shaken=("lamp-1",))
    assert (said(found), found.doubtful) == ([], 1)
