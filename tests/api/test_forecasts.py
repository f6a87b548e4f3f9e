"""Forecasts as the API shows them: what holds, why, what is refused, and the score."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from api import forecast_shapes

MINUTE = timedelta(minutes=1)


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


class Told:
    """Puts rows where the worker would."""

    def __init__(self, db: psycopg.Connection, town: Any, now: datetime) -> None:
        self.db, self.town, self.now = db, town, now

    def gauge(self, device: str = "kisaran", seen_min: float = 5, refused: str | None = None) -> None:
        self.town.gauge(device, name=device.title())
        seen = self.now - seen_min * MINUTE
        values = (device, seen, seen, refused, seen if refused else None)
        self.db.execute("INSERT INTO forecast_seen VALUES (%s, %s, %s, %s, %s)", values)

    def forecast(self, device: str = "kisaran", ago_min: float = 5, siaga: int = 3, **more: Any) -> None:
        at = self.now - ago_min * MINUTE
        row = {
            "device_id": device, "as_of": at, "siaga": siaga, "made_at": at, "bound_m": 2.0, "level_m": 1.7,
            "slope_m_h": 0.32, "points": 7, "basis": "own", "stage": "warning", "expected_at": at + 55 * MINUTE,
            "earliest": at + 45 * MINUTE, "latest": at + 75 * MINUTE, "until": at + 360 * MINUTE, "holds": True,
        } | more  # fmt: skip
        self.db.execute(
            f"INSERT INTO forecast ({', '.join(row)}) VALUES ({', '.join(f'%({name})s' for name in row)})", row
        )

    def crossing(self, device: str = "kisaran", ago_min: float = 5, siaga: int = 3) -> None:
        at = self.now - ago_min * MINUTE
        self.db.execute("INSERT INTO forecast_crossing VALUES (%s, %s, %s)", (device, siaga, at))


@pytest.fixture
def told(db: psycopg.Connection, town: Any, now: datetime) -> Told:
    return Told(db, town, now)


async def items(viewer: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await viewer.get("/api/v1/forecasts", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_a_forecast_says_when_and_why(viewer: httpx.AsyncClient, told: Told) -> None:
    told.gauge()
    told.gauge("buntu-pane")
    told.forecast()
    told.forecast(
        siaga=2, basis="upstream", upstream="buntu-pane", lag_s=9000, rose_m=0.9, stage="advisory",
        expected_at=told.now + 150 * MINUTE, earliest=told.now + 120 * MINUTE, latest=told.now + 240 * MINUTE,
    )  # fmt: skip
    (item,) = await items(viewer)
    assert (item["device_id"], item["device_name"]) == ("kisaran", "Kisaran")
    assert (item["slope_m_h"], item["points"]) == (0.32, 7)
    assert item["refused"] is None
    three, two = item["levels"]
    assert (three["siaga"], three["stage"], three["basis"], three["upstream"]) == (3, "warning", "own", None)
    assert three["text"] == {
        "id": "Naik 0,32 m/jam; Siaga 3 dalam 40–70 menit", "en": "Rising 0.32 m/h; Siaga 3 in 40–70 min"
    }  # fmt: skip
    assert datetime.fromisoformat(three["at"]) == told.now + 50 * MINUTE
    assert (two["basis"], two["upstream"], two["lag_h"]) == ("upstream", "buntu-pane", 2.5)
    assert two["text"]["id"].startswith("Air dari Buntu-Pane, yang naik 0,9 m di sana, tiba sekitar 2,5 jam kemudian")


async def test_only_what_holds_unless_asked_for(viewer: httpx.AsyncClient, told: Told) -> None:
    told.gauge("over")
    told.forecast("over", 30, holds=False, outcome="hit", reached_at=told.now, error=0.0)
    told.forecast("over", 60, holds=False)
    told.gauge("silent", seen_min=200)
    told.forecast("silent", 200)
    assert await items(viewer) == []
    over, silent = await items(viewer, active=False)
    assert (over["device_id"], len(over["levels"]), over["levels"][0]["outcome"]) == ("over", 1, "hit")
    assert over["levels"][0]["text"]["en"] == "Rising 0.32 m/h; Siaga 3 in 45–75 min"  # as it was said then
    assert silent["refused"]["reason"] == "silent"


async def test_why_nothing_is_said(viewer: httpx.AsyncClient, told: Told) -> None:
    told.gauge("bad", refused="suspect")
    told.gauge("still")
    assert await items(viewer) == []
    (bad,) = await items(viewer, refused=True)
    assert (bad["device_id"], bad["levels"], bad["as_of"]) == ("bad", [], None)
    assert bad["refused"]["text"]["id"] == "Tidak ada perkiraan: pembacaan terbaru meragukan"


async def test_pages_and_one_gauge(viewer: httpx.AsyncClient, told: Told) -> None:
    for name in "abc":
        told.gauge(name)
        told.forecast(name)
    first = (await viewer.get("/api/v1/forecasts", params={"limit": 2})).json()
    assert [item["device_id"] for item in first["items"]] == ["a", "b"]
    rest = (await viewer.get("/api/v1/forecasts", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert ([item["device_id"] for item in rest["items"]], rest["next_cursor"]) == (["c"], None)
    assert [item["device_id"] for item in await items(viewer, device="b")] == ["b"]


async def test_the_score(viewer: httpx.AsyncClient, told: Told) -> None:
    told.gauge()
    hit = {"holds": False, "outcome": "hit", "error": 0.0}
    for ago, stage in ((300, "watch"), (270, "advisory"), (240, "warning"), (210, "warning")):
        told.forecast(ago_min=ago, stage=stage, reached_at=told.now - 180 * MINUTE, **hit)
    told.crossing(ago_min=180)
    told.crossing(ago_min=170, siaga=2)  # nobody saw it coming
    told.forecast(ago_min=1000, holds=False, outcome="false")
    told.forecast(ago_min=2000, holds=False, outcome="unknown")
    told.forecast(ago_min=30)
    answer = (await viewer.get("/api/v1/forecasts/score", params={"from": "-2d"})).json()
    watch, advisory, warning = answer["items"]
    assert (answer["device"], answer["horizon_h"]) == (None, 6)
    assert (watch["stage"], watch["forecasts"], watch["runs"], watch["lead_median_h"]) == ("watch", 7, 4, 2.0)
    assert (advisory["hits"], advisory["misses"], advisory["lead_median_h"]) == (1, 1, 1.5)
    assert {name: warning[name] for name in ("runs", "right", "false", "unknown", "pending", "right_share")} == {
        "runs": 4, "right": 1, "false": 1, "unknown": 1, "pending": 1, "right_share": 0.5
    }  # fmt: skip
    assert (warning["crossings"], warning["hits"], warning["misses"], warning["lead_median_h"]) == (2, 1, 1, 1.0)
    assert warning["interval"] == {"timed": 2, "covered": 1, "coverage": 0.5}
    nobody = (await viewer.get("/api/v1/forecasts/score", params={"device": "other"})).json()["items"][0]
    assert (nobody["runs"], nobody["right_share"], nobody["lead_median_h"]) == (0, None, None)
    assert nobody["interval"]["coverage"] is None


async def test_what_was_said_first_of_each_rise_and_what_came(viewer: httpx.AsyncClient, told: Told) -> None:
    told.gauge()
    came = {"holds": False, "outcome": "hit", "error": 0.0, "reached_at": told.now - 180 * MINUTE}
    for ago in (270, 240, 210):  # one rise
        told.forecast(ago_min=ago, **came)
    told.forecast(ago_min=1000, siaga=2, holds=False, outcome="false")
    told.forecast(ago_min=30)  # not judged yet
    told.forecast(ago_min=4000, holds=False, outcome="false")

    async def past(**query: Any) -> dict[str, Any]:
        answer = await viewer.get("/api/v1/forecasts/past", params={"from": "-2d"} | query)
        assert answer.status_code == 200, answer.text
        forecast_shapes.PastForecasts.model_validate_json(answer.content)
        found: dict[str, Any] = answer.json()
        return found

    newest, oldest = (await past())["items"]
    assert (newest["siaga"], newest["outcome"], oldest["siaga"], oldest["outcome"]) == (3, "hit", 2, "false")
    assert datetime.fromisoformat(newest["as_of"]) == told.now - 270 * MINUTE
    assert datetime.fromisoformat(newest["at"]) == told.now - 215 * MINUTE
    assert datetime.fromisoformat(newest["reached_at"]) == told.now - 180 * MINUTE
    assert oldest["reached_at"] is None
    page = await past(limit=1)
    assert page["items"] == [newest]
    assert await past(limit=1, cursor=page["next_cursor"]) == {"items": [oldest], "next_cursor": None}
    assert (await past(device="other"))["items"] == []


@pytest.mark.parametrize(
    ("address", "query", "field"),
    [
        ("/forecasts", {"active": "perhaps"}, "active"),
        ("/forecasts", {"limit": 5000}, "limit"),
        ("/forecasts", {"cursor": "x"}, "cursor"),
        ("/forecasts/score", {"from": "yesterday"}, "from"),
        ("/forecasts/score", {"device": "no/id"}, "device"),
    ],
)
async def test_refusals_name_the_field(viewer: httpx.AsyncClient, address: str, query: Any, field: str) -> None:
    answer = await viewer.get(f"/api/v1{address}", params=query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
