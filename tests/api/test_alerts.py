"""Alerts: in which order and by what one lists them, and that one of two operators acknowledges."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from alerts.installation import KIND, STREAM_SILENT, SUBJECT
from api import shapes
from api.params import write_cursor

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def many(town: Any, number: int = 12, **more: Any) -> None:
    """Alerts of all severities, acknowledged or not, some raised in the same moment."""
    for i in range(number):
        town.device(f"lamp-{i:02}")
        town.alert(
            f"lamp-{i:02}", severity=i % 4, raised_at=T0 + (i // 3) * MINUTE, **({"acked": i % 5 == 0} | more)
        )  # fmt: skip


async def listed(client: httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"/api/v1/alerts{query}")
    assert answer.status_code == 200, answer.text
    shapes.Alerts.model_validate_json(answer.content)
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def paged(client: httpx.AsyncClient, query: str) -> list[int]:
    """The ids of all pages."""
    found: list[int] = []
    address = f"/api/v1/alerts{query}"
    while address:
        answer = await client.get(address)
        assert answer.status_code == 200, answer.text
        found += [item["id"] for item in answer.json()["items"]]
        assert len(found) < 1000, "pages without end"
        address = answer.headers.get("link", "").partition(";")[0].strip("<>")
    return found


async def test_open_ones_come_as_they_are_worked_off(viewer: httpx.AsyncClient, town: Any) -> None:
    many(town)
    items = await listed(viewer)
    keys = [(i["acked"], -i["severity"], i["raised_at"], i["id"]) for i in items]
    assert len(keys) == 12
    assert keys == sorted(keys)
    assert [i["acked"] for i in items] == [False] * 9 + [True] * 3
    assert items[0]["severity"] == 3


async def test_closed_ones_come_newest_first(viewer: httpx.AsyncClient, town: Any) -> None:
    many(town, active=False, acked=True, acked_at=T0, acked_by="Sari", cleared_at=T0 + MINUTE)
    items = await listed(viewer, "?state=closed")
    keys = [(i["raised_at"], i["id"]) for i in items]
    assert len(keys) == 12
    assert keys == sorted(keys, reverse=True)
    assert items[0]["state"] == "cleared"
    assert (items[0]["acked_by"], items[0]["cleared_at"]) == ("Sari", "2026-11-20T12:01:00Z")


@pytest.mark.parametrize("state", ["open", "unacked", "active", "all"])
@pytest.mark.parametrize("limit", [1, 3, 5])
async def test_pages_hold_every_alert_once(viewer: httpx.AsyncClient, town: Any, state: str, limit: int) -> None:
    many(town)
    at_once = [item["id"] for item in await listed(viewer, f"?state={state}")]
    assert len(at_once) == (9 if state == "unacked" else 12)
    assert await paged(viewer, f"?state={state}&limit={limit}") == at_once


async def test_states(viewer: httpx.AsyncClient, town: Any) -> None:
    town.device("lamp")
    ids = {
        (active, acked): town.alert("lamp", rule=f"{active}{acked}", active=active, acked=acked)
        for active in (True, False)
        for acked in (True, False)
    }
    expected = {
        "open": {(True, True), (True, False), (False, False)},
        "unacked": {(True, False), (False, False)},
        "active": {(True, True), (True, False)},
        "closed": {(False, True)},
        "all": set(ids),
    }
    for state, which in expected.items():
        assert {item["id"] for item in await listed(viewer, f"?state={state}")} == {ids[key] for key in which}, state


async def test_filters(viewer: httpx.AsyncClient, town: Any) -> None:
    town.device("lamp")
    town.gauge("wl")
    lamp = town.alert("lamp", severity=1)
    river = town.alert("wl", rule="siaga", kind="water_level", metric="level_m", severity=3, siaga=2)
    past = town.alert("wl", rule="stale", kind="water_level", metric=None, severity=1, historical=True)
    for query, ids in {
        "": [river, lamp],
        "?historical=true": [past],
        "?historical=any": [river, lamp, past],
        "?kind=streetlight": [lamp],
        "?device=wl": [river],
        "?min_severity=2": [river],
        "?device=nobody": [],
    }.items():
        assert [item["id"] for item in await listed(viewer, query)] == ids, query


async def test_an_alert_says_what_and_where(viewer: httpx.AsyncClient, town: Any) -> None:
    town.gauge("wl")
    town.device("nameless", district=None)
    town.alert("wl", rule="siaga", kind="water_level", metric="level_m", severity=2, siaga=2, value=2.61)
    town.alert("nameless", rule="stale", metric=None, severity=0, peak_severity=2, value=None)
    town.alert("gone", rule="own_rule")
    river, *others = await listed(viewer)
    assert river["title"] == {"id": "Buntu Pane naik ke Siaga 2", "en": "Buntu Pane rose to Siaga 2"}
    assert (river["unit"], river["value"], river["district"], river["version"]) == ("m", 2.61, "12.09.19", 1)
    silent, unregistered = others
    assert silent["title"]["id"] == "nameless berhenti melapor"
    assert (silent["unit"], silent["value"], silent["district"]) == (None, None, None)
    assert unregistered["title"]["en"] == "gone: own_rule"


async def test_falling_is_not_rising(viewer: httpx.AsyncClient, town: Any) -> None:
    town.gauge("wl")
    town.alert("wl", rule="siaga", kind="water_level", severity=1, peak_severity=3, siaga=3)
    (item,) = await listed(viewer)
    assert item["title"]["id"] == "Buntu Pane turun ke Siaga 3"


async def test_counts(viewer: httpx.AsyncClient, town: Any) -> None:
    nothing = shapes.Counts.model_validate_json((await viewer.get("/api/v1/alerts/counts")).content)
    assert nothing.open == 0
    assert nothing.unacked == dict.fromkeys("0123", 0)
    many(town)
    town.alert("lamp-00", rule="closed", active=False, acked=True)
    town.alert("lamp-00", rule="past", severity=3, historical=True)
    answer = (await viewer.get("/api/v1/alerts/counts")).json()
    assert answer == {
        "open": 12, "unacked": {"0": 2, "1": 2, "2": 2, "3": 3}, "shelved": 0, "suppressed": 0, "flood": None,
    }  # fmt: skip


async def test_one_alert_with_its_history(viewer: httpx.AsyncClient, town: Any) -> None:
    town.device("lamp")
    alert = town.alert("lamp", version=7)
    town.transition(town.alert("lamp", rule="another"))
    first = town.transition(alert, "raised", 1)
    second = town.transition(alert, "worsened", 2, from_severity=1, who=None, why="grew", value=1.5)
    answer = await viewer.get(f"/api/v1/alerts/{alert}")
    shapes.AlertWithHistory.model_validate_json(answer.content)
    assert answer.headers["etag"] == '"7"'
    history = answer.json()["history"]
    assert [(t["id"], t["what"], t["from_severity"], t["to_severity"]) for t in history] == [
        (first, "raised", None, 1),
        (second, "worsened", 1, 2),
    ]
    assert history[1]["why"] == "grew"
    assert history[0]["event_at"] == "2026-11-20T12:00:00Z"


async def test_a_level_says_who_is_in_charge_and_what_is_to_be_done(viewer: httpx.AsyncClient, town: Any) -> None:
    town.gauge("wl")
    river = town.alert("wl", rule="siaga", kind="water_level", severity=3, siaga=1)
    told = (await viewer.get(f"/api/v1/alerts/{river}")).json()["procedure"]
    assert (told["role"], told["report_s"]) == ("Bupati", 300)
    assert told["sop"]["id"].startswith("Ungsikan warga")
    for other in (town.alert("wl", rule="own_rule"), town.alert("wl", rule="stale", active=False)):
        assert (await viewer.get(f"/api/v1/alerts/{other}")).json()["procedure"] is None


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_unknown_alert_is_404(operator: httpx.AsyncClient, method: str) -> None:
    address = "/api/v1/alerts/987654321" + ("/ack" if method == "POST" else "")
    answer = await operator.request(method, address, headers={"If-Match": "*"})
    assert answer.status_code == 404
    assert "987654321" in answer.json()["detail"]


async def test_acknowledging(operator: httpx.AsyncClient, town: Any, db: psycopg.Connection) -> None:
    town.device("lamp")
    alert = town.alert("lamp", severity=2, worsened=True)
    answer = await operator.post(
        f"/api/v1/alerts/{alert}/ack", json={"comment": "tim sudah berangkat"}, headers={"If-Match": '"1"'}
    )
    assert answer.status_code == 200, answer.text
    shapes.Alert.model_validate_json(answer.content)
    acked = answer.json()
    assert (acked["acked"], acked["acked_by"], acked["comment"]) == (True, "a operator", "tim sudah berangkat")
    assert (acked["state"], acked["version"], acked["worsened"]) == ("active", 2, False)
    assert answer.headers["etag"] == '"2"'
    one = (await operator.get(f"/api/v1/alerts/{alert}")).json()
    (event,) = one.pop("history")
    assert {name: one[name] for name in acked} == acked
    assert (event["what"], event["who"], event["why"], event["to_severity"]) == (
        "acked",
        "a operator",
        "tim sudah berangkat",
        2,
    )


async def test_acknowledging_what_has_cleared_closes_it(operator: httpx.AsyncClient, town: Any) -> None:
    town.device("lamp")
    alert = town.alert("lamp", active=False)
    assert (await operator.post(f"/api/v1/alerts/{alert}/ack", headers={"If-Match": "*"})).status_code == 200
    assert await listed(operator) == []
    assert [item["id"] for item in await listed(operator, "?state=closed")] == [alert]


async def test_of_two_operators_the_second_gets_409_and_what_is(client: Any, town: Any) -> None:
    town.device("lamp")
    alert = town.alert("lamp")
    first, second = client("operator"), client("engineer")
    address = f"/api/v1/alerts/{alert}/ack"
    assert (await first.post(address, json={"comment": "saya"}, headers={"If-Match": '"1"'})).status_code == 200
    for version in ('"1"', '"2"', "*"):
        answer = await second.post(address, json={"comment": "bukan"}, headers={"If-Match": version})
        assert answer.status_code == 409
        problem = answer.json()
        assert "a operator" in problem["detail"]
        assert (problem["current"]["acked_by"], problem["current"]["comment"]) == ("a operator", "saya")


async def test_only_one_wins_a_race(client: Any, town: Any, db: psycopg.Connection) -> None:
    town.device("lamp")
    alert = town.alert("lamp")
    racers = [client(role) for role in ("operator", "engineer", "admin")] * 2
    answers = await asyncio.gather(
        *(racer.post(f"/api/v1/alerts/{alert}/ack", headers={"If-Match": '"1"'}) for racer in racers)
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
    rows = db.execute("SELECT who FROM transition WHERE alert_id = %s", (alert,)).fetchall()
    (winner,) = (answer.json()["acked_by"] for answer in answers if answer.status_code == 200)
    assert rows == [(winner,)]


async def test_an_old_version_is_412(operator: httpx.AsyncClient, town: Any, db: psycopg.Connection) -> None:
    town.device("lamp")
    alert = town.alert("lamp", version=3)
    answer = await operator.post(f"/api/v1/alerts/{alert}/ack", headers={"If-Match": '"2"'})
    assert answer.status_code == 412
    assert answer.json()["current"]["version"] == 3
    assert db.execute("SELECT count(*) FROM transition").fetchone() == (0,)
    again = await operator.post(f"/api/v1/alerts/{alert}/ack", headers={"If-Match": '"2", "3"'})
    assert again.status_code == 200


async def test_without_if_match_it_is_428(operator: httpx.AsyncClient, town: Any) -> None:
    town.device("lamp")
    alert = town.alert("lamp")
    answer = await operator.post(f"/api/v1/alerts/{alert}/ack", json={})
    assert answer.status_code == 428
    assert "If-Match" in answer.json()["detail"]


@pytest.mark.parametrize(
    "tag", ["", "yes", '"1", x', '"-1"', '"99999999999"', "“1”".encode(), "\xb2".encode("latin-1")]
)
async def test_if_match_that_is_no_version_is_422(operator: httpx.AsyncClient, town: Any, tag: str | bytes) -> None:
    town.device("lamp")
    alert = town.alert("lamp")
    answer = await operator.post(f"/api/v1/alerts/{alert}/ack", headers={"If-Match": tag})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "If-Match"


@pytest.mark.parametrize("tag", ["1", '"1"', 'W/"1"', "*", ' "1" ', '"7", "1"'])
async def test_ways_to_write_a_version(operator: httpx.AsyncClient, town: Any, tag: str) -> None:
    town.device("lamp")
    alert = town.alert("lamp")
    answer = await operator.post(f"/api/v1/alerts/{alert}/ack", headers={"If-Match": tag})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 200),
        (b"null", 200),
        (b"{}", 200),
        (b'{"comment": null}', 200),
        (b'{"comment": ""}', 200),
        (b'{"comment": "a\\u0000b"}', 422),
        (b'{"comment": "\\ud800"}', 422),
        (b'{"comment": 5}', 422),
        (b'{"comment": "' + b"x" * 2001 + b'"}', 422),
        (b'{"who": "somebody else"}', 422),
        (b"[]", 422),
        (b"{", 422),
        (b"\xff", 422),
    ],
)
async def test_the_body_is_optional(operator: httpx.AsyncClient, town: Any, body: bytes, status: int) -> None:
    town.device("lamp")
    alert = town.alert("lamp")
    headers = {"If-Match": "*", "Content-Type": "application/json"}
    answer = await operator.post(f"/api/v1/alerts/{alert}/ack", content=body, headers=headers)
    assert answer.status_code == status, answer.text


async def test_a_viewer_does_not_acknowledge(viewer: httpx.AsyncClient, town: Any, db: psycopg.Connection) -> None:
    town.device("lamp")
    alert = town.alert("lamp")
    answer = await viewer.post(f"/api/v1/alerts/{alert}/ack", headers={"If-Match": "*"})
    assert answer.status_code == 403
    assert db.execute("SELECT acked FROM alert").fetchone() == (False,)


@pytest.mark.parametrize(
    "position",
    [
        (False, 2**40, "2026-11-20T12:00:00Z", 1),
        (False, -(2**63) + 1, "2026-11-20T12:00:00Z", 2**62),
        (True, 3, "0001-01-01T00:00:00+00:00", -1),
        (True, 3, "9999-12-31T23:59:59.999999+00:00", 1),
    ],
)
@pytest.mark.parametrize("state", ["open", "closed"])
async def test_cursor_written_by_hand_does_no_harm(
    viewer: httpx.AsyncClient, town: Any, position: tuple[Any, ...], state: str
) -> None:
    many(town, 3)
    answer = await viewer.get("/api/v1/alerts", params={"state": state, "cursor": write_cursor(*position)})
    assert answer.status_code in (200, 422), answer.text


@pytest.mark.parametrize("position", [(False, 1, "yesterday", 1), (False, 1, 5, 1), (1, 1, "2026-11-20", 1), (1,)])
async def test_cursor_of_another_address_is_422(viewer: httpx.AsyncClient, position: tuple[Any, ...]) -> None:
    answer = await viewer.get("/api/v1/alerts", params={"cursor": write_cursor(*position)})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "cursor"


async def test_an_alert_about_the_installation_is_like_any_other(
    viewer: httpx.AsyncClient, operator: httpx.AsyncClient, town: Any
) -> None:
    number = town.alert(SUBJECT, STREAM_SILENT.rule, STREAM_SILENT.severity, kind=KIND)
    (item,) = await listed(viewer)
    assert (item["id"], item["kind"], item["severity"], item["unit"]) == (number, "installation", 3, None)
    assert item["title"] == {"id": "Tidak ada data yang masuk", "en": "No data is coming in"}
    answer = await operator.post(f"/api/v1/alerts/{number}/ack", json={}, headers={"If-Match": "*"})
    assert answer.status_code == 200
    assert answer.json()["acked"]
