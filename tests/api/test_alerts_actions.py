"""Acting on alerts beside acknowledging them: who may, with which words, until when, and many at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from api import alert_shapes, shapes
from storage.as_json import time_text

ANY = {"If-Match": "*"}


def later(hours: float) -> str:
    return time_text(datetime.now(UTC) + timedelta(hours=hours))


BODIES: dict[str, Any] = {
    "unack": {"reason": "wrong river"},
    "shelve": {"reason": "being cleaned", "until": later(1)},
    "unshelve": {},
    "comment": {"comment": "on my way"},
    "assign": {"assignee": "budi"},
}


async def ids(client: httpx.AsyncClient, state: str, **more: Any) -> list[int]:
    answer = await client.get("/api/v1/alerts", params={"state": state, **more})
    assert answer.status_code == 200, answer.text
    shapes.Alerts.model_validate_json(answer.content)
    return [item["id"] for item in answer.json()["items"]]


async def do(client: httpx.AsyncClient, alert: int, action: str, **body: Any) -> httpx.Response:
    return await client.post(f"/api/v1/alerts/{alert}/{action}", json=body or BODIES[action], headers=ANY)


async def test_a_life_with_everything(operator: httpx.AsyncClient, town: Any) -> None:
    town.device("lamp")
    alert = town.alert("lamp", severity=2)
    for action in ("assign", "shelve", "unshelve", "comment", "ack", "unack"):
        answer = await do(operator, alert, action) if action != "ack" else await do(operator, alert, "ack", comment="x")
        assert answer.status_code == 200, (action, answer.text)
        shapes.Alert.model_validate_json(answer.content)
    one = (await operator.get(f"/api/v1/alerts/{alert}")).json()
    shapes.AlertWithHistory.model_validate(one)
    assert [(event["what"], event["who"], event["why"]) for event in one["history"]] == [
        ("assigned", "a operator", None),
        ("shelved", "a operator", "being cleaned"),
        ("unshelved", "a operator", None),
        ("commented", "a operator", "on my way"),
        ("acked", "a operator", "x"),
        ("unacked", "a operator", "wrong river"),
    ]
    assert (one["assignee"], one["acked"], one["shelved_until"], one["version"]) == ("budi", False, None, 7)


@pytest.mark.parametrize("action", BODIES)
async def test_versions_and_roles_as_with_acknowledging(client: Any, town: Any, action: str) -> None:
    town.device("lamp")
    later_on = {"shelved_until": datetime.now(UTC) + timedelta(hours=1), "shelved_severity": 0}
    alert = town.alert("lamp", version=3, acked=action == "unack", **later_on if action == "unshelve" else {})
    address, body = f"/api/v1/alerts/{alert}/{action}", BODIES[action]
    operator = client("operator")
    assert (await client("viewer").post(address, json=body, headers=ANY)).status_code == 403
    assert (await operator.post(address, json=body)).status_code == 428
    old = await operator.post(address, json=body, headers={"If-Match": '"2"'})
    assert (old.status_code, old.json()["current"]["version"]) == (412, 3)
    good = await operator.post(address, json=body, headers={"If-Match": '"3"'})
    assert (good.status_code, good.headers["etag"]) == (200, '"4"')
    again = await operator.post(address, json=body, headers=ANY)
    assert again.status_code == (200 if action == "comment" else 409)
    assert (await operator.post(f"/api/v1/alerts/4711/{action}", json=body, headers=ANY)).status_code == 404


@pytest.mark.parametrize(
    ("action", "body", "field"),
    [
        ("unack", {}, "reason"),
        ("unack", {"reason": "  "}, "reason"),
        ("shelve", {"until": later(1)}, "reason"),
        ("shelve", {"reason": "x"}, "until"),
        ("shelve", {"reason": "x", "until": later(-1)}, "until"),
        ("shelve", {"reason": "x", "until": "2026-11-24T12:00:00"}, "until"),
        ("shelve", {"reason": "x", "until": "0001-01-01T00:00:00+10:00"}, "until"),
        ("shelve", {"reason": "x", "until": later(1), "scope": "city"}, "scope"),
        ("comment", {"comment": ""}, "comment"),
        ("comment", {"comment": "a\0b"}, "comment"),
        ("assign", {}, "assignee"),
        ("assign", {"assignee": ""}, "assignee"),
    ],
)
async def test_what_is_wrong_is_named(
    operator: httpx.AsyncClient, town: Any, action: str, body: dict[str, Any], field: str
) -> None:
    town.device("lamp")
    answer = await operator.post(f"/api/v1/alerts/{town.alert('lamp')}/{action}", json=body, headers=ANY)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field


async def test_how_long_one_may_shelve_is_a_matter_of_the_role(client: Any, town: Any) -> None:
    town.device("lamp")
    alert = town.alert("lamp")
    refused = await do(client("operator"), alert, "shelve", reason="x", until=later(13))
    assert refused.status_code == 422
    assert "SIAGA_SHELVE_MAX_H is 12" in refused.json()["detail"]
    refused = await do(client("engineer"), alert, "shelve", reason="x", until=later(169))
    assert "SIAGA_SHELVE_ENGINEER_MAX_H is 168" in refused.json()["detail"]
    assert (await do(client("engineer"), alert, "shelve", reason="x", until=later(13))).status_code == 200


async def test_lists_tell_the_states_apart(operator: httpx.AsyncClient, town: Any, db: psycopg.Connection) -> None:
    town.device("lamp", district="12.09.19")
    town.device("far", district="12.09.20")
    new = town.alert("lamp", rule="a", severity=1)
    acked = town.alert("lamp", rule="b", acked=True, assignee="budi")
    gone = town.alert("lamp", rule="c", active=False)
    shelved = town.alert("far", rule="d", severity=3)
    under = town.alert("far", rule="e", parent_id=new)
    closed = town.alert("far", rule="f", active=False, acked=True)
    await do(operator, shelved, "shelve")
    expected = {
        "open": [new, gone, acked], "unacked": [new, gone], "acked": [acked], "active": [new, acked],
        "cleared_unacked": [gone], "shelved": [shelved], "suppressed": [under], "closed": [closed],
    }  # fmt: skip
    for state, which in expected.items():
        assert await ids(operator, state) == which, state
    assert sorted(await ids(operator, "all")) == [new, acked, gone, shelved, under, closed]
    assert await ids(operator, "all", district="12.09.20") == [closed, under, shelved]
    assert await ids(operator, "open", assignee="budi") == [acked]
    assert await ids(operator, "open", rule="c") == [gone]
    assert await ids(operator, "all", parent=new) == [under]
    assert await ids(operator, "open", since="2026-11-20T12:00:01Z") == []
    assert await ids(operator, "open", since="2026-11-20T19:00:00+07:00") == [new, gone, acked]
    counts = (await operator.get("/api/v1/alerts/counts")).json()
    assert counts == {
        "open": 3, "unacked": {"0": 1, "1": 1, "2": 0, "3": 0}, "shelved": 1, "suppressed": 1, "flood": None,
    }  # fmt: skip
    item = (await operator.get(f"/api/v1/alerts/{under}")).json()
    assert (item["suppressed"], item["parent_id"]) == ("parent", new)


async def test_a_shelved_rule_is_listed_and_taken_off(client: Any, town: Any) -> None:
    town.device("lamp", name="Jl. Imam Bonjol 1")
    alert = town.alert("lamp", severity=1)
    operator = client("operator")
    await do(operator, alert, "shelve", reason="waits for a part", until=later(2), scope="rule")
    answer = await operator.get("/api/v1/alerts/shelves")
    (item,) = alert_shapes.Shelves.model_validate_json(answer.content).items
    assert (item.rule, item.device_id, item.device_name) == ("lamp_out", "lamp", "Jl. Imam Bonjol 1")
    assert (item.severity, item.who, item.why) == (1, "a operator", "waits for a part")
    address = "/api/v1/alerts/shelves/lamp_out/lamp"
    assert (await client("viewer").delete(address)).status_code == 403
    assert [(await operator.delete(address)).status_code for _ in range(2)] == [204, 404]
    assert await ids(operator, "open") == [alert]
    assert (await operator.get("/api/v1/alerts/shelves")).json()["items"] == []


async def test_many_at_once(client: Any, town: Any, db: psycopg.Connection) -> None:
    for i in range(4):
        town.device(f"lamp-{i}")
    a, b, c, d = (town.alert(f"lamp-{i}", acked=i == 2) for i in range(4))
    body = {
        "action": "ack", "reason": "one crew for all",
        "items": [{"id": a, "version": 1}, {"id": b, "version": 9}, {"id": c}, {"id": 4711}, {"id": d}],
    }  # fmt: skip
    assert (await client("viewer").post("/api/v1/alerts/bulk", json=body)).status_code == 403
    answer = await client("operator").post("/api/v1/alerts/bulk", json=body)
    assert answer.status_code == 200, answer.text
    done = alert_shapes.ActedAlerts.model_validate_json(answer.content)
    assert [(each.id, each.outcome, each.version) for each in done.items] == [
        (a, "done", 2), (b, "changed", 1), (c, "refused", 1), (4711, "unknown", None), (d, "done", 2),
    ]  # fmt: skip
    assert "version 1 now" in (done.items[1].problem or "")
    rows = db.execute("SELECT alert_id, who, why FROM transition ORDER BY id").fetchall()
    assert rows == [(a, "a operator", "one crew for all"), (d, "a operator", "one crew for all")]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"action": "shelve", "reason": "x"}, "until"),
        ({"action": "shelve", "until": later(1)}, "reason"),
        ({"action": "shelve", "reason": "x", "until": later(100)}, "until"),
        ({"action": "ack", "until": later(1)}, "until"),
        ({"action": "ack", "assignee": "budi"}, "assignee"),
        ({"action": "assign"}, "assignee"),
        ({"action": "unack"}, "reason"),
        ({"action": "delete"}, "action"),
        ({"action": "ack", "items": []}, "items"),
        ({"action": "ack", "items": [{"id": 1}] * 1001}, "items"),
    ],
)
async def test_what_is_wrong_with_many_is_named(operator: httpx.AsyncClient, more: dict[str, Any], field: str) -> None:
    answer = await operator.post("/api/v1/alerts/bulk", json={"items": [{"id": 1}]} | more)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field


async def test_deeds_come_through_the_live_stream(streams: Any, operator: httpx.AsyncClient, town: Any) -> None:
    town.device("lamp")
    alert = town.alert("lamp", severity=2)
    stream = await streams()
    await do(operator, alert, "shelve")
    _, data, _ = await stream.next("alert")
    shapes.Transition.model_validate({name: value for name, value in data["transition"].items() if name != "alert_id"})
    assert (data["transition"]["what"], data["alert"]["version"]) == ("shelved", 2)
    assert (data["counts"]["open"], data["counts"]["shelved"]) == (0, 1)
