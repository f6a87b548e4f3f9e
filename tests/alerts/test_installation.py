"""Alerts about the installation: when the broker counts as full, and that their steps are told like all others."""

from __future__ import annotations

import pytest

from alerts import words
from alerts.installation import BROKER_FULL, STREAM_SILENT, SUBJECT, Watch, is_full, moved
from alerts.notices import wants_notice
from devices.topics import is_device_id
from tests.alerts.timeline import EVENING

DEFAULT_LEAST_SEVERITY = 2


@pytest.mark.parametrize(
    ("held_pct", "active", "full"),
    [
        (79.9, False, False),
        (80, False, True),
        (120, False, True),
        (79.9, True, True),
        (75, True, True),
        (74.9, True, False),
    ],
)
def test_a_broker_is_full_until_it_has_emptied_a_little(held_pct: float, active: bool, full: bool) -> None:
    assert is_full(held_pct, 80, active) is full


@pytest.mark.parametrize("watch", [STREAM_SILENT, BROKER_FULL], ids=lambda watch: watch.rule)
def test_its_beginning_is_worth_a_notice(watch: Watch) -> None:
    assert wants_notice(moved(watch, True, EVENING, 1.0), DEFAULT_LEAST_SEVERITY) == "new"
    assert wants_notice(moved(watch, False, EVENING, 1.0), DEFAULT_LEAST_SEVERITY) is None  # over: storage/pages.py
    assert words.title(watch.rule, SUBJECT, None) == words.EVENTS[watch.rule]  # no name in it


def test_no_device_can_be_called_so() -> None:
    assert not is_device_id(SUBJECT)
