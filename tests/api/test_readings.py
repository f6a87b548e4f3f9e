"""Readings in pages and as CSV."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api import csv_text, shapes

T0 = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = "from=2026-11-24T00:00:00Z&to=2026-11-25T00:00:00Z"


def fill(town: Any, number: int) -> None:
    town.gauge("wl-1")
    for i in range(number):
        town.reading("wl-1", "water_level", T0 + i * MINUTE, seq=i, boot="a1", level_m=1.9 + 0.05 * i)


async def test_page_after_page_every_reading_once(viewer: httpx.AsyncClient, town: Any) -> None:
    fill(town, 10)
    seen: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await viewer.get(
            f"/api/v1/readings?device=wl-1&{DAY}&limit=4",
            params=None
            if not cursor
            else cursor
            | {"device": "wl-1", "from": "2026-11-24T00:00:00Z", "to": "2026-11-25T00:00:00Z", "limit": "4"},
        )
        shapes.Readings.model_validate_json(answer.content)
        page = answer.json()
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert [r["seq"] for r in seen] == list(range(10))
    assert [r["siaga"] for r in seen] == [4, 4, 3, 3, 3, 3, 3, 3, 3, 3]
    assert seen[0]["ts"] == "2026-11-24T12:00:00Z"
    assert seen[0]["level_m"] == 1.9
    assert seen[0]["rain_mm"] is None
    assert {"received_at", "boot", "fw", "qc", "qc_reason", "late", "battery_v"} <= seen[0].keys()


async def test_range_is_half_open_and_takes_offsets(viewer: httpx.AsyncClient, town: Any) -> None:
    fill(town, 4)
    answer = await viewer.get("/api/v1/readings?device=wl-1&from=2026-11-24T19:01:00+07:00&to=2026-11-24T12:03:00Z")
    assert [r["seq"] for r in answer.json()["items"]] == [1, 2]
    quoted = await viewer.get("/api/v1/readings?device=wl-1&from=2026-11-24T19:01:00%2B07:00&to=2026-11-24T12:03:00Z")
    assert quoted.json() == answer.json()


async def test_the_last_24_hours_by_default(viewer: httpx.AsyncClient, town: Any) -> None:
    now = datetime.now(UTC)
    town.device("lamp-1")
    town.reading("lamp-1", "streetlight", now - timedelta(hours=23), seq=1)
    town.reading("lamp-1", "streetlight", now - timedelta(hours=25), seq=2)
    assert [r["seq"] for r in (await viewer.get("/api/v1/readings?device=lamp-1")).json()["items"]] == [1]
    both = (await viewer.get("/api/v1/readings?device=lamp-1&from=-2d")).json()["items"]
    assert [r["seq"] for r in both] == [2, 1]
    assert [r["siaga"] for r in both] == [None, None]


async def test_failed_readings_are_shown_without_a_level(viewer: httpx.AsyncClient, town: Any) -> None:
    town.gauge("wl-1")
    town.reading("wl-1", "water_level", T0, qc=4, reason=1 | 64, level_m=25.0)
    (item,) = (await viewer.get(f"/api/v1/readings?device=wl-1&{DAY}")).json()["items"]
    assert (item["qc"], item["qc_reason"], item["late"], item["level_m"], item["siaga"]) == (4, 65, True, 25.0, None)


async def test_unknown_device_is_404(viewer: httpx.AsyncClient) -> None:
    assert (await viewer.get("/api/v1/readings?device=nobody")).status_code == 404


@pytest.mark.parametrize("ask", [{"params": {"format": "csv"}}, {"headers": {"Accept": "text/csv"}}])
async def test_csv_is_whole_and_rfc_4180(
    viewer: httpx.AsyncClient, town: Any, monkeypatch: pytest.MonkeyPatch, ask: dict[str, Any]
) -> None:
    monkeypatch.setattr(csv_text, "PAGE", 3)
    fill(town, 9)
    town.reading("wl-1", "water_level", T0 + 60 * MINUTE, boot='say "hi", Kisaran')
    query = {"device": "wl-1", "from": "2026-11-24T00:00:00Z", "to": "2026-11-25T00:00:00Z"} | ask.get("params", {})
    answer = await viewer.get("/api/v1/readings", params=query, headers=ask.get("headers", {}))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "wl-1.csv" in answer.headers["content-disposition"]
    assert answer.text.endswith("\r\n")
    assert "\n" not in answer.text.replace("\r\n", "")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [r["seq"] for r in rows] == [*map(str, range(9)), ""]
    assert rows[-1]["boot"] == 'say "hi", Kisaran'
    assert (rows[2]["ts"], rows[2]["level_m"], rows[2]["siaga"]) == ("2026-11-24T12:02:00Z", "2.0", "3")
    assert (rows[0]["late"], rows[0]["rain_mm"]) == ("false", "")


@pytest.mark.parametrize("limit", [1, 3, 4, 9, 20])
async def test_csv_keeps_to_a_limit(
    viewer: httpx.AsyncClient, town: Any, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(csv_text, "PAGE", 3)
    fill(town, 9)
    answer = await viewer.get(f"/api/v1/readings?device=wl-1&{DAY}&format=csv&limit={limit}")
    assert len(answer.text.splitlines()) == 1 + min(limit, 9)


async def test_csv_of_nothing_has_its_header(viewer: httpx.AsyncClient, town: Any) -> None:
    town.device("lamp-1")
    answer = await viewer.get("/api/v1/readings?device=lamp-1&format=csv")
    assert answer.text.startswith("device_id,ts,received_at,seq,boot,fw,qc,qc_reason,late,power_w,")
    assert answer.text.count("\r\n") == 1
