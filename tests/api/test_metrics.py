"""Aggregates over time, from rollup rows put where the worker would put them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api import shapes
from api.buckets import LENGTHS
from runtime.settings import Settings
from storage.read_metrics import AGGREGATES

# Midnight in Jakarta.
DAY = datetime(2025, 11, 22, 17, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIVE = timedelta(minutes=5)
ONE_DAY = {"from": "2025-11-22T17:00:00Z", "to": "2025-11-23T17:00:00Z"}


async def buckets(viewer: httpx.AsyncClient, kind: str = "water_level", **query: str) -> list[dict[str, Any]]:
    asked = ONE_DAY | {name.rstrip("_"): value for name, value in query.items()}
    answer = await viewer.get(f"/api/v1/metrics/{kind}", params=asked)
    assert answer.status_code == 200, answer.text
    shapes.Buckets.model_validate_json(answer.content)
    assert answer.json()["next_cursor"] is None
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def level(town: Any, size: str, bucket: datetime, avg: float, w: float, device: str = "wl", **more: Any) -> None:
    values = {"level_m_avg": avg, "level_m_w": w, "level_m_min": avg - 1, "level_m_max": avg + 1, "level_m_last": avg}
    town.rollup("water_level", size, device, bucket, **(values | more))


def a_day(town: Any) -> None:
    """One day of a gauge, in all three rollups: 1 mm of rain and a level in each 5 min."""
    town.gauge("wl")
    for i in range(288):
        level(town, "5m", DAY + i * FIVE, i, 1, rain_mm_sum=1)
    for h in range(24):
        level(town, "1h", DAY + h * HOUR, h * 12 + 5.5, 12, n=12, rain_mm_sum=12, level_m_last=h * 12 + 11)
    level(town, "1d", DAY, 143.5, 288, n=288, rain_mm_sum=288, level_m_last=287)


@pytest.mark.parametrize("name", sorted(LENGTHS))
async def test_buckets_of_every_length(viewer: httpx.AsyncClient, town: Any, name: str) -> None:
    a_day(town)
    items = await buckets(viewer, bucket=name)
    number = 1 if name == "1mo" else timedelta(days=1) // LENGTHS[name]  # type: ignore[index]
    assert len(items) == number
    assert [i["n"] for i in items] == [288 // number] * number
    assert [i["rain_mm"]["sum"] for i in items] == [288 // number] * number
    assert items[-1]["level_m"]["last"] == 287
    assert [i["partial"] for i in items] == [name == "1mo"] * number
    start = datetime(2025, 10, 31, 17, tzinfo=UTC) if name == "1mo" else DAY
    assert datetime.fromisoformat(items[0]["bucket"]) == start
    if number > 1:
        assert datetime.fromisoformat(items[1]["bucket"]) == DAY + LENGTHS[name]  # type: ignore[index]
    # Every reading counts alike, whatever rollup it came through.
    mean = sum(i["level_m"]["avg"] * i["n"] for i in items) / 288
    assert mean == pytest.approx(143.5)


@pytest.mark.parametrize(
    ("tz", "first", "n"),
    [
        ("Asia/Jakarta", "2025-11-22T17:00:00Z", [288]),
        ("UTC", "2025-11-22T00:00:00Z", [84, 204]),
        ("Asia/Kolkata", "2025-11-22T18:30:00Z", None),
        ("Asia/Jayapura", "2025-11-22T15:00:00Z", [264, 24]),
    ],
)
async def test_days_follow_the_zone(
    viewer: httpx.AsyncClient, town: Any, tz: str, first: str, n: list[int] | None
) -> None:
    a_day(town)
    items = await buckets(viewer, bucket="1d", tz=tz)
    if tz == "Asia/Kolkata":
        assert [(i["bucket"], i["n"]) for i in items] == [("2025-11-21T18:30:00Z", 18), (first, 270)]
    else:
        assert items[0]["bucket"] == first
        assert [i["n"] for i in items] == n
    assert sum(i["rain_mm"]["sum"] for i in items) == 288
    assert [i["partial"] for i in items] == [False] if n == [288] else [True, True]


async def test_months_begin_in_the_zone_of_the_installation(viewer: httpx.AsyncClient, town: Any) -> None:
    town.gauge("wl")
    for day in (datetime(2025, 10, 30, 17, tzinfo=UTC), datetime(2025, 10, 31, 17, tzinfo=UTC)):
        level(town, "1d", day, 1, 1)
    items = await buckets(viewer, bucket="1mo", from_="2025-10-01T00:00:00+07:00", to="2025-12-01T00:00:00+07:00")
    assert [(i["bucket"], i["n"], i["partial"]) for i in items] == [
        ("2025-09-30T17:00:00Z", 1, False),
        ("2025-10-31T17:00:00Z", 1, False),
    ]


async def test_edges_hold_only_what_was_asked_for(viewer: httpx.AsyncClient, town: Any) -> None:
    a_day(town)
    items = await buckets(viewer, bucket="6h", from_="2025-11-22T18:10:00Z", to="2025-11-23T10:55:00Z")
    assert [(i["bucket"][11:16], i["n"], i["partial"]) for i in items] == [
        ("17:00", 58, True),
        ("23:00", 72, False),
        ("05:00", 71, True),
    ]
    assert items[0]["level_m"]["min"] == 13  # that of 18:10, less 1
    assert items[-1]["level_m"]["last"] == 214


async def test_averages_go_by_weight(viewer: httpx.AsyncClient, town: Any) -> None:
    town.device("lane", "traffic")
    for i, (speed, vehicles) in enumerate([(60.0, 1.0), (20.0, 30.0), (40.0, 9.0)]):
        town.rollup(
            "traffic", "5m", "lane", DAY + i * FIVE,
            speed_kmh_avg=speed, speed_kmh_w=vehicles, speed_kmh_min=speed, speed_kmh_max=speed, count_sum=vehicles,
        )  # fmt: skip
    # Nothing passed: no speed, no weight.
    town.rollup("traffic", "5m", "lane", DAY + 3 * FIVE, count_sum=0)
    (item,) = await buckets(viewer, "traffic", bucket="30m", metric="speed_kmh,count")
    assert item["speed_kmh"] == {"avg": 25.5, "min": 20, "max": 60, "last": None}
    assert item["count"] == {"sum": 40}
    (empty,) = await buckets(viewer, "traffic", bucket="5m", metric="speed_kmh", from_="2025-11-22T17:15:00Z")
    assert empty["speed_kmh"] == {"avg": None, "min": None, "max": None, "last": None}


async def test_counters_give_their_difference(viewer: httpx.AsyncClient, town: Any) -> None:
    town.device("lamp")
    for i in range(3):
        town.rollup("streetlight", "1h", "lamp", DAY + i * HOUR, energy_wh_delta=50.5, energy_wh_last=1000 + i)
    (item,) = await buckets(viewer, "streetlight", bucket="3h", metric="energy_wh")
    assert item["energy_wh"] == {"last": 1002, "delta": 151.5}


async def test_n_and_good(viewer: httpx.AsyncClient, town: Any) -> None:
    town.gauge("wl")
    level(town, "5m", DAY, 1, 2, n=3, n_good=2)
    level(town, "5m", DAY + FIVE, 1, 1, n=2, n_good=0)
    (item,) = await buckets(viewer, bucket="10m")
    assert (item["n"], item["good"]) == (5, 2)


async def test_fill(viewer: httpx.AsyncClient, town: Any) -> None:
    town.gauge("wl")
    town.gauge("xx")
    level(town, "1h", DAY + HOUR, 5, 12, n=12, rain_mm_sum=3)
    query = {"bucket": "1h", "to": "2025-11-22T21:00:00Z", "agg": "avg,sum", "metric": "level_m,rain_mm"}
    (only,) = await buckets(viewer, **query)
    assert only == {
        "device_id": "wl", "bucket": "2025-11-22T18:00:00Z", "partial": False, "n": 12, "good": 12,
        "level_m": {"avg": 5}, "rain_mm": {"sum": 3},
    }  # fmt: skip
    nulls = await buckets(viewer, fill="null", **query)
    assert [(i["device_id"], i["n"], i["level_m"]["avg"], i["rain_mm"]["sum"]) for i in nulls] == [
        ("wl", 0, None, None), ("wl", 12, 5, 3), ("wl", 0, None, None), ("wl", 0, None, None),
        ("xx", 0, None, None), ("xx", 0, None, None), ("xx", 0, None, None), ("xx", 0, None, None),
    ]  # fmt: skip
    held = await buckets(viewer, fill="previous", **query)
    assert [(i["device_id"], i["n"], i["level_m"]["avg"], i["rain_mm"]["sum"]) for i in held] == [
        ("wl", 0, None, None), ("wl", 12, 5, 3), ("wl", 0, 5, None), ("wl", 0, 5, None),
        ("xx", 0, None, None), ("xx", 0, None, None), ("xx", 0, None, None), ("xx", 0, None, None),
    ]  # fmt: skip
    assert [i["bucket"][11:13] for i in held[:4]] == ["17", "18", "19", "20"]


async def test_fill_previous_repeats_the_bucket_before(viewer: httpx.AsyncClient, town: Any) -> None:
    town.gauge("wl")
    level(town, "1h", DAY, 5, 12, temperature_c_last=27, temperature_c_avg=27, temperature_c_w=1)
    level(town, "1h", DAY + HOUR, 6, 12)  # no temperature this hour
    query = {"bucket": "1h", "to": "2025-11-22T20:00:00Z", "agg": "last", "metric": "level_m,temperature_c"}
    held = await buckets(viewer, fill="previous", **query)
    assert [(i["level_m"]["last"], i["temperature_c"]["last"]) for i in held] == [(5, 27), (6, None), (6, None)]


async def test_metrics_and_aggregates_asked_for(viewer: httpx.AsyncClient, town: Any) -> None:
    a_day(town)
    fixed = {"device_id", "bucket", "partial", "n", "good"}
    (every,) = await buckets(viewer, bucket="1d")
    assert {"level_m", "rain_mm", "temperature_c"} <= every.keys()
    assert tuple(every["level_m"]) == AGGREGATES["gauge"]
    (some,) = await buckets(viewer, bucket="1d", metric=" rain_mm , level_m,rain_mm", agg="max,sum")
    assert some.keys() == fixed | {"level_m", "rain_mm"}
    assert (some["level_m"], some["rain_mm"]) == ({"max": 144.5}, {"sum": 288})
    (sums,) = await buckets(viewer, bucket="1d", agg="sum")
    assert sums.keys() == fixed | {"rain_mm"}


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        ("metric=power_w", "metric", "level_m"),
        ("metric=", "metric", "empty"),
        ("metric=rain_mm&agg=avg", "agg", "sum"),
        ("agg=median", "agg", "avg, min, max, last, sum, delta"),
        ("agg=delta", "agg", "delta"),
        ("device=a b", "device", "a b"),
        ("device=,", "device", "empty"),
        ("bucket=90m", "bucket", "30m"),
        ("tz=../../etc/passwd", "tz", "IANA"),
        ("tz=", "tz", "IANA"),
        ("tz=Asia", "tz", "IANA"),
    ],
)
async def test_422_says_what_there_is(viewer: httpx.AsyncClient, query: str, field: str, says: str) -> None:
    answer = await viewer.get(f"/api/v1/metrics/water_level?{query}")
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert says in error["message"]


async def test_unknown_devices_are_404_and_named(viewer: httpx.AsyncClient, town: Any) -> None:
    a_day(town)
    town.device("lamp")
    answer = await viewer.get("/api/v1/metrics/water_level?device=wl,nobody,lamp")
    assert answer.status_code == 404
    assert "'lamp', 'nobody'" in answer.json()["detail"]
    assert "'wl'" not in answer.json()["detail"]


async def test_unknown_kind_is_422_and_names_the_known(viewer: httpx.AsyncClient) -> None:
    answer = await viewer.get("/api/v1/metrics/submarine")
    assert answer.status_code == 422
    assert "water_level" in answer.json()["detail"]


async def test_devices_asked_for(viewer: httpx.AsyncClient, town: Any) -> None:
    for name in ("a", "b", "c"):
        town.gauge(name)
        level(town, "1d", DAY, 1, 1, device=name)
    assert [i["device_id"] for i in await buckets(viewer, bucket="1d")] == ["a", "b", "c"]
    assert [i["device_id"] for i in await buckets(viewer, bucket="1d", device="c, a,c")] == ["a", "c"]


async def test_too_much_is_refused_by_the_name_of_its_limit(
    viewer: httpx.AsyncClient, town: Any, settings: Settings
) -> None:
    for number in range(3):
        town.gauge(f"wl-{number}")
    answer = await viewer.get("/api/v1/metrics/water_level?bucket=5m&from=-7d")
    assert answer.status_code == 422
    assert f"{settings.metrics_max} (SIAGA_METRICS_MAX)" in answer.json()["errors"][0]["message"]
    assert "3 devices" in answer.json()["errors"][0]["message"]
    assert (await viewer.get("/api/v1/metrics/water_level?bucket=5m&from=-5d")).status_code == 200
    assert (await viewer.get("/api/v1/metrics/water_level?bucket=5m&from=-7d&device=wl-1")).status_code == 200


@pytest.mark.parametrize("query", ["from=2000-01-01T00:00:00Z&bucket=1mo", "from=1900-01-01T00:00:00Z&bucket=1mo"])
async def test_a_long_time_is_no_matter_in_large_buckets(viewer: httpx.AsyncClient, town: Any, query: str) -> None:
    a_day(town)
    (item,) = (await viewer.get(f"/api/v1/metrics/water_level?{query}&to=2027-01-01T00:00:00Z")).json()["items"]
    assert item["rain_mm"]["sum"] == 288


@pytest.mark.parametrize("span", ["from=2100-01-01T00:00:00Z&to=2100-01-02T00:00:00Z", "from=-1h&to=-1h"])
@pytest.mark.parametrize("fill", ["none", "null"])
async def test_nothing_of_no_time(viewer: httpx.AsyncClient, town: Any, span: str, fill: str) -> None:
    a_day(town)
    answer = await viewer.get(f"/api/v1/metrics/water_level?{span}&fill={fill}")
    assert answer.json() == {"items": [], "next_cursor": None}


async def test_the_last_24_hours_by_default(viewer: httpx.AsyncClient, town: Any) -> None:
    town.gauge("wl")
    now = datetime.now(UTC)
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    for back in (0, 12, 30):
        level(town, "1h", this_hour - back * HOUR, back, 1)
    items = (await viewer.get("/api/v1/metrics/water_level")).json()["items"]
    assert [i["level_m"]["last"] for i in items] == [12, 0]
    assert [i["partial"] for i in items] == [False, True]


async def test_nobody_of_the_kind(viewer: httpx.AsyncClient) -> None:
    assert await buckets(viewer, "traffic") == []
