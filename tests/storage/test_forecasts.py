"""What is kept of forecasts: past errors by gauge and of all, the lag that was learned, and how they are forgotten."""

from __future__ import annotations

from datetime import timedelta
from math import log
from typing import Any

import pytest

from alerts.forecast_errors import ERRORS_MIN, QUANTILES
from alerts.forecast_lag import Lag
from storage import forecasts
from tests.storage.world import NOW, World, minutes

pytestmark = pytest.mark.same_tables

INSERT = """
INSERT INTO forecast (device_id, as_of, siaga, made_at, bound_m, level_m, slope_m_h, points, basis, stage, expected_at,
    earliest, latest, until, outcome, reached_at, error)
SELECT %s, a, 3, a, 2, 1.5, 0.5, 7, 'own', 'warning', a + interval '45 min', a, a + interval '2 h', a + interval '6 h',
    'hit', a + interval '1 h', %s
FROM (SELECT %s::timestamptz + n * interval '10 min' AS a FROM generate_series(1, %s) n) AS s RETURNING 1
"""


async def made(world: World, device: str, error: float, count: int) -> None:
    await world.rows(INSERT, device, error, NOW, count)


async def test_a_gauge_has_its_own_interval_once_it_has_errors_enough(world: World) -> None:
    await made(world, "often", log(2), ERRORS_MIN)
    await made(world, "seldom", 0.0, ERRORS_MIN - 1)
    found = await forecasts.spreads(world.conn, ["often", "seldom", "never"])
    assert found["often"]["own"] == pytest.approx((log(2), log(2)))
    assert found["seldom"] == found["never"]
    assert found["never"]["own"] == pytest.approx((0.0, log(2)))
    assert "upstream" not in found["often"]
    assert QUANTILES == (0.1, 0.9)


async def test_what_was_learned_stays_until_the_gauge_upstream_is_another(world: World) -> None:
    lag = Lag(9000.0, 0.8, 0.9, 4, 8400.0, 9600.0)
    kept = "SELECT upstream, lag_s, gain, alike, waves, earliest_s, latest_s FROM forecast_lag"
    steps: list[tuple[str, Lag | None, Any]] = [
        ("up", lag, ("up", *lag)),
        ("up", None, ("up", *lag)),
        ("up", lag._replace(waves=5), ("up", 9000.0, 0.8, 0.9, 5, 8400.0, 9600.0)),
        ("other", None, ("other", *(None,) * 6)),
    ]
    for upstream, learned, expected in steps:
        await forecasts.keep_lag(world.conn, "down", upstream, learned, NOW)
        assert await world.rows(kept) == [expected]


async def test_old_ones_are_forgotten(world: World) -> None:
    await made(world, "gauge", 0.0, 10)
    crossed = "INSERT INTO forecast_crossing VALUES ('gauge', 3, %s), ('gauge', 3, %s) RETURNING 1"
    await world.rows(crossed, NOW, NOW + minutes(120))
    while await forecasts.forget(world.conn, NOW + minutes(55)):
        pass
    assert await world.one("SELECT count(*) FROM forecast") == 5
    assert await world.one("SELECT min(at) FROM forecast_crossing") == NOW + timedelta(hours=2)
