"""Incidents as clients see them: who is under them and who was, and what a flood of alerts comes to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api import incident_shapes, shapes
from api.context import utc_now

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
MOVE = "INSERT INTO transition (alert_id, what, event_at, detected_at, parent_id) VALUES (%s, %s, %s, %s, %s)"
PANEL = {"rule": "outage", "severity": 2, "metric": None}


@pytest.fixture
def panel(town: Any) -> int:
    """Panel P-01 is dark: two lamps are under it, of which one is over, and a third was let out."""
    number: int = town.alert("$panel/P-01", **PANEL)
    town.transition(number, to_severity=2)
    for lamp, more in (("a", {}), ("b", {"active": False, "cleared_at": T0}), ("c", {})):
        town.device(f"lamp-{lamp}", name=f"Lamp {lamp}", attributes={"panel": "P-01"})
        under = {} if lamp == "c" else {"parent_id": number}
        alert = town.alert(f"lamp-{lamp}", "unpowered", **more, **under)
        town.transition(alert)
        town.conn.execute(MOVE, (alert, "suppressed", T0, T0, number))
    town.conn.execute(MOVE, (alert, "released", T0, T0 + timedelta(minutes=5), number))
    return number


async def listed(client: httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"/api/v1/incidents{query}")
    assert answer.status_code == 200, answer.text
    incident_shapes.Incidents.model_validate_json(answer.content)
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_an_incident_is_named_and_counted_in_both_languages(viewer: httpx.AsyncClient, panel: int) -> None:
    (item,) = await listed(viewer)
    assert (item["id"], item["members"], item["device_name"], item["district"]) == (panel, 2, "Panel P-01", "12.09.19")
    assert item["title"] == {"id": "Panel P-01 padam: 2 lampu", "en": "Panel P-01 is dark: 2 lamps"}
    alerts = (await viewer.get("/api/v1/alerts")).json()["items"]
    assert [(each["device_id"], each["members"]) for each in alerts] == [("$panel/P-01", 2), ("lamp-c", None)]


async def test_lists_by_state_and_time(viewer: httpx.AsyncClient, town: Any, panel: int) -> None:
    over = {"active": False, "acked": True, "cleared_at": T0, "raised_at": T0 - timedelta(days=2)}
    closed = town.alert("$feeder/F-1", **PANEL, **over)
    stream = town.alert("$siaga", "stream_silent", 3, kind="installation", raised_at=T0 - timedelta(days=1))
    town.alert("$siaga", "broker_full", 2, kind="installation")
    town.alert("$panel/P-02", **PANEL, **over | {"historical": True})  # nobody is left of it
    assert [each["id"] for each in await listed(viewer)] == [panel, stream]
    assert [each["id"] for each in await listed(viewer, "?state=closed")] == [closed]
    assert [each["id"] for each in await listed(viewer, "?state=all&historical=any")] == [panel, stream, closed]
    assert [each["id"] for each in await listed(viewer, "?state=all&since=2026-11-19T00:00:00Z")] == [panel, stream]
    first = await viewer.get("/api/v1/incidents?limit=1")
    after = await listed(viewer, f"?limit=1&cursor={first.json()['next_cursor']}")
    assert [each["id"] for each in after] == [stream]


async def test_one_with_its_numbers(viewer: httpx.AsyncClient, town: Any, panel: int) -> None:
    answer = await viewer.get(f"/api/v1/incidents/{panel}")
    incident_shapes.Incident.model_validate_json(answer.content)
    body = answer.json()
    assert body["devices"] == {"ever": 3, "active": 1, "released": 1}
    assert body["group"] == {"by": "panel", "name": "P-01"}
    assert [step["what"] for step in body["history"]] == ["raised"]
    assert answer.headers["etag"] == '"1"'
    lamp = town.alert("lamp-a")
    for number in (lamp, 999_999):
        for path in ("", "/members"):
            assert (await viewer.get(f"/api/v1/incidents/{number}{path}")).status_code == 404


async def test_everybody_who_ever_was_under_it(viewer: httpx.AsyncClient, panel: int) -> None:
    found: list[dict[str, Any]] = []
    address = f"/api/v1/incidents/{panel}/members?limit=2"
    while address:
        answer = await viewer.get(address)
        incident_shapes.Members.model_validate_json(answer.content)
        found += answer.json()["items"]
        address = answer.headers.get("link", "").partition(";")[0].strip("<>")
    assert [(each["device_name"], each["state"], each["left_at"]) for each in found] == [
        ("Lamp a", "active", None), ("Lamp b", "cleared", None), ("Lamp c", "active", "2026-11-20T12:05:00Z"),
    ]  # fmt: skip
    assert {each["joined_at"] for each in found} == {"2026-11-20T12:00:00Z"}


async def test_a_district_has_the_incidents_of_its_devices(viewer: httpx.AsyncClient, panel: int) -> None:
    for district, ids in (("12.09.19", ["$panel/P-01", "lamp-c"]), ("12.09.20", [])):
        items = (await viewer.get(f"/api/v1/alerts?district={district}")).json()["items"]
        assert [each["device_id"] for each in items] == ids


async def test_a_flood_is_told_and_taken_together(viewer: httpx.AsyncClient, town: Any) -> None:
    now = utc_now()
    for number in range(12):
        town.device(f"lamp-{number:02}", district=f"12.09.{19 + number % 2}")
        at = now - timedelta(seconds=60 - number)
        alert = town.alert(f"lamp-{number:02}", raised_at=at, acked=number == 0, severity=int(number == 1))
        town.transition(alert, event_at=at, detected_at=at)
    answer = await viewer.get("/api/v1/alerts/counts")
    shapes.Counts.model_validate_json(answer.content)
    flood = answer.json()["flood"]
    assert flood["alerts"] == 12
    assert (len(flood["per_minute"]), sum(flood["per_minute"])) == (60, 12)
    assert abs(datetime.fromisoformat(flood["since"]) - now + timedelta(seconds=50)) < timedelta(seconds=1)
    groups = await viewer.get("/api/v1/alerts/groups")
    incident_shapes.AlertGroups.model_validate_json(groups.content)
    assert [
        (each["rule"], each["district"], each["alerts"], each["unacked"], each["severity"])
        for each in groups.json()["items"]
    ] == [("lamp_out", "12.09.20", 6, 6, 1), ("lamp_out", "12.09.19", 6, 5, 0)]


async def test_a_flood_that_is_over_is_none(viewer: httpx.AsyncClient, town: Any) -> None:
    at = utc_now() - timedelta(minutes=30)
    for number in range(12):
        town.transition(town.alert(f"lamp-{number}"), event_at=at, detected_at=at)
    assert (await viewer.get("/api/v1/alerts/counts")).json()["flood"] is None
