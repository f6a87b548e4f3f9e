"""The worker's forecasts: made at every reading, judged by what came, the same whenever it looks and if killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from psycopg.types.json import Jsonb

from devices.device import Device
from storage import read_forecasts
from storage.fleet import import_devices
from tests.storage.rolled import drain
from tests.storage.world import GAUGE, NOW, REGION, World, minutes, packet
from tests.worker.killed import Conn, Moment, kill_worker
from tests.worker.test_process import ask, running, until
from worker.forecast import GAUGES_MAX, forecast, learn_lags

START = NOW - timedelta(hours=12)
STEP = minutes(10)
TABLES = ("forecast", "forecast_crossing", "forecast_seen")
MADE = """
SELECT siaga, as_of, stage, basis, expected_at, holds, outcome, reached_at FROM forecast ORDER BY siaga, as_of
"""


def told(levels: Sequence[float], start: datetime = START, step: timedelta = STEP, device: str = GAUGE.id) -> Any:
    return packet(device, *({"ts": start + n * step, "level_m": round(float(m), 4)} for n, m in enumerate(levels)))


def flood() -> list[float]:
    """1 m, from 1 h to 6 h up to 3.1 m, and down again until 12 h."""
    return list(1.0 + np.interp(np.arange(73) / 6, [0, 1, 6, 12], [0, 0, 2.1, 0]))


async def look(worker: Callable[..., Any]) -> None:
    here = await worker()
    while await forecast(here) is not None:
        pass


async def test_a_flood_is_forecast_and_the_forecast_is_judged(world: World, worker: Callable[..., Any]) -> None:
    await world.send([told(flood())])
    await look(worker)
    crossings = await world.rows("SELECT siaga, at FROM forecast_crossing ORDER BY at")
    assert crossings == [(3, START + 21 * STEP), (2, START + 28 * STEP), (1, START + 35 * STEP)]
    score = await read_forecasts.score(world.conn, "warning", START, NOW, None)
    assert (score["crossings"], score["hits"], score["misses"], score["false"]) == (3, 3, 0, 0)
    assert score["lead_median_h"] >= 0.75
    assert score["covered"] == score["timed"] > 10
    assert await world.one("SELECT count(*) FROM forecast WHERE holds") == 0
    nobody = await read_forecasts.score(world.conn, "watch", START, NOW, "another")
    assert (nobody["forecasts"], nobody["crossings"], nobody["lead_median_h"]) == (0, 0, None)


async def test_looking_as_readings_come_or_afterwards_is_the_same(world: World, worker: Callable[..., Any]) -> None:
    levels = flood()
    for first in range(0, 73, 9):
        await world.send([told(levels[first : first + 9], START + first * STEP)])
        await look(worker)
    live = await world.rows(MADE)
    assert len(live) > 30
    before = await world.everything(*TABLES)
    await look(worker)
    assert await world.everything(*TABLES) == before
    for table in TABLES:
        await world.rows(f"DELETE FROM {table} RETURNING 1")
    await look(worker)
    assert await world.rows(MADE) == live


async def test_a_rise_that_stops_was_false_and_an_outage_tells_nothing(
    world: World, worker: Callable[..., Any]
) -> None:
    rise = [*np.linspace(1.0, 1.9, 13)]
    still = [1.9, 1.897] * 25
    await world.send([told([*rise, *still], START - timedelta(days=2))])
    await look(worker)
    outcomes = "SELECT DISTINCT outcome FROM forecast WHERE as_of > %s"
    assert await world.rows(outcomes, START - timedelta(days=3)) == [("false",)]
    await world.send([told(rise)])
    await look(worker)
    assert await world.rows(outcomes, START) == [(None,)]
    assert await world.one("SELECT count(DISTINCT as_of) FROM forecast WHERE holds") == 1
    await world.send([told([2.2, 2.2], START + 40 * STEP)])  # reached, but nobody saw when
    await look(worker)
    assert await world.rows(outcomes, START) == [("unknown",)]
    assert await world.rows("SELECT * FROM forecast_crossing") == []


async def test_from_bad_data_no_forecast_and_the_old_one_holds_no_longer(
    world: World, worker: Callable[..., Any]
) -> None:
    seen = "SELECT refused, refused_at FROM forecast_seen"
    await world.send([told(np.linspace(1.0, 1.8, 12))])
    await look(worker)
    assert await world.one("SELECT count(*) FROM forecast WHERE holds") > 0
    assert await world.rows(seen) == [(None, None)]
    for number in (12, 13):
        await world.send([told([25.0], START + number * STEP)])  # out of its range
        await look(worker)
        assert await world.rows(seen) == [("suspect", START + 12 * STEP)]
    assert await world.one("SELECT count(*) FROM forecast WHERE holds") == 0


async def test_the_lag_of_the_gauge_upstream_is_learned_and_used(world: World, worker: Callable[..., Any]) -> None:
    upper = Device("upper", "water_level", region=REGION)
    lower = Device(
        "lower", "water_level", region=REGION, attributes={"siaga_3_m": 1.2, "siaga_2_m": 9.0, "upstream": "upper"}
    )
    await import_devices(world.conn, [upper, lower])
    await world.restart()
    hours = np.arange(0, 12 * 24, 1 / 6)
    peaks = np.array([40, 100, 160, 220, 286.0])
    up = 0.5 + sum(np.exp(-(((hours - peak) / 2) ** 2)) for peak in peaks)
    down = 0.5 + sum(0.9 * np.exp(-(((hours - peak - 3) / 2) ** 2)) for peak in peaks)
    start = NOW - timedelta(days=12)
    for first in range(0, len(hours), 900):
        for device, levels in (("upper", up), ("lower", down)):
            await world.send([told(levels[first : first + 900], start + first * STEP, device=device)])
    await drain(world.conn)
    here = await worker()
    assert await learn_lags(here) is None
    ((upstream, lag_s, gain),) = await world.rows("SELECT upstream, lag_s, gain FROM forecast_lag")
    assert (upstream, lag_s / 3600, gain) == ("upper", pytest.approx(3, abs=0.2), pytest.approx(0.9, abs=0.05))
    looked_at = await world.one("SELECT looked_at FROM forecast_lag")
    await learn_lags(here)
    assert await world.one("SELECT looked_at FROM forecast_lag") == looked_at
    while await forecast(here) is not None:
        pass
    lead = "SELECT max(reached_at - as_of) FROM forecast WHERE basis = %s AND outcome = 'hit'"
    assert await world.one(lead, "upstream") > await world.one(lead, "own")


@pytest.mark.slow
async def test_killed_in_the_middle_and_run_again(world: World, other: Conn, worker: Callable[..., Any]) -> None:
    await world.send([told(flood())])
    await look(worker)
    undisturbed = await world.rows(MADE)
    for table in TABLES:
        await world.rows(f"DELETE FROM {table} RETURNING 1")
    await kill_worker(world.url, other, Moment("forecast_seen", "IMMEDIATE", "notices"))
    assert await world.one("SELECT count(*) FROM forecast") == 0
    with running(world.url):
        until(lambda: ask(world.url, "SELECT 1 FROM forecast_seen"))
    assert await world.rows(MADE) == undisturbed


async def test_more_gauges_than_go_into_one_statement(world: World, worker: Callable[..., Any]) -> None:
    numbers = "FROM generate_series(1, 300) AS n"
    await world.rows(
        f"INSERT INTO device (id, kind, attributes) SELECT 'g' || n, 'water_level', %s {numbers} RETURNING 1",
        Jsonb(dict(GAUGE.attributes)),
    )
    await world.send([told([1.0])])  # makes the part of the table
    await world.rows(
        "INSERT INTO reading_water_level (device_id, ts, received_at, qc, qc_reason, level_m)"
        " SELECT 'g' || n, %s::timestamptz + m * interval '10 min', now(), 1, 0, 1 + m * 0.08"
        f" {numbers}, generate_series(1, 12) AS m RETURNING 1",
        START,
    )
    await world.rows(
        "INSERT INTO latest (device_id, kind, ts, received_at, qc, qc_reason, values)"
        f" SELECT 'g' || n, 'water_level', %s::timestamptz + interval '2 h', now(), 1, 0, '{{}}' {numbers} RETURNING 1",
        START,
    )
    here = await worker()
    while await forecast(here) is not None:
        pass
    assert GAUGES_MAX < 300
    assert await world.one("SELECT count(DISTINCT device_id) FROM forecast WHERE holds") == 300
