"""Who may take a shift over, in which order gauges are told, and what counts as a change."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.handover import Change, Signature, changes, downstream, refusal


@pytest.mark.parametrize(
    ("who", "is_admin", "reason", "unacknowledged", "said"),
    [
        ("ana", False, None, 0, None),
        ("ana", True, None, 0, None),
        ("ana", False, None, 2, "2 alerts are unacknowledged"),
        ("budi", False, None, 0, "somebody else takes over"),
        ("budi", False, "nobody else is here", 0, "somebody else takes over"),
        ("budi", True, None, 0, "say in reason"),
        ("budi", True, "  ", 0, "say in reason"),
        ("budi", True, "nobody else is here", 0, None),
        ("budi", True, "nobody else is here", 1, "1 alerts are unacknowledged"),
    ],
)
def test_who_may_take_over(who: str, is_admin: bool, reason: str | None, unacknowledged: int, said: str | None) -> None:
    found = refusal(Signature(who, is_admin, reason), "budi", unacknowledged)
    assert found is None if said is None else said in (found or "")


def test_gauges_stand_in_the_order_of_the_water() -> None:
    gauges = [
        ("mouth", "kisaran"),
        ("kisaran", "buntu"),
        ("buntu", None),
        ("alone", "not registered"),
        ("b", "kisaran"),
    ]
    assert downstream(gauges) == ["alone", "buntu", "kisaran", "b", "mouth"]


def test_a_circle_of_gauges_ends() -> None:
    assert sorted(downstream([("a", "b"), ("b", "a")])) == ["a", "b"]


def told(**parts: Any) -> dict[str, Any]:
    none: dict[str, Any] = {"count": 0, "items": []}
    empty = {"rivers": [], "open": none, "shelved": none, "windows": none, "forecasts": []}
    degraded = {name: parts.pop(name, none) for name in ("silent", "suspect", "incomplete")}
    return empty | {"degraded": degraded} | parts


def alerts(*rows: dict[str, Any]) -> dict[str, Any]:
    usual = {"severity": 1, "siaga": None, "state": "active", "acked": False, "assignee": None, "value": 1.0}
    return {"count": len(rows), "items": [usual | row for row in rows]}


def river(**of_gauge: Any) -> list[dict[str, Any]]:
    return [{"river": "Silau", "gauges": [{"device_id": "g", "siaga": 3, "level_m": 2.1} | of_gauge]}]


def test_nothing_has_changed() -> None:
    before = told(open=alerts({"id": 1}), rivers=river())
    assert changes(before, told(open=alerts({"id": 1, "value": 2.0}), rivers=river(level_m=2.2))) == []


def test_what_came_went_and_changed() -> None:
    levels = [{"siaga": 2, "stage": "watch", "text": "soon"}]
    before = told(
        open=alerts({"id": 1}, {"id": 2}),
        rivers=river(),
        silent={"count": 1, "items": [{"device_id": "lamp"}]},
        forecasts=[{"device_id": "g", "levels": levels}],
    )
    after = told(
        open=alerts({"id": 2, "acked": True, "severity": 2}, {"id": 3}),
        rivers=river(siaga=2),
        forecasts=[{"device_id": "g", "levels": [levels[0] | {"stage": "warning"}]}],
    )
    assert changes(before, after) == [
        Change("gauges", "g", "changed", ("siaga",)),
        Change("open", "3", "added"),
        Change("open", "1", "gone"),
        Change("open", "2", "changed", ("severity", "acked")),
        Change("silent", "lamp", "gone"),
        Change("forecasts", "g", "changed", ("levels",)),
    ]


def test_a_forecast_told_in_other_words_is_the_same() -> None:
    one = [{"device_id": "g", "levels": [{"siaga": 2, "stage": "watch", "text": "in 2 h"}]}]
    other = [{"device_id": "g", "levels": [{"siaga": 2, "stage": "watch", "text": "in 1 h"}]}]
    assert changes(told(forecasts=one), told(forecasts=other)) == []
