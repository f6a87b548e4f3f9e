"""Quarantine over HTTP: who sees payloads, who acts, what is refused, and one answer for each of many."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import httpx
import pytest

from api import quarantine_shapes as shapes
from tests.api.conftest import SEEN

SHIFT = {"shift_s": -25200, "note": "WIB sent as UTC"}


def entry(town: Any, number: int = 1, **more: Any) -> int:
    row = {
        "reason": "future_timestamp", "fingerprint": "0123456789abcdef", "device_id": "wl-1",
        "topic": "siaga/v1/12.09/wl-1/readings", "digest": bytes([number]), "payload": b'{"ts":1}',
        "detail": "ts is 25200 s ahead, limit 300 s", "skew_s": 25200.0, "day": SEEN.date(),
        "first_seen": SEEN, "last_seen": SEEN + timedelta(minutes=number),
    } | more  # fmt: skip
    return int(town._insert("quarantine", returning="id", **row))


@pytest.fixture
def engineer(client: Any) -> httpx.AsyncClient:
    made: httpx.AsyncClient = client("engineer")
    return made


async def test_listed_newest_first_in_pages_and_filtered(viewer: httpx.AsyncClient, town: Any) -> None:
    ids = [entry(town, n) for n in range(3)]
    stranger = entry(town, 9, device_id="?", reason="unknown_device", topic="siaga/v1/12.09/new/readings")
    answer = await viewer.get("/api/v1/quarantine?limit=3")
    shapes.Entries.model_validate_json(answer.content)
    assert [e["id"] for e in answer.json()["items"]] == [stranger, ids[2], ids[1]]
    assert "payload" not in answer.text.replace("has_payload", "")
    rest = await viewer.get("/api/v1/quarantine", params={"limit": "3", "cursor": answer.json()["next_cursor"]})
    assert [e["id"] for e in rest.json()["items"]] == [ids[0]]
    for query, found in {
        "reason=unknown_device": [stranger], "device=new": [stranger], "device=wl-1": ids[::-1],
        "state=discarded": [], "fingerprint=0123456789abcdef&device=new": [stranger],
        "since=2026-11-20T12:05:00Z": [stranger],
    }.items():  # fmt: skip
        assert [e["id"] for e in (await viewer.get(f"/api/v1/quarantine?{query}")).json()["items"]] == found, query


async def test_groups(viewer: httpx.AsyncClient, town: Any) -> None:
    ids = [entry(town, n, count=5) for n in range(3)]
    other = entry(town, 8, fingerprint="f" * 16)
    answer = await viewer.get("/api/v1/quarantine/groups")
    shapes.Groups.model_validate_json(answer.content)
    found = [(g["sample"], g["entries"], g["count"]) for g in answer.json()["items"]]
    assert found == [(other, 1, 1), (ids[2], 3, 15)]


async def test_payloads_are_for_operators(viewer: httpx.AsyncClient, operator: httpx.AsyncClient, town: Any) -> None:
    text, raw = entry(town, 1), entry(town, 2, payload=b"\xff\x00")
    assert (await viewer.get(f"/api/v1/quarantine/{text}")).status_code == 403
    answer = await operator.get(f"/api/v1/quarantine/{text}")
    shapes.EntryWhole.model_validate_json(answer.content)
    assert answer.json()["payload_text"] == '{"ts":1}'
    other = (await operator.get(f"/api/v1/quarantine/{raw}")).json()
    assert other["payload_text"] is None
    assert base64.b64decode(other["payload_base64"]) == b"\xff\x00"
    assert (await operator.get("/api/v1/quarantine/999999")).status_code == 404


async def test_claim_steal_replay(
    client: Any, engineer: httpx.AsyncClient, operator: httpx.AsyncClient, town: Any
) -> None:
    number = entry(town)
    assert (await operator.post(f"/api/v1/quarantine/{number}/claim")).status_code == 403
    assert (await engineer.post(f"/api/v1/quarantine/{number}/claim")).json()["state"] == "claimed"
    admin = client("admin")
    refused = await admin.post(f"/api/v1/quarantine/{number}/replay", json=SHIFT)
    assert refused.status_code == 409
    assert refused.json()["current"]["state"] == "claimed"
    assert "claimed by a engineer" in refused.json()["detail"]
    assert (await admin.post(f"/api/v1/quarantine/{number}/claim", json={"force": True})).status_code == 200
    done = await admin.post(f"/api/v1/quarantine/{number}/replay", json=SHIFT)
    shapes.ActedEntry.model_validate_json(done.content)
    assert done.json()["state"] == "replaying"
    assert (await admin.post(f"/api/v1/quarantine/{number}/discard", json={"note": "x"})).status_code == 409
    events = (await operator.get(f"/api/v1/quarantine/{number}")).json()["events"]
    assert [(e["who"], e["what"], e["note"], e["shift_s"]) for e in events] == [
        ("a engineer", "claimed", None, None),
        ("a admin", "claimed", None, None),
        ("a admin", "replay", "WIB sent as UTC", -25200.0),
    ]


async def test_many_at_once_each_on_its_own(engineer: httpx.AsyncClient, town: Any) -> None:
    good, counted, done = entry(town, 1), entry(town, 2, payload=None), entry(town, 3, state="discarded")
    answer = await engineer.post("/api/v1/quarantine/replay", json={"ids": [good, counted, done, 10**9]})
    shapes.ActedEntries.model_validate_json(answer.content)
    states = [(e["id"], e["state"], e["problem"] is None) for e in answer.json()["items"]]
    assert states == [(good, "replaying", True), (counted, "open", False), (done, "discarded", False)]


async def test_a_filter_takes_open_ones(engineer: httpx.AsyncClient, town: Any) -> None:
    ids = [entry(town, n) for n in range(3)]
    entry(town, 7, state="replayed")
    entry(town, 8, device_id="other", topic="siaga/v1/12.09/other/readings")
    body = {"filter": {"reason": "future_timestamp", "device": "wl-1"}, **SHIFT}
    answer = (await engineer.post("/api/v1/quarantine/replay", json=body)).json()
    assert [e["id"] for e in answer["items"]] == ids
    assert answer["more"] is False
    assert (await engineer.post("/api/v1/quarantine/replay", json=body)).json()["items"] == []


@pytest.mark.parametrize(
    ("action", "body", "field"),
    [
        ("replay", {}, "ids"),
        ("replay", {"ids": [1], "filter": {"device": "a"}}, "ids"),
        ("replay", {"filter": {}}, "filter"),
        ("replay", {"ids": [1], "shift_s": 1e12}, "shift_s"),
        ("claim", {"ids": [1], "shift_s": 5}, "shift_s"),
        ("discard", {"ids": [1]}, "note"),
        ("burn", {"ids": [1]}, "action"),
        ("claim", {"ids": list(range(1, 1002))}, "ids"),
    ],
)
async def test_refused_naming_the_field(engineer: httpx.AsyncClient, action: str, body: Any, field: str) -> None:
    answer = await engineer.post(f"/api/v1/quarantine/{action}", json=body)
    assert answer.status_code == 422
    assert [e["field"] for e in answer.json()["errors"]] == [field]
