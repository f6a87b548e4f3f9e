"""What a plan means for an alert: by tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.notice_plan import Plan, Quiet, Route, Step, parse
from alerts.notice_route import (
    Due,
    Recipient,
    Subject,
    due,
    group_of,
    kind_of,
    next_step_at,
    quiet_until,
    recipients,
    routes_of,
)

WIB = ZoneInfo("Asia/Jakarta")
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)  # 19:00 in Jakarta
RIVER = Subject(7, "siaga", "water_level", 2, "wl-1", "12.09.07", True, {"river": "Silau"})
STEPS = (Step(to=("Rudi",)), Step(after_s=600, to=("Sari",)), Step(after_s=900, to=("duty:bpbd",)))
PLAN = parse(
    """
    channel = [{ name = "chat", url_env = "A" }, { name = "mail", url_env = "B" }]
    person = [
      { name = "Rudi", channels = ["chat", "mail"] },
      { name = "Sari", channels = ["mail"], language = "en" },
    ]
    team = [{ name = "bpbd", fallback = ["Sari"] }]
    """,
    "plan",
)


def route(**given: Any) -> Route:
    return Route(name=given.pop("name", "r"), steps=given.pop("steps", STEPS), **given)


@pytest.mark.parametrize(
    ("filters", "taken"),
    [
        ({}, True),
        ({"kinds": {"water_level"}, "districts": {"12.09.07"}, "rules": {"siaga"}}, True),
        ({"kinds": {"traffic"}}, False),
        ({"districts": {"12.09.19"}}, False),
        ({"rules": {"stale"}}, False),
        ({"min_severity": 2, "max_severity": 2}, True),
        ({"min_severity": 3}, False),
        ({"max_severity": 1}, False),
    ],
)
def test_filters(filters: dict[str, Any], taken: bool) -> None:
    assert bool(list(routes_of(Plan(routes=(route(**filters),)), RIVER))) is taken


def test_the_first_route_that_takes_it_unless_it_goes_on() -> None:
    plan = Plan(
        routes=(
            route(name="a", kinds={"traffic"}),
            route(name="b", **{"continue": True}),
            route(name="c"),
            route(name="d"),
        )
    )
    assert [each.name for each in routes_of(plan, RIVER)] == ["b", "c"]


@pytest.mark.parametrize(
    ("by", "subject", "group"),
    [
        (("rule", "district"), RIVER, "rule=siaga, district=12.09.07"),
        (("river",), RIVER, "river=Silau"),
        (("panel", "severity"), RIVER, "panel=-, severity=2"),
        ((), RIVER, ""),
        (("rule",), RIVER._replace(registered=False, device_id="$panel/P-7"), "alert=7"),
    ],
)
def test_groups(by: Any, subject: Subject, group: str) -> None:
    assert group_of(route(by=by), subject) == group


@pytest.mark.parametrize(
    ("severity", "last_s", "wait_s"),
    [(1, None, 30), (1, -1000, 30), (1, -100, 200), (3, None, 0), (3, -1, 0)],
)
def test_when_it_is_due(severity: int, last_s: int | None, wait_s: int) -> None:
    last = None if last_s is None else NOW + timedelta(seconds=last_s)
    assert due(route(), severity, NOW, last, WIB) == Due(NOW + timedelta(seconds=wait_s), False)


@pytest.mark.parametrize(
    ("since", "until", "severity", "at", "end"),
    [
        ("22:00", "05:00", 1, "2026-11-24T22:00+07:00", "2026-11-25T05:00+07:00"),
        ("22:00", "05:00", 1, "2026-11-25T04:59+07:00", "2026-11-25T05:00+07:00"),
        ("22:00", "05:00", 1, "2026-11-25T05:00+07:00", None),
        ("22:00", "05:00", 1, "2026-11-24T21:59+07:00", None),
        ("22:00", "05:00", 2, "2026-11-24T23:00+07:00", None),
        ("12:00", "13:00", 0, "2026-11-24T12:30+07:00", "2026-11-24T13:00+07:00"),
        ("12:00", "13:00", 0, "2026-11-24T13:00+07:00", None),
    ],
)
def test_quiet_hours(since: str, until: str, severity: int, at: str, end: str | None) -> None:
    quiet = Quiet(**{"from": since}, until=until)  # type: ignore[arg-type]
    found = quiet_until(quiet, severity, datetime.fromisoformat(at).astimezone(UTC), WIB)
    assert found == (datetime.fromisoformat(end) if end else None)


def test_steps_keep_the_distance_between_them() -> None:
    assert next_step_at(route(), 0, NOW) == NOW + timedelta(seconds=600)
    assert next_step_at(route(), 1, NOW) == NOW + timedelta(seconds=300)
    assert next_step_at(route(), 2, NOW) is None


def test_everybody_of_some_steps_once_on_each_channel() -> None:
    rudi = [Recipient("Rudi", "chat", "id"), Recipient("Rudi", "mail", "id")]
    assert recipients(PLAN, STEPS[:1], {}) == rudi
    assert recipients(PLAN, STEPS, {"bpbd": ["Rudi"]}) == [*rudi, Recipient("Sari", "mail", "en")]
    on_call = recipients(PLAN, STEPS[2:], {"pu": ["Rudi"]})
    assert on_call == [Recipient("Sari", "mail", "en", "nobody of bpbd is on duty")]


@pytest.mark.parametrize(
    ("whys", "kind"),
    [(["new", "worse"], "raised"), (["back"], "raised"), (["worse", "again"], "worse"), (["again"], "repeat")],
)
def test_what_a_message_is_about(whys: Any, kind: str) -> None:
    assert kind_of(whys) == kind
