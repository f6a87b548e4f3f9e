"""Roads now and as they usually are: lanes taken together, the same quarter of an hour of eight weeks, the letter."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from api import traffic_shapes
from api.routes.traffic import _of_weeks

NOW = "/api/v1/traffic/now"
TYPICAL = "/api/v1/traffic/typical"
COURSE = "/api/v1/traffic/course"
WIB = ZoneInfo("Asia/Jakarta")
MINUTE, WEEK = timedelta(minutes=1), timedelta(weeks=1)


@pytest.fixture
def roads(town: Any) -> None:
    """Two lanes of one road, the slower with most vehicles; another road; a detector that is silent."""
    for lane in (1, 2):
        town.device(f"ib-{lane}", "traffic", attributes={"site": "Jl. Imam Bonjol", "lane": lane, "free_flow_kmh": 45})
    town.device("ay", "traffic", name="Jl. Ahmad Yani", district="12.09.20")
    town.device("silent", "traffic", name="Jl. Sutomo")


def quarter(now: datetime, weeks: int) -> datetime:
    """When this quarter of an hour began some weeks before."""
    return now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0) - weeks * WEEK


async def test_every_site_against_what_is_usual(viewer: Any, town: Any, roads: None) -> None:
    now = datetime.now(UTC)
    at = now - MINUTE
    town.latest(
        "ib-1", "traffic", at, period_s=300, count=100, speed_kmh=12, occupancy_pct=30, flow_vph=1200,
        count_motorcycle=70, count_car=25, count_heavy=5,
    )  # fmt: skip
    town.latest(
        "ib-2", "traffic", at, period_s=300, count=50, speed_kmh=24, occupancy_pct=20, flow_vph=600,
        count_motorcycle=35, count_car=15, count_heavy=0,
    )  # fmt: skip
    town.latest("ay", "traffic", at, period_s=300, count=20, speed_kmh=40, occupancy_pct=4, flow_vph=240)
    town.latest("silent", "traffic", now - 20 * MINUTE, period_s=300, count=20, speed_kmh=40, flow_vph=240)
    for weeks in (1, 2, 3):
        for lane in (1, 2):
            town.rollup(
                "traffic", "5m", f"ib-{lane}", quarter(now, weeks), speed_kmh_avg=30 + weeks, speed_kmh_w=80,
                flow_vph_avg=800, flow_vph_w=1,
            )  # fmt: skip
    answer = await viewer.get(NOW)
    assert answer.status_code == 200, answer.text
    traffic_shapes.Sites.model_validate_json(answer.content)
    first, second, last = answer.json()["items"]
    assert (first["site"], first["devices"], first["reporting"]) == ("Jl. Imam Bonjol", 2, 2)
    assert (first["speed_kmh"], first["flow_vph"], first["occupancy_pct"]) == (16, 1800, 25)
    assert first["usual_speed"] == {
        "p10_kmh": pytest.approx(31.2), "p50_kmh": 32, "p90_kmh": pytest.approx(32.8), "n": 3,
    }  # fmt: skip
    assert (first["usual_flow"]["p50_vph"], first["departure_share"]) == (1600, -0.5)
    # 588 + 285 passenger cars an hour at 16 km/h on two lanes.
    assert first["vehicles_per_h"] == {"motorcycles": 1260, "cars": 480, "heavy": 60}
    assert (first["density_per_km"], first["los"]) == (pytest.approx((315 + 480 + 78) / 16 / 2), "E")
    # Nobody counted classes there, so each vehicle is a car.
    assert (second["site"], second["density_per_km"], second["los"], second["departure_share"]) == (
        "Jl. Ahmad Yani", 6, "A", None,
    )  # fmt: skip
    assert second["vehicles_per_h"]["cars"] is None
    assert (last["site"], last["reporting"], last["los"], last["flow_vph"]) == ("Jl. Sutomo", 0, None, None)
    some = (await viewer.get(NOW, params={"district": "12.09.20"})).json()["items"]
    assert [each["site"] for each in some] == ["Jl. Ahmad Yani"]


async def test_vehicles_since_midnight(viewer: Any, town: Any, roads: None) -> None:
    now = datetime.now(UTC)
    midnight = datetime.combine(now.astimezone(WIB).date(), time(), WIB)
    for lane, hours in ((1, 0), (2, 0), (1, -1)):
        begin = midnight + timedelta(hours=hours)
        classes = {"count_motorcycle_sum": 70, "count_car_sum": 25, "count_heavy_sum": 5}
        town.rollup("traffic", "1h", f"ib-{lane}", begin, **classes)
    by_site = {each["site"]: each for each in (await viewer.get(NOW)).json()["items"]}
    assert by_site["Jl. Imam Bonjol"]["vehicles_today"] == {"motorcycles": 140, "cars": 50, "heavy": 10}
    assert by_site["Jl. Sutomo"]["vehicles_today"] == {"motorcycles": None, "cars": None, "heavy": None}


async def test_a_day_as_it_usually_is(viewer: Any, town: Any, roads: None) -> None:
    # Tuesday 24 November, 07.15 WIB, in the weeks before; the day itself and Wednesdays are not asked.
    begin = datetime(2026, 11, 24, 7, 15, tzinfo=WIB)
    rows = [(begin - n * WEEK, 40 - n) for n in range(1, 5)]
    for at, speed in (*rows, (begin, 5), (begin - WEEK + timedelta(days=1), 5), (begin - 9 * WEEK, 5)):
        town.rollup("traffic", "5m", "ib-1", at, speed_kmh_avg=speed, speed_kmh_w=10, flow_vph_avg=600, flow_vph_w=1)
        town.rollup(
            "traffic", "5m", "ib-1", at + 5 * MINUTE, speed_kmh_avg=speed, speed_kmh_w=10, flow_vph_avg=900,
            flow_vph_w=1,
        )  # fmt: skip
    answer = await viewer.get(TYPICAL, params={"site": "Jl. Imam Bonjol", "date": "2026-11-24"})
    traffic_shapes.Typical.model_validate_json(answer.content)
    told = answer.json()
    assert (told["from"], told["to"], told["weeks"]) == ("2026-11-23T17:00:00Z", "2026-11-24T17:00:00Z", 8)
    (profile,) = told["items"]
    assert (profile["site"], len(profile["items"])) == ("Jl. Imam Bonjol", 96)
    heard = [each for each in profile["items"] if each["flow"]["n"]]
    assert [each["bucket"] for each in heard] == ["2026-11-24T00:15:00Z"]
    assert heard[0]["speed"] == {
        "p10_kmh": pytest.approx(36.3), "p50_kmh": 37.5, "p90_kmh": pytest.approx(38.7), "n": 4,
    }  # fmt: skip
    assert heard[0]["flow"]["p50_vph"] == 750
    two = await viewer.get(TYPICAL, params={"device": "ib-1", "date": "2026-11-24", "weeks": 2})
    assert two.json()["items"][0]["items"][29]["speed"]["n"] == 2
    other = await viewer.get(TYPICAL, params={"device": "ib-2", "date": "2026-11-24"})
    assert {each["speed"]["n"] for each in other.json()["items"][0]["items"]} == {0}


@pytest.mark.parametrize(
    ("asked", "status", "field"),
    [
        ({}, 422, "site"),
        ({"site": "x", "device": "ib-1"}, 422, "site"),
        ({"site": "Jl. Tidak Ada"}, 404, None),
        ({"device": "ib-3"}, 404, None),
        ({"device": "ib-1", "date": "0001-01-01"}, 422, "date"),
        ({"device": "ib-1", "weeks": 27}, 422, "weeks"),
    ],
)
async def test_what_is_refused(viewer: Any, roads: None, asked: dict[str, Any], status: int, field: str | None) -> None:
    answer = await viewer.get(TYPICAL, params=asked)
    assert answer.status_code == status, answer.text
    if field:
        assert answer.json()["errors"][0]["field"] == field


def test_weeks_go_by_the_clock_of_the_place() -> None:
    # Berlin put its clocks back on 25 October 2026: 07.00 is another hour of UTC the week before.
    berlin = ZoneInfo("Europe/Berlin")
    (week,) = _of_weeks(date(2026, 10, 26), berlin, [28], 1)
    assert week.begin == datetime(2026, 10, 19, 5, tzinfo=UTC)


async def test_a_road_by_quarters_of_an_hour(viewer: Any, town: Any, roads: None) -> None:
    begin = quarter(datetime.now(UTC), 0) - timedelta(hours=2)
    counted = {"count_sum": 100, "count_motorcycle_sum": 70, "count_car_sum": 25, "count_heavy_sum": 5}
    for at, speed in ((begin, 12), (begin + 5 * MINUTE, 24)):
        town.rollup(
            "traffic",
            "5m",
            "ib-1",
            at,
            speed_kmh_avg=speed,
            speed_kmh_w=100,
            flow_vph_avg=1200,
            flow_vph_w=1,
            **counted,
        )
    town.rollup("traffic", "5m", "ib-2", begin, speed_kmh_avg=36, speed_kmh_w=50, flow_vph_avg=600, flow_vph_w=1)
    # Nothing passed, and the lane is full: it stands.
    town.rollup(
        "traffic", "5m", "ay", begin + 15 * MINUTE, count_sum=0, flow_vph_avg=0, flow_vph_w=1, occupancy_pct_avg=95,
        occupancy_pct_w=1,
    )  # fmt: skip
    answer = await viewer.get(COURSE)
    assert answer.status_code == 200, answer.text
    traffic_shapes.Courses.model_validate_json(answer.content)
    by_site = {each["site"]: each["items"] for each in answer.json()["items"]}
    assert set(by_site) == {"Jl. Imam Bonjol", "Jl. Ahmad Yani"}
    (busy,) = by_site["Jl. Imam Bonjol"]
    assert datetime.fromisoformat(busy["bucket"]) == begin
    # 1200 at 18 km/h and 600 at 36: 24. One lane tells no classes, so all count as cars: 1800 / 24 / 2 = 37.5.
    assert (busy["flow_vph"], busy["speed_kmh"], busy["los"]) == (1800, 24, "F")
    (stands,) = by_site["Jl. Ahmad Yani"]
    assert (stands["flow_vph"], stands["speed_kmh"], stands["los"]) == (0, None, "F")
    one = (await viewer.get(COURSE, params={"site": "Jl. Ahmad Yani", "from": "-8d"})).json()["items"]
    assert [each["site"] for each in one] == ["Jl. Ahmad Yani"]
    assert (await viewer.get(COURSE, params={"from": "-8d"})).status_code == 422
    assert (await viewer.get(COURSE, params={"site": "nowhere"})).status_code == 404
