"""Alerts of what forecasts say: raised live, written once with the forecast, gone with their rule."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import psycopg

from alerts.rule import Variant, shipped
from storage import rules
from storage.rules import Change
from tests.storage.world import GAUGE, NOW, World, minutes, packet
from worker.forecast import forecast_at

STEP = minutes(10)
# 1 m, and from 1 h on half a metre an hour: 2.5 m, Siaga 2, at 4 h.
LEVELS = np.interp(np.arange(30) / 6, [0, 1, 5], [1.0, 1.0, 3.0])
ALERTS = "SELECT rule, severity, active, historical FROM alert WHERE rule = 'siaga_2_soon' ORDER BY id"
EVENTS = """
SELECT t.what, t.event_at FROM transition AS t JOIN alert AS a ON a.id = t.alert_id
WHERE a.rule = 'siaga_2_soon' ORDER BY t.id
"""


async def come(world: World, first: int, last: int) -> None:
    """Readings of these numbers arrive as they are measured."""
    for n in range(first, last):
        at = NOW + n * STEP
        await world.send([packet(GAUGE.id, {"ts": at, "level_m": round(float(LEVELS[n]), 3)}, at=at)], at)


async def test_a_level_that_is_expected_is_an_alert_before_it_is_there(
    world: World, worker: Callable[..., Any]
) -> None:
    here = await worker()
    for n in range(30):
        await come(world, n, n + 1)
        await forecast_at(here, NOW + n * STEP)
    assert [row[1] for row in await world.rows(ALERTS)] == [2]
    events = dict(await world.rows(EVENTS))
    assert list(events) == ["raised", "worsened", "cleared"]
    assert NOW + timedelta(hours=2) <= events["raised"] < NOW + timedelta(hours=3) <= events["worsened"]
    assert events["cleared"] == NOW + timedelta(hours=4.5)
    assert await world.one("SELECT count(*) FROM notice_outbox") > 0


async def test_looking_twice_or_two_at_once_changes_nothing(
    world: World, worker: Callable[..., Any], other: psycopg.AsyncConnection[Any]
) -> None:
    here, beside = await worker(), await worker()
    await come(world, 0, 20)
    now = NOW + 20 * STEP
    await forecast_at(here, now)
    before = await world.everything("alert", "transition", "alert_state")
    assert await world.rows(EVENTS)
    await world.rows("UPDATE latest SET ts = ts RETURNING 1")
    await forecast_at(beside, now)
    assert await world.everything("alert", "transition", "alert_state") == before


async def test_late_readings_tell_nobody_what_was_to_be_expected(world: World, worker: Callable[..., Any]) -> None:
    here = await worker()
    await come(world, 0, 22)
    await forecast_at(here, NOW + timedelta(days=1))
    assert await world.one("SELECT count(*) FROM forecast") > 0
    assert await world.rows(ALERTS) == []


async def test_a_rule_that_is_disabled_takes_its_alert_back(world: World, worker: Callable[..., Any]) -> None:
    here = await worker()
    for n in range(20):
        await come(world, n, n + 1)
        await forecast_at(here, NOW + n * STEP)
    assert await world.rows(ALERTS) == [("siaga_2_soon", 2, True, False)]
    rule = next(rule for rule in shipped() if rule.id == "siaga_2_soon")
    off = rule.model_copy(update={"enabled": False})
    await rules.change(world.conn, Change(Variant("siaga_2_soon", "water_level"), off, "rini", "tide", NOW), None)
    for _ in range(2):
        await forecast_at(here, NOW + 20 * STEP)
    why = "SELECT t.what, t.why FROM transition t JOIN alert a ON a.id = t.alert_id WHERE rule = 'siaga_2_soon'"
    assert (await world.rows(f"{why} ORDER BY t.id"))[-1] == ("cleared", "rule changed (version 1)")
    assert await world.one("SELECT count(*) FROM alert_state WHERE rule = 'siaga_2_soon'") == 0


async def test_of_a_gauge_that_is_retired_nothing_is_expected(world: World, worker: Callable[..., Any]) -> None:
    here = await worker()
    for n in range(20):
        await come(world, n, n + 1)
        await forecast_at(here, NOW + n * STEP)
    await world.rows("UPDATE device SET status = 'retired' WHERE id = %s RETURNING 1", GAUGE.id)
    await come(world, 20, 21)
    await forecast_at(here, NOW + 20 * STEP)
    assert await world.rows(ALERTS) == [("siaga_2_soon", 2, False, False)]
    why = "SELECT t.why FROM transition t JOIN alert a ON a.id = t.alert_id WHERE rule = 'siaga_2_soon'"
    assert (await world.rows(f"{why} ORDER BY t.id"))[-1] == ("the device is retired",)
    assert await world.one("SELECT max(as_of) FROM forecast") < NOW + 20 * STEP
