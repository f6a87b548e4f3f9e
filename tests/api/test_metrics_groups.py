"""Aggregates of devices taken together: by all, district, panel; from days that are kept and from rollups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from api import shapes
from runtime.settings import Settings

# Midnight in Jakarta.
DAY = datetime(2025, 11, 22, 17, tzinfo=UTC)
HOUR, ONE = timedelta(hours=1), timedelta(days=1)
TWO_DAYS = {"from": "2025-11-22T17:00:00Z", "to": "2025-11-24T17:00:00Z"}


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(database_url=database_url, live_poll_s=0.05, query_rows_max=1000, metrics_max=5000)


@pytest.fixture
def lamps(town: Any, db: psycopg.Connection) -> None:
    """Two lamps of panel A, one of panel B in the next district, one without; two days, an hour of each."""
    for name, panel, district in (
        ("a1", "A", "12.09.19"), ("a2", "A", "12.09.19"), ("b1", "B", "12.09.20"), ("c1", None, "12.09.20"),
    ):  # fmt: skip
        town.device(name, district=district, attributes={"panel": panel} if panel else {})
    for day in (DAY, DAY + ONE):
        for number, name in enumerate(("a1", "a2", "b1", "c1"), 1):
            if (name, day) == ("a2", DAY + ONE):
                continue
            values = {
                "power_w_avg": 10 * number, "power_w_w": 2, "power_w_min": number, "power_w_max": 100 + number,
                "power_w_last": 5, "energy_wh_delta": number,
            }  # fmt: skip
            for size, at in (("1d", day), ("1h", day + 3 * HOUR), ("5m", day + 3 * HOUR)):
                town.rollup("streetlight", size, name, at, n=3, n_good=2, **values)
        db.execute("INSERT INTO group_mark (kind, day) VALUES ('streetlight', %s)", (day,))


async def ask(viewer: httpx.AsyncClient, **query: str) -> list[dict[str, Any]]:
    asked = TWO_DAYS | {"bucket": "1d", "metric": "power_w"} | {name.rstrip("_"): v for name, v in query.items()}
    answer = await viewer.get("/api/v1/metrics/streetlight", params=asked)
    assert answer.status_code == 200, answer.text
    shapes.Buckets.model_validate_json(answer.content)
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.mark.usefixtures("lamps")
async def test_the_whole_regency(viewer: httpx.AsyncClient) -> None:
    first, second = await ask(viewer, group="all", metric="power_w,energy_wh")
    assert first == {
        "group": None, "bucket": "2025-11-22T17:00:00Z", "partial": False, "devices": 4, "n": 12, "good": 8,
        "power_w": {"avg": 25, "min": 1, "max": 104, "total": 100}, "energy_wh": {"delta": 10},
    }  # fmt: skip
    assert (second["devices"], second["power_w"]["total"], second["energy_wh"]["delta"]) == (3, 80, 8)


@pytest.mark.usefixtures("lamps")
@pytest.mark.parametrize("bucket", ["1d", "1h", "6h", "5m"])
async def test_by_panel_in_buckets_of_every_rollup(viewer: httpx.AsyncClient, bucket: str) -> None:
    items = await ask(viewer, group="panel", bucket=bucket)
    assert [(i["group"], i["devices"], i["power_w"]["total"]) for i in items] == [
        (None, 1, 40), (None, 1, 40), ("A", 2, 30), ("A", 1, 10), ("B", 1, 30), ("B", 1, 30),
    ]  # fmt: skip


@pytest.mark.usefixtures("lamps")
async def test_by_month_and_in_another_zone(viewer: httpx.AsyncClient) -> None:
    (month,) = await ask(viewer, group="district", bucket="1mo", district="12.09.19")
    assert (month["group"], month["devices"], month["n"]) == ("12.09.19", 2, 9)
    assert month["power_w"] == {"avg": 40 / 3, "min": 1, "max": 102, "total": 20}  # the mean of 30 and 10
    assert month["partial"]
    days = await ask(viewer, group="all", tz="Asia/Tokyo")
    assert [(i["bucket"], i["devices"]) for i in days] == [("2025-11-22T15:00:00Z", 4), ("2025-11-23T15:00:00Z", 3)]


@pytest.mark.usefixtures("lamps")
async def test_edges_come_from_hours(viewer: httpx.AsyncClient) -> None:
    cut = {"from_": "2025-11-22T21:00:00Z", "to": "2025-11-23T21:00:00Z"}
    items = await ask(viewer, group="all", fill="null", **cut)
    assert [(i["devices"], i["power_w"]["avg"], i["partial"]) for i in items] == [(0, None, True), (3, 80 / 3, True)]


@pytest.mark.usefixtures("lamps")
async def test_filters(viewer: httpx.AsyncClient) -> None:
    assert [i["device_id"] for i in await ask(viewer, panel="A", to="2025-11-23T17:00:00Z")] == ["a1", "a2"]
    assert [i["device_id"] for i in await ask(viewer, district="12.09.20", panel="B")] == ["b1", "b1"]
    assert [i["group"] for i in await ask(viewer, group="panel", district="12.09.20")] == [None, None, "B", "B"]
    assert [i["devices"] for i in await ask(viewer, group="all", panel="A")] == [2, 1]
    assert [i["group"] for i in await ask(viewer, group="panel", panel="A")] == ["A", "A"]
    assert [i["devices"] for i in await ask(viewer, group="all", device="a2,b1")] == [2, 1]
    assert await ask(viewer, group="all", panel="Z") == []


@pytest.mark.usefixtures("lamps")
async def test_fill_of_groups(viewer: httpx.AsyncClient) -> None:
    asked = {"group": "panel", "panel": "B", "from_": "2025-11-21T17:00:00Z", "to": "2025-11-25T17:00:00Z"}
    nulls = await ask(viewer, fill="null", **asked)
    assert [(i["group"], i["devices"], i["power_w"]["total"]) for i in nulls] == [
        ("B", 0, None), ("B", 1, 30), ("B", 1, 30), ("B", 0, None),
    ]  # fmt: skip
    held = await ask(viewer, fill="previous", **asked)
    assert [(i["devices"], i["n"], i["power_w"]["total"]) for i in held] == [
        (0, 0, None), (1, 3, 30), (1, 3, 30), (0, 0, 30),
    ]  # fmt: skip


@pytest.mark.usefixtures("lamps")
async def test_count_alone(viewer: httpx.AsyncClient) -> None:
    (item, _) = await ask(viewer, group="all", agg="count")
    assert item.keys() == {"group", "bucket", "partial", "devices", "n", "good"}
    (one, _) = await ask(viewer, device="a1", agg="count")
    assert one.keys() == {"device_id", "bucket", "partial", "n", "good"}
    (both, _) = await ask(viewer, device="a1", agg="max,count")
    assert both["power_w"] == {"max": 101}


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        ("group=river", "group", "device, all, district, panel, feeder"),
        ("group=all&agg=last", "agg", "avg, min, max, sum, delta, total, count"),
        ("agg=total", "agg", "avg, min, max, last, sum, delta, count"),
        ("group=all&agg=total&metric=energy_wh", "agg", "energy_wh has delta"),
        ("group=all&panel=", "panel", "64"),
        ("group=all&agg=sum", "agg", "none of the metrics"),
    ],
)
async def test_422_says_what_there_is(viewer: httpx.AsyncClient, query: str, field: str, says: str) -> None:
    answer = await viewer.get(f"/api/v1/metrics/streetlight?{query}")
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert says in error["message"]


async def test_too_many_rows_are_refused_by_the_name_of_their_limit(
    viewer: httpx.AsyncClient, town: Any, db: psycopg.Connection
) -> None:
    for number in range(30):
        town.device(f"lamp-{number}")
    asked = "/api/v1/metrics/streetlight?group=all&from=2025-11-01T00:00:00Z&to=2025-12-20T00:00:00Z"
    refused = await viewer.get(f"{asked}&bucket=1h")
    assert refused.status_code == 422
    assert "more than 1000 (SIAGA_QUERY_ROWS_MAX)" in refused.json()["errors"][0]["message"]
    # Days that are kept cost nothing; of those that are marked each device has a row.
    whole = "/api/v1/metrics/streetlight?group=all&bucket=1d&from=2025-10-31T17:00:00Z&to=2025-12-19T17:00:00Z"
    assert (await viewer.get(whole)).status_code == 200
    db.execute(
        "INSERT INTO group_mark (kind, day) SELECT 'streetlight', d"
        " FROM generate_series(timestamptz '2025-10-31T17:00:00Z', '2025-12-18T17:00:00Z', '1 day') AS d"
    )
    waiting = await viewer.get(whole)
    assert waiting.status_code == 503
    assert "49 days" in waiting.json()["detail"]
    assert int(waiting.headers["retry-after"]) > 0


async def test_groups_of_each_kind_are_told(viewer: httpx.AsyncClient) -> None:
    kinds = {each["kind"]: each["groups"] for each in (await viewer.get("/api/v1/kinds")).json()["items"]}
    assert kinds["streetlight"] == ["all", "district", "panel", "feeder"]
    assert kinds["water_level"] == ["all", "district", "river"]


async def test_nothing_of_no_time(viewer: httpx.AsyncClient) -> None:
    answer = await viewer.get("/api/v1/metrics/streetlight?group=all&from=2100-01-01T00:00:00Z&to=2100-01-02T00:00:00Z")
    assert answer.json() == {"items": [], "next_cursor": None}
