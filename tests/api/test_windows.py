"""Windows of work: who makes which, what is refused, and how they end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api import alert_shapes
from storage.as_json import time_text

ADDRESS = "/api/v1/windows"


def later(hours: float) -> str:
    return time_text(datetime.now(UTC) + timedelta(hours=hours))


def body(**more: Any) -> dict[str, Any]:
    return {"scope": "device", "name": "lamp", "to": later(2), "reason": "new lamp"} | more


async def test_a_window_from_beginning_to_end(client: Any, town: Any) -> None:
    town.device("lamp")
    operator = client("operator")
    assert (await client("viewer").post(ADDRESS, json=body())).status_code == 403
    made = await operator.post(ADDRESS, json=body())
    assert made.status_code == 201, made.text
    alert_shapes.Window.model_validate_json(made.content)
    window = made.json()
    assert (window["state"], window["what"], window["who"]) == ("standing", "maintenance", "a operator")
    planned = (await operator.post(ADDRESS, json=body(**{"from": later(24), "to": later(26)}))).json()
    for state, which in {"standing": [window], "to come": [planned], "over": [], "all": [planned, window]}.items():
        answer = await client("viewer").get(ADDRESS, params={"state": state})
        alert_shapes.Windows.model_validate_json(answer.content)
        assert answer.json()["items"] == which
    end = f"{ADDRESS}/{window['id']}/end"
    ended = await operator.post(end, json={"reason": "done"})
    assert (ended.json()["state"], ended.json()["ended_by"], ended.json()["ended_why"]) == (
        "over",
        "a operator",
        "done",
    )
    again = await operator.post(end)
    assert (again.status_code, again.json()["current"]["state"]) == (409, "over")
    assert (await operator.get(f"{ADDRESS}/{window['id']}")).json() == ended.json()
    assert (await operator.post(f"{ADDRESS}/4711/end")).status_code == 404
    page = await operator.get(ADDRESS, params={"limit": 1})
    assert [each["id"] for each in page.json()["items"]] == [planned["id"]]
    rest = await operator.get(ADDRESS, params={"limit": 1, "cursor": page.json()["next_cursor"]})
    assert [each["id"] for each in rest.json()["items"]] == [window["id"]]


async def test_more_than_one_device_needs_an_engineer(client: Any) -> None:
    wide = body(scope="panel", name="P-7", what="out_of_service", to=None)
    refused = await client("operator").post(ADDRESS, json=wide)
    assert (refused.status_code, "engineer" in refused.json()["detail"]) == (403, True)
    made = await client("engineer").post(ADDRESS, json=wide)
    assert (made.status_code, made.json()["to"]) == (201, None)
    assert (await client("operator").post(f"{ADDRESS}/{made.json()['id']}/end")).status_code == 403


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"scope": "planet"}, "scope"),
        ({"name": "nobody"}, "name"),
        ({"name": "no device"}, "name"),
        ({"scope": "district", "name": "Kisaran"}, "name"),
        ({"name": " "}, "name"),
        ({"to": None}, "to"),
        ({"to": later(-1)}, "to"),
        ({"to": later(24 * 30 + 1)}, "to"),
        ({"from": later(24 * 31), "to": later(24 * 32)}, "from"),
        ({"from": later(3)}, "to"),
        ({"to": "9999-12-31T23:59:59-01:00"}, "to"),
        ({"reason": ""}, "reason"),
        ({"what": "holiday"}, "what"),
    ],
)
async def test_what_is_wrong_is_named(client: Any, town: Any, more: dict[str, Any], field: str) -> None:
    town.device("lamp")
    answer = await client("engineer").post(ADDRESS, json=body(**more))
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field
