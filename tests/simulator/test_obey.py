"""Simulated devices do what they are told: once, in time, and what they measure shows it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from devices.topics import command_topic
from simulator.city import City
from simulator.fleet import make_fleet
from simulator.obey import BROKEN, Devices
from simulator.plan import plan_city

START_MS = 1_764_000_000_000  # 23:00 in Kisaran
HOUR_MS = 3_600_000
ID = "0d6a3b52-5b0e-4c55-9a43-{:012x}"
FLEET = make_fleet(40, 1)
LAMPS = [number for number, device in enumerate(FLEET) if device.kind == "streetlight"]


@pytest.fixture
def city() -> City:
    return City(FLEET, 1, START_MS / 1000)


def sound(city: City) -> int:
    return next(number for number in LAMPS if city._lit.told.may(city._lamp_of[number]))


def at(city: City, lamp: int, *hours: float) -> dict[str, list[float]]:
    times = np.array([START_MS + round(hour * HOUR_MS) for hour in hours])
    device = np.full(len(times), lamp)
    none = np.zeros(len(times), dtype=np.int64)
    (block,) = city.measured(device, times, none, none.astype(object))
    return {name: column.tolist() for name, column in block.columns.items()}


def test_a_lamp_is_lit_dark_and_dimmed_as_it_is_told(city: City) -> None:
    lamp = sound(city)
    city.switch(lamp, START_MS + 10 * HOUR_MS, "on")  # by day
    city.dim(lamp, START_MS + 12 * HOUR_MS, 0.3)
    city.switch(lamp, START_MS + 14 * HOUR_MS, "off")
    city.switch(lamp, START_MS + 16 * HOUR_MS, "auto")
    seen = at(city, lamp, 1, 9, 11, 13, 15, 17, 25)
    assert seen["dimming_pct"] == [70, 0, 100, 30, 0, 0, 70]
    assert [power > 1 for power in seen["power_w"]] == [True, False, True, True, False, False, True]
    assert 0.2 < seen["power_w"][3] / seen["power_w"][2] < 0.35


def test_it_is_dimmed_only_while_it_is_lit(city: City) -> None:
    lamp = sound(city)
    city.dim(lamp, START_MS + HOUR_MS, 0.4)
    assert at(city, lamp, 0, 2, 10, 26)["dimming_pct"] == [70, 40, 0, 40]


def test_its_counters_agree_with_its_power(city: City) -> None:
    """Energy is the integral of power, hours are those lit, and neither ever goes back."""
    lamp = sound(city)
    city.switch(lamp, START_MS + 1 * HOUR_MS, "off")
    city.switch(lamp, START_MS + 3 * HOUR_MS, "on")
    city.dim(lamp, START_MS + 5 * HOUR_MS, 0.5)
    city.switch(lamp, START_MS + 11 * HOUR_MS, "auto")
    city.switch(lamp, START_MS + 13 * HOUR_MS, "on")
    step_h = 1 / 60
    hours = np.arange(0, 30, step_h)
    seen = {name: np.array(column) for name, column in at(city, lamp, *hours.tolist()).items()}
    assert (np.diff(seen["energy_wh"]) >= -0.11).all()  # rounded to 0.1
    assert (np.diff(seen["operating_h"]) >= -0.0011).all()
    assert (np.diff(seen["switch_count"]) >= 0).all()
    middle = (seen["power_w"][1:] + seen["power_w"][:-1]) / 2 * step_h
    assert np.isclose(middle.sum(), seen["energy_wh"][-1] - seen["energy_wh"][0], rtol=0.02)
    lit = (seen["dimming_pct"][1:] > 0).sum() * step_h
    assert np.isclose(lit, seen["operating_h"][-1] - seen["operating_h"][0], atol=0.1)


def test_what_was_measured_before_stays_as_it_was(city: City) -> None:
    lamp = sound(city)
    before = at(city, lamp, 0, 1, 2)
    city.switch(lamp, START_MS + 2 * HOUR_MS + 1, "off")
    assert at(city, lamp, 0, 1, 2) == before


def test_a_gauge_reports_as_often_as_it_is_told(city: City) -> None:
    gauge = next(number for number, device in enumerate(FLEET) if device.kind == "water_level")
    others = city.pace.interval_ms.copy()
    city.report_every(gauge, 60)
    times = [each.ts_ms for each in city.readings(START_MS, START_MS + HOUR_MS) if each.device == gauge]
    assert len(times) == 60
    assert set(np.diff(times)) == {60_000}
    others[gauge] = 60_000
    assert (city.pace.interval_ms == others).all()


@pytest.fixture
def devices() -> Devices:
    plan = plan_city(FLEET, 1, "12.09", START_MS / 1000, rate=None, hours=100)
    return Devices(plan, lambda: START_MS + HOUR_MS, lambda: START_MS / 1000)


def told(device: int, name: str, args: dict[str, Any], number: int = 1, ahead_ms: int = 60_000) -> tuple[str, bytes]:
    command = {"id": ID.format(number), "name": name, "args": args, "expires": START_MS + ahead_ms}
    return command_topic("12.09", FLEET[device].id), json.dumps(command).encode()


def answer(devices: Devices, *message: Any) -> dict[str, Any]:
    found = devices.hear(*message)
    assert found is not None
    assert found.topic == message[0] + "/result"
    said: dict[str, Any] = json.loads(found.payload)
    return said


def test_the_same_id_is_obeyed_once_and_answered_each_time(devices: Devices) -> None:
    city = devices._plan.city
    lamp = sound(city)
    first = answer(devices, *told(lamp, "dim", {"level_pct": 30}))
    assert first == {"id": ID.format(1), "ok": True, "ts": START_MS}
    assert answer(devices, *told(lamp, "dim", {"level_pct": 90})) == first
    assert at(city, lamp, 2)["dimming_pct"] == [30]


@pytest.mark.parametrize(
    ("name", "args", "ahead_ms", "why"),
    [
        ("dim", {"level_pct": 101}, 60_000, "args.level_pct"),
        ("interval", {"interval_s": 60}, 60_000, "no command"),
        ("dim", {"level_pct": 10}, 0, "expired"),
    ],
)
def test_it_says_why_not(devices: Devices, name: str, args: Any, ahead_ms: int, why: str) -> None:
    said = answer(devices, *told(sound(devices._plan.city), name, args, ahead_ms=ahead_ms))
    assert said["ok"] is False
    assert why in said["error"]


def test_a_broken_lamp_does_not_obey(devices: Devices) -> None:
    city = devices._plan.city
    broken = next(number for number in LAMPS if not city._lit.told.may(city._lamp_of[number]))
    before = at(city, broken, 2)
    assert answer(devices, *told(broken, "switch", {"state": "off"}))["error"] == BROKEN
    assert at(city, broken, 2) == before


def test_what_is_no_command_to_one_of_ours_is_left_alone(devices: Devices) -> None:
    topic, payload = told(LAMPS[0], "dim", {"level_pct": 30})
    for other in (command_topic("12.09", "nobody"), f"{topic}/result", "siaga/v1/12.09/x/status"):
        assert devices.hear(other, payload) is None
    assert devices.hear(topic, b"{") is None
