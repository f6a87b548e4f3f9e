"""Curves: which rows they are drawn from, that no peak is lost, that no gap is drawn over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import shapes
from api.downsample import draw
from runtime.settings import Settings
from storage.kind_tables import Level
from storage.read_series import Curve
from storage.series import sources

T0 = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MINUTE_MS = 60_000


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(database_url=database_url, live_poll_s=0.05, series_rows_max=1000, series_points_max=2000)


async def curves(viewer: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    asked = {"device": "wl", "from": "2026-11-24T12:00:00Z", "to": "2026-11-25T12:00:00Z"}
    answer = await viewer.get("/api/v1/series", params=asked | {k.rstrip("_"): v for k, v in query.items()})
    assert answer.status_code == 200, answer.text
    shapes.SeriesList.model_validate_json(answer.content)
    items: list[dict[str, Any]] = answer.json()["items"]
    for item in items:
        assert len({len(item[name]) for name in ("t", "v", "min", "max", "qc") if item[name] is not None}) == 1
    return items


@pytest.mark.parametrize(
    ("days", "points", "source"),
    [(1, 500, "raw"), (30, 500, "raw"), (200, 500, "1h"), (7, 20, "1h"), (3650, 500, "1d"), (36500, 20, "1d")],
)
def test_the_finest_that_is_few_enough(days: int, points: int, source: Level) -> None:
    assert sources(10 * MINUTE, T0 - days * DAY, T0, points, 20_000, {})[0] == source


def test_what_retention_has_dropped_is_not_asked() -> None:
    closed: dict[Level, datetime] = {"raw": T0 - 90 * DAY, "5m": T0 - 730 * DAY}
    assert sources(10 * MINUTE, T0 - 91 * DAY, T0 - 90 * DAY, 500, 20_000, closed) == ["5m", "1h", "1d"]
    assert sources(10 * MINUTE, T0 - 800 * DAY, T0 - 799 * DAY, 500, 20_000, closed) == ["1h", "1d"]
    assert sources(10 * MINUTE, T0 - DAY, T0, 500, 20_000, closed)[0] == "raw"


@given(
    values=st.lists(st.none() | st.floats(-5, 20), max_size=400),
    steps=st.lists(st.sampled_from([1, 1, 1, 1, 1, 60]), min_size=400, max_size=400),
    points=st.integers(20, 120),
    method=st.sampled_from(["lttb", "minmax"]),
)
def test_no_peak_is_lost_and_the_budget_is_kept(
    values: list[float | None], steps: list[int], points: int, method: Any
) -> None:
    number = np.array(values, dtype=np.float64)
    at = np.cumsum(np.array(steps[: len(values)], dtype=np.int64)) * MINUTE_MS
    drawn = draw(at, np.arange(len(at)), Curve(number, number - 1, number + 1), points, 5 * MINUTE_MS, method)
    assert len(drawn.t) <= points
    assert drawn.t == sorted(drawn.t)
    known = [value for value in values if value is not None]
    assert bool(known) == bool(drawn.t)
    if known:
        assert min(x for x in drawn.low if x is not None) == min(known) - 1
        assert max(x for x in drawn.high if x is not None) == max(known) + 1
        times = at[~np.isnan(number)].tolist()
        assert (drawn.t[0], drawn.t[-1]) == (times[0], times[-1])


def test_a_gap_has_a_null_between_its_sides() -> None:
    at = np.array([*range(50), *range(500, 550)], dtype=np.int64) * MINUTE_MS
    values = np.sin(np.arange(100) / 5)
    drawn = draw(at, None, Curve(values, values, values), 30, 5 * MINUTE_MS, "lttb")
    hole = drawn.v.index(None)
    assert [t // MINUTE_MS for t in drawn.t[hole - 1 : hole + 2]] == [49, 274, 500]
    assert drawn.v.count(None) == 1
    assert drawn.low[hole] is None
    assert drawn.left_out


def test_of_many_gaps_the_longest() -> None:
    at = np.cumsum(np.arange(1, 101, dtype=np.int64)) * MINUTE_MS
    values = np.ones(100)
    drawn = draw(at, None, Curve(values, values, values), 20, 5 * MINUTE_MS, "lttb")
    assert len(drawn.t) <= 20
    assert [i for i, v in enumerate(drawn.v) if v is None][-1] == len(drawn.v) - 2


async def test_readings_as_they_are(viewer: httpx.AsyncClient, town: Any) -> None:
    town.gauge("wl")
    for i in range(5):
        town.reading("wl", "water_level", T0 + 10 * i * MINUTE, qc=4 if i == 2 else 1, level_m=9.0 if i == 2 else 1 + i)
    town.reading("wl", "water_level", T0 + 6 * HOUR, level_m=2)
    (item,) = await curves(viewer)
    assert (item["device_id"], item["metric"], item["source"], item["step_s"]) == ("wl", "level_m", "raw", None)
    assert item["v"] == [1, 2, 9, 4, 5, None, 2]
    assert item["qc"] == [1, 1, 4, 1, 1, None, 1]
    assert item["t"][:2] == [T0.timestamp() * 1000, (T0.timestamp() + 600) * 1000]
    assert item["min"] is item["max"] is None
    (good,) = await curves(viewer, good="true")
    assert good["v"] == [1, 2, 4, 5, None, 2]


async def test_a_long_range_is_drawn_from_a_rollup_with_its_peaks(viewer: httpx.AsyncClient, town: Any) -> None:
    town.gauge("wl")
    for i in range(100):
        peak = 7.5 if i == 41 else 2
        town.rollup(
            "water_level", "1h", "wl", T0 + i * HOUR, level_m_avg=1.5, level_m_w=1, level_m_min=1, level_m_max=peak,
            rain_mm_sum=0.5,
        )  # fmt: skip
    long = {"to": "2026-12-24T12:00:00Z", "points": 20, "metric": "level_m,rain_mm,temperature_c"}
    level, rain, cold = await curves(viewer, **long)
    assert (level["source"], level["step_s"], level["qc"]) == ("1h", 3600, None)
    assert len(level["t"]) <= 20
    assert max(level["max"]) == 7.5
    assert min(level["min"]) == 1
    assert set(rain["v"]) == {0.5}
    assert cold["t"] == []


async def test_who_sends_too_often_is_drawn_from_the_next(
    viewer: httpx.AsyncClient, town: Any, db: psycopg.Connection
) -> None:
    town.gauge("wl")
    town.reading("wl", "water_level", T0, level_m=1)
    db.execute(
        "INSERT INTO reading_water_level (device_id, ts, received_at, qc, qc_reason, level_m)"
        " SELECT 'wl', %s + i * interval '10 s', now(), 1, 0, 1 FROM generate_series(1, 5000) AS i",
        (T0,),
    )
    town.rollup("water_level", "5m", "wl", T0, level_m_avg=1, level_m_w=1, level_m_min=1, level_m_max=1)
    (item,) = await curves(viewer)
    assert item["source"] == "5m"


async def test_several_devices_of_several_kinds(viewer: httpx.AsyncClient, town: Any) -> None:
    town.gauge("wl")
    town.device("lamp")
    town.reading("wl", "water_level", T0, level_m=1, temperature_c=30)
    town.reading("lamp", "streetlight", T0, power_w=80, temperature_c=40)
    items = await curves(viewer, device="lamp,wl", metric="temperature_c")
    assert [(i["device_id"], i["v"]) for i in items] == [("lamp", [40]), ("wl", [30])]
    assert [(i["metric"], i["v"]) for i in await curves(viewer, device="lamp,wl")] == [
        ("power_w", [80]), ("level_m", [1]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        ("device=wl&metric=power_w", "metric", "level_m"),
        ("device=,", "device", "empty"),
        ("device=wl&points=19", "points", "20"),
        ("device=wl&points=2001", "points", "2000 (SIAGA_SERIES_POINTS_MAX)"),
        ("device=wl&method=guess", "method", "minmax"),
        ("metric=level_m", "device", "required"),
    ],
)
async def test_422_names_field_and_limit(
    viewer: httpx.AsyncClient, town: Any, query: str, field: str, says: str
) -> None:
    town.gauge("wl")
    answer = await viewer.get(f"/api/v1/series?{query}")
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert says in error["message"]


async def test_unknown_devices_are_404(viewer: httpx.AsyncClient) -> None:
    assert (await viewer.get("/api/v1/series?device=nobody")).status_code == 404
