"""The newest readings, with the official level and the rate of rise of rivers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from api import shapes
from devices.quality import Reason
from runtime.settings import Settings

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE = timedelta(minutes=1)


async def latest(viewer: httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    answer = await viewer.get(f"/api/v1/latest{query}")
    assert answer.status_code == 200, answer.text
    shapes.Latest.model_validate_json(answer.content)
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_values_pass_through(viewer: httpx.AsyncClient, town: Any) -> None:
    town.device("lamp-1")
    town.latest("lamp-1", "streetlight", NOW, reason=Reason.LATE, power_w=41.25, battery_v=3.7)
    (item,) = await latest(viewer)
    assert item["device_id"] == "lamp-1"
    assert item["ts"] == NOW.isoformat().replace("+00:00", "Z")
    assert (item["qc"], item["late"], item["interval_s"]) == (1, True, 900)
    assert (item["siaga"], item["rate"]) == (None, None)
    assert item["values"]["power_w"] == 41.25
    assert item["values"]["battery_v"] == 3.7
    assert item["values"]["voltage_v"] is None
    assert "fw" not in item["values"]


async def test_filters(viewer: httpx.AsyncClient, town: Any) -> None:
    town.device("lamp-1")
    town.device("lamp-2", district="12.09.20")
    town.gauge("wl-1")
    for device, kind in (("lamp-1", "streetlight"), ("lamp-2", "streetlight"), ("wl-1", "water_level")):
        town.latest(device, kind, NOW)
    assert [i["device_id"] for i in await latest(viewer, "?kind=streetlight")] == ["lamp-1", "lamp-2"]
    assert [i["device_id"] for i in await latest(viewer, "?district=12.09.20")] == ["lamp-2"]
    assert [i["device_id"] for i in await latest(viewer, "?device=wl-1")] == ["wl-1"]
    assert await latest(viewer, "?device=nobody") == []


async def test_pages(viewer: httpx.AsyncClient, town: Any) -> None:
    for number in range(3):
        town.device(f"lamp-{number}")
        town.latest(f"lamp-{number}", "streetlight", NOW)
    first = (await viewer.get("/api/v1/latest?limit=2")).json()
    second = (await viewer.get("/api/v1/latest", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [i["device_id"] for i in first["items"] + second["items"]] == ["lamp-0", "lamp-1", "lamp-2"]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("level", "qc", "siaga"), [(1.99, 1, 4), (2.0, 1, 3), (2.5, 2, 2), (3.0, 3, 1), (9.0, 4, None), (None, 9, None)]
)
async def test_siaga(viewer: httpx.AsyncClient, town: Any, level: float | None, qc: int, siaga: int | None) -> None:
    town.gauge("wl-1")
    town.latest("wl-1", "water_level", NOW, qc=qc, level_m=level)
    (item,) = await latest(viewer)
    assert item["siaga"] == siaga


async def test_no_siaga_without_bounds(viewer: httpx.AsyncClient, town: Any) -> None:
    town.gauge("wl-1", attributes={"official": False})
    town.latest("wl-1", "water_level", NOW, level_m=9.0)
    (item,) = await latest(viewer)
    assert item["siaga"] is None


async def test_rate_is_the_slope_of_the_last_hour(viewer: httpx.AsyncClient, town: Any) -> None:
    town.gauge("wl-1")
    for back in range(0, 60, 10):
        town.reading("wl-1", "water_level", NOW - back * MINUTE, level_m=2.0 - 0.3 * back / 60)
    town.reading("wl-1", "water_level", NOW - 35 * MINUTE, qc=4, level_m=19.0)  # failed: says nothing
    town.reading("wl-1", "water_level", NOW - 61 * MINUTE, level_m=0.0)  # before the hour
    town.latest("wl-1", "water_level", NOW, level_m=2.0)
    (item,) = await latest(viewer)
    assert item["rate"] == pytest.approx(0.3)


async def test_no_rate_from_three_readings_or_old_ones(viewer: httpx.AsyncClient, town: Any) -> None:
    town.gauge("few")
    town.gauge("old")
    for back in range(0, 60, 10):
        if back < 30:
            town.reading("few", "water_level", NOW - back * MINUTE, level_m=2.0 - back)
        town.reading("old", "water_level", NOW - (back + 125) * MINUTE, level_m=2.0 - back)
    town.latest("few", "water_level", NOW, level_m=2.0)
    town.latest("old", "water_level", NOW - 125 * MINUTE, level_m=2.0)
    assert [item["rate"] for item in await latest(viewer)] == [None, None]


def at(ts: datetime) -> str:
    return f"?at={ts.isoformat().replace('+00:00', 'Z')}"


async def test_as_of_a_time(viewer: httpx.AsyncClient, town: Any) -> None:
    town.gauge("wl-1")
    town.device("lamp-1")
    town.device("silent")
    for back, level in ((60, 2.6), (30, 1.0)):
        town.reading("wl-1", "water_level", NOW - back * MINUTE, level_m=level, battery_v=3.5)
    town.reading("lamp-1", "streetlight", NOW - 50 * MINUTE, qc=3, reason=Reason.LATE, power_w=80)
    lamp, gauge = await latest(viewer, at(NOW - 45 * MINUTE))
    assert (lamp["device_id"], lamp["qc"], lamp["late"], lamp["values"]["power_w"]) == ("lamp-1", 3, True, 80)
    assert (gauge["device_id"], gauge["values"]["level_m"], gauge["siaga"]) == ("wl-1", 2.6, 2)
    assert gauge["values"].keys() >= {"rain_mm", "battery_v"}
    assert gauge["ts"] == (NOW - 60 * MINUTE).isoformat().replace("+00:00", "Z")
    (exactly,) = await latest(viewer, f"{at(NOW - 30 * MINUTE)}&kind=water_level")
    assert exactly["values"]["level_m"] == 1.0
    assert await latest(viewer, at(NOW - 61 * MINUTE)) == []


async def test_as_of_has_the_form_of_now(viewer: httpx.AsyncClient, town: Any) -> None:
    town.gauge("wl-1")
    for back in range(0, 60, 10):
        town.reading("wl-1", "water_level", NOW - back * MINUTE, level_m=2.0 - 0.3 * back / 60)
    town.latest("wl-1", "water_level", NOW, level_m=2.0)
    assert await latest(viewer, at(NOW)) == await latest(viewer)


async def test_as_of_in_pages_and_by_filter(viewer: httpx.AsyncClient, town: Any) -> None:
    for number in range(4):
        kind = "traffic" if number == 1 else "streetlight"
        town.device(f"d-{number}", kind, district="12.09.20" if number == 3 else "12.09.19")
        town.reading(f"d-{number}", kind, NOW)
    seen, cursor = [], ""
    while cursor is not None:
        page = (await viewer.get(f"/api/v1/latest{at(NOW)}&limit=2{cursor and '&cursor=' + cursor}")).json()
        seen += [i["device_id"] for i in page["items"]]
        cursor = page["next_cursor"]
    assert seen == ["d-0", "d-1", "d-2", "d-3"]
    assert [i["device_id"] for i in await latest(viewer, f"{at(NOW)}&district=12.09.20")] == ["d-3"]
    assert [i["device_id"] for i in await latest(viewer, f"{at(NOW)}&device=d-2")] == ["d-2"]


async def test_as_of_looks_back_so_far(viewer: httpx.AsyncClient, town: Any, settings: Settings) -> None:
    town.device("lamp-1")
    town.reading("lamp-1", "streetlight", NOW - timedelta(days=settings.latest_back_days) - MINUTE)
    assert await latest(viewer, at(NOW)) == []
    assert len(await latest(viewer, at(NOW - 2 * MINUTE))) == 1


async def test_as_of_a_time_whose_readings_have_been_dropped(
    viewer: httpx.AsyncClient, town: Any, db: psycopg.Connection
) -> None:
    town.device("lamp-1")
    town.gauge("wl-1")
    until = NOW - timedelta(days=90)
    db.execute("INSERT INTO closed (kind, level, until) VALUES ('streetlight', 'raw', %s)", (until,))
    refused = await viewer.get(f"/api/v1/latest{at(until - MINUTE)}")
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert error["field"] == "at"
    assert f"streetlight from {until.isoformat().replace('+00:00', 'Z')} on" in error["message"]
    assert await latest(viewer, f"{at(until - MINUTE)}&kind=water_level") == []
    assert await latest(viewer, at(until)) == []


async def test_as_of_no_time_is_422(viewer: httpx.AsyncClient) -> None:
    answer = await viewer.get("/api/v1/latest?at=yesterday")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "at"


async def test_its_limit_has_a_setting_of_its_own(viewer: httpx.AsyncClient, settings: Settings) -> None:
    assert settings.latest_max > settings.page_max
    assert (await viewer.get(f"/api/v1/latest?limit={settings.latest_max}")).status_code == 200
    refused = await viewer.get(f"/api/v1/latest?limit={settings.latest_max + 1}")
    assert f"{settings.latest_max} (SIAGA_LATEST_MAX)" in refused.json()["errors"][0]["message"]
    document = (await viewer.get("/openapi.json")).json()
    limit = next(p for p in document["paths"]["/api/v1/latest"]["get"]["parameters"] if p["name"] == "limit")
    assert limit["schema"]["anyOf"][0]["maximum"] == settings.latest_max
