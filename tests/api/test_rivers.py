"""Travel times as learned, and rain summed over an hour, three and a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from api import river_shapes

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
MINUTE = timedelta(minutes=1)


async def test_lags_of_pairs(viewer: Any, town: Any, db: psycopg.Connection) -> None:
    town.gauge("buntu-pane", attributes={"river": "Silau"})
    town.gauge("kisaran", name="Kisaran Barat", attributes={"river": "Silau", "upstream": "buntu-pane"})
    town.gauge("mouth", name="Muara", attributes={"river": "Silau", "upstream": "kisaran"})
    learned = (
        "INSERT INTO forecast_lag (device_id, upstream, lag_s, gain, alike, waves, earliest_s, latest_s, looked_at)"
        " VALUES (%s, %s, 9000, 0.8, 0.95, 6, 8400, 10200, %s)"
    )
    db.execute(learned, ("kisaran", "buntu-pane", NOW))
    db.execute(learned, ("mouth", "another", NOW))
    answer = await viewer.get("/api/v1/rivers/lags")
    river_shapes.TravelTimes.model_validate_json(answer.content)
    first, second = answer.json()["items"]
    assert (first["device_id"], first["upstream_name"], first["lag_s"], first["waves"]) == (
        "kisaran", "Buntu Pane", 9000, 6,
    )  # fmt: skip
    assert (first["earliest_s"], first["latest_s"], first["gain_share"]) == (8400, 10200, 0.8)
    assert (second["device_id"], second["lag_s"], second["looked_at"]) == ("mouth", None, None)


async def test_rain_of_an_hour_three_and_a_day(viewer: Any, town: Any) -> None:
    town.gauge("buntu-pane")
    town.gauge("dry", name="Kisaran")
    town.gauge("deaf", name="Muara")
    start = NOW - timedelta(minutes=NOW.minute % 5)
    for minutes, rain in ((30, 4.0), (120, 2.5), (1000, 1.0), (1500, 50.0)):
        town.rollup("water_level", "5m", "buntu-pane", start - minutes * MINUTE, rain_mm_sum=rain)
    town.rollup("water_level", "5m", "dry", start - 10 * MINUTE, rain_mm_sum=0.0)
    town.rollup("water_level", "5m", "deaf", start - 10 * MINUTE, level_m_avg=1.0)
    answer = await viewer.get("/api/v1/rivers/rain")
    river_shapes.Rains.model_validate_json(answer.content)
    told = {
        each["device_id"]: (each["rain_1h_mm"], each["rain_3h_mm"], each["rain_24h_mm"])
        for each in answer.json()["items"]
    }
    assert told == {"buntu-pane": (4.0, 6.5, 7.5), "dry": (0, 0, 0), "deaf": (None, None, None)}
