"""A body is taken as its schema says: a number is no time, true is no number, and what nobody reads is refused."""

from __future__ import annotations

from typing import Any

import pytest

WHY = {"reason": "x"}
LATER = "2030-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/devices/wl-1/life", {"status": "planned", "from": 0} | WHY, "from"),
        ("/devices/wl-1/credential", {"days": False}, "days"),
        ("/devices/wl-1/credential", {"days": "30"}, "days"),
        ("/windows", {"scope": "device", "name": "wl-1", "to": 1_900_000_000} | WHY, "to"),
        ("/duty", {"team": "x", "person": "x", "to": 1_900_000_000}, "to"),
        ("/handover", {"from": 1_700_000_000.5}, "from"),
        ("/alerts/1/shelve", {"until": 1_900_000_000} | WHY, "until"),
        ("/alerts/bulk", {"action": "ack", "items": [{"id": "1"}]}, "items.0.id"),
        ("/alerts/bulk", {"action": "ack", "items": [{"id": 1, "version": True}]}, "items.0.version"),
        ("/quarantine/claim", {"ids": [1.5]}, "ids.0"),
        ("/quarantine/claim", {"filter": {"since": 0}}, "filter.since"),
        ("/devices/wl-1/commands", {"name": "interval", "timeout_s": "5"}, "timeout_s"),
        ("/windows", {"scope": "device", "name": "wl-1", "to": LATER, "until": LATER} | WHY, "until"),
    ],
)
async def test_what_is_none_is_refused_by_its_name(
    client: Any, town: Any, path: str, body: dict[str, Any], field: str
) -> None:
    town.gauge("wl-1")
    answer = await client("admin").post(f"/api/v1{path}", json=body, headers={"If-Match": "*"})
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_what_is_no_json_is_refused_as_a_whole(client: Any) -> None:
    answer = await client("admin").post("/api/v1/windows", content=b'{"scope": ')
    assert [error["field"] for error in answer.json()["errors"]] == ["body"]


async def test_a_whole_number_is_one_however_it_is_written(client: Any, town: Any) -> None:
    town.gauge("wl-1")
    answer = await client("admin").post("/api/v1/devices/wl-1/credential", json={"days": 30.0})
    assert answer.status_code == 201, answer.text
