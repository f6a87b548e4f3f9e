"""What may follow what in the life of an alert: a table, and the limits of shelving."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from alerts.life import BECOMES, OF_THE_RULE, Action, Done, Order, Standing, Withheld, outgrown, refusal, too_long

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NEW = Standing(open=True, acked=False, acked_by=None, shelved_until=None, shelved_by=None, assignee=None)
ACKED = NEW._replace(acked=True, acked_by="sari")
SHELVED = NEW._replace(shelved_until=NOW + timedelta(hours=1), shelved_by="budi")
OVER = ACKED._replace(open=False)
PAST = NEW._replace(open=False)  # historical and cleared: closed, though nobody has acknowledged it
STATES = {"new": NEW, "acked": ACKED, "shelved": SHELVED, "over": OVER, "past": PAST}

# What is refused, and with which words; everything else goes.
REFUSED = {
    ("ack", "acked"): "already acknowledged by sari",
    ("ack", "over"): "already acknowledged by sari",
    ("unack", "new"): "nobody has acknowledged it",
    ("unack", "shelved"): "nobody has acknowledged it",
    ("unack", "over"): "the alert is over",
    ("unack", "past"): "the alert is over",
    ("shelve", "shelved"): "already shelved by budi until 2026-11-24T13:00:00+00:00; unshelve it first",
    ("shelve", "over"): "the alert is over",
    ("shelve", "past"): "the alert is over",
    ("unshelve", "new"): "it is not shelved",
    ("unshelve", "acked"): "it is not shelved",
    ("unshelve", "over"): "it is not shelved",
    ("unshelve", "past"): "it is not shelved",
    ("assign", "over"): "the alert is over",
    ("assign", "past"): "the alert is over",
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", get_args(Action))
def test_what_may_be_done(action: Any, state: str) -> None:
    order = Order(action, "ani", NOW, "because", assignee="ani")
    assert refusal(order, STATES[state]) == REFUSED.get((action, state))


@pytest.mark.parametrize(("assignee", "to", "refused"), [("ani", "ani", True), ("ani", "budi", False),
                                                         ("ani", None, False), (None, None, True)])  # fmt: skip
def test_assigning_again(assignee: str | None, to: str | None, refused: bool) -> None:
    alert = NEW._replace(assignee=assignee)
    assert (refusal(Order("assign", "sari", NOW, assignee=to), alert) is not None) == refused


def test_deeds_and_the_rules_doing_are_apart() -> None:
    assert set(BECOMES) == set(get_args(Action))
    assert not OF_THE_RULE & {*get_args(Done), *get_args(Withheld)}


def test_a_shelf_holds_back_no_worse_alert() -> None:
    assert not outgrown(1, 1)
    assert not outgrown(0, 1)
    assert outgrown(3, 1)


def test_a_shelf_has_an_end_within_reach() -> None:
    assert too_long(NOW, NOW + timedelta(hours=12), 12) is None
    assert "more than 12 h" in (too_long(NOW, NOW + timedelta(hours=12, seconds=1), 12) or "")
    assert "not after" in (too_long(NOW, NOW, 12) or "")
    local = NOW.astimezone() + timedelta(hours=1)
    assert too_long(NOW, local, 12) is None
