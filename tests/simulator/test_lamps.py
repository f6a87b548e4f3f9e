"""Streetlight physics: lit by night, dark by day, and meters that agree with each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alerts.engine import Engine, evaluate
from alerts.rule import shipped
from devices.fleet import Fleet
from devices.sun import elevation_deg
from simulator.city import City
from simulator.fleet import make_fleet
from simulator.physics import lamps
from simulator.physics.lamp_duty import STANDBY_W, SURGE, moment, power_w
from simulator.physics.lamp_faults import Fault
from tests.simulator.field import DAY_S, grid, through_ingest, wib

DEVICES = [device for device in make_fleet(200, 1) if device.kind == "streetlight"]
FITTED = lamps.lamps_of(DEVICES, 1)
HEALTHY = FITTED.fault == Fault.NONE
STEP_S = 60.0
TIMES = wib(12) + np.arange(0, 2 * DAY_S, STEP_S)  # two nights, from noon to noon


@pytest.fixture(scope="module")
def measured() -> dict[str, np.ndarray]:
    """Every minute of two days: one row a lamp."""
    row, t = grid(len(DEVICES), TIMES)
    return {name: column.reshape(len(DEVICES), -1) for name, column in lamps.measure(FITTED, row, t).items()}


@pytest.fixture(scope="module")
def sun() -> np.ndarray:
    lat, lon = (np.array([[getattr(d, name)] for d in DEVICES]) for name in ("lat", "lon"))
    return elevation_deg(TIMES, lat, lon)


def test_dark_by_day(measured: dict[str, np.ndarray], sun: np.ndarray) -> None:
    day = (sun > 5) & HEALTHY[:, None]
    assert measured["power_w"][day].max() == 0
    assert measured["dimming_pct"][day].max() == 0


def test_lit_at_night_and_dimmed_between_22_and_05(measured: dict[str, np.ndarray], sun: np.ndarray) -> None:
    night = (sun < -6) & HEALTHY[:, None]
    hour = (TIMES - wib(0)) / 3600 % 24
    late = (hour >= 22) | (hour < 5)
    share = measured["power_w"] / FITTED.duty.nominal_w[:, None]
    assert set(np.unique(measured["dimming_pct"][night])) == {70, 100}
    np.testing.assert_allclose(share[night & ~late], 1, atol=0.03)
    assert (share[night & late] > 0.6).all()
    assert (share[night & late] < 0.72).all()


def test_power_is_voltage_times_current_times_power_factor(measured: dict[str, np.ndarray]) -> None:
    product = measured["voltage_v"] * measured["current_a"] * np.nan_to_num(measured["power_factor"])
    off = np.abs(measured["power_w"] - product)
    assert (off <= np.maximum(2, 0.05 * measured["power_w"])).all()


def test_power_factor_is_known_while_lit_and_good_in_a_sound_lamp(measured: dict[str, np.ndarray]) -> None:
    lit = measured["dimming_pct"] > 0
    np.testing.assert_array_equal(np.isnan(measured["power_factor"]), ~lit)
    assert measured["power_factor"][lit & HEALTHY[:, None]].min() >= 0.9


def test_voltage_is_plausible(measured: dict[str, np.ndarray]) -> None:
    volts = measured["voltage_v"]
    assert volts[HEALTHY].min() >= 198
    assert volts[HEALTHY].max() <= 231
    assert np.ptp(volts[HEALTHY], axis=1).min() > 3, "it is never a flat line"
    assert volts.min() > 170


@pytest.mark.parametrize("counter", ["energy_wh", "operating_h", "switch_count"])
def test_counters_never_go_back(measured: dict[str, np.ndarray], counter: str) -> None:
    assert np.diff(measured[counter], axis=1).min() >= 0
    assert measured[counter].min() >= 0


def test_energy_is_the_integral_of_power(measured: dict[str, np.ndarray]) -> None:
    used = np.diff(measured["energy_wh"], axis=1)
    power = (measured["power_w"][:, :-1] + measured["power_w"][:, 1:]) / 2
    expected = power * STEP_S / 3600
    np.testing.assert_allclose(used.sum(axis=1), expected.sum(axis=1), rtol=0.01, atol=1)
    steady = np.abs(np.diff(measured["dimming_pct"], axis=1)) == 0
    assert np.abs(used - expected)[steady].max() < 0.3, "minute by minute, but for rounding and meter noise"


def test_operating_hours_are_those_lit(measured: dict[str, np.ndarray]) -> None:
    hours = measured["operating_h"][:, -1] - measured["operating_h"][:, 0]
    lit = (measured["dimming_pct"] > 0).sum(axis=1) * STEP_S / 3600
    np.testing.assert_allclose(hours, lit, atol=0.1)
    assert ((hours[HEALTHY] > 23) & (hours[HEALTHY] < 25)).all(), "two nights of about 12 h"


def test_a_lamp_switches_twice_a_night(measured: dict[str, np.ndarray]) -> None:
    switched = np.diff(measured["switch_count"], axis=1)
    assert (switched[HEALTHY].sum(axis=1) == 4).all()
    lit = measured["dimming_pct"] > 0
    np.testing.assert_array_equal(switched[HEALTHY] > 0, np.diff(lit[HEALTHY].astype(int), axis=1) != 0)


def test_lamps_do_not_all_switch_at_once(measured: dict[str, np.ndarray]) -> None:
    first_lit = (measured["dimming_pct"][HEALTHY] > 0).argmax(axis=1)
    assert len(np.unique(first_lit)) > 10


def test_a_lit_lamp_is_warmer(measured: dict[str, np.ndarray]) -> None:
    two_in_the_morning = int(14 * 3600 / STEP_S)
    lit = measured["temperature_c"][HEALTHY, two_in_the_morning]
    dark = measured["temperature_c"][FITTED.fault == Fault.DRIVER, two_in_the_morning]
    assert lit.min() > dark.max() + 5


class TestFaults:
    @pytest.mark.parametrize("size", [200, 2_000])
    def test_a_few_lamps_have_one(self, size: int) -> None:
        devices = [device for device in make_fleet(size, 1) if device.kind == "streetlight"]
        count = np.bincount(lamps.lamps_of(devices, 1).fault, minlength=4)
        assert count[1:].sum() == pytest.approx(0.015 * size, abs=2)
        assert count[1:].min() >= 1

    def test_a_broken_driver_is_dark_at_night(self, measured: dict[str, np.ndarray], sun: np.ndarray) -> None:
        driver = FITTED.fault == Fault.DRIVER
        night = measured["power_w"][driver][sun[driver] < -6]
        assert 0 < night.max() < 2

    def test_a_day_burner_is_lit_around_the_clock(self, measured: dict[str, np.ndarray]) -> None:
        burner = FITTED.fault == Fault.DAY_BURNER
        assert (measured["power_w"][burner] > 0.9 * FITTED.duty.nominal_w[burner, None]).all()

    def test_the_weak_feeder_is_low_by_night(self, measured: dict[str, np.ndarray], sun: np.ndarray) -> None:
        weak = FITTED.fault == Fault.LOW_VOLTAGE
        assert measured["voltage_v"][weak][sun[weak] < -6].max() < 198

    def test_the_shipped_rules_find_all_that_have_one_and_no_other(self) -> None:
        made = City(DEVICES, 1, wib(19), rate=len(DEVICES) / 300)
        fleet = Fleet(DEVICES)
        engine = Engine(shipped())
        engine.fit(fleet)
        batch = through_ingest(DEVICES, made.readings(made.start_ms, made.start_ms + 3 * 3_600_000))
        raised = {(t.key.rule, t.key.device_id) for t in evaluate(engine, fleet, batch.readings).transitions}
        broken = {"lamp_out": Fault.DRIVER, "voltage_low": Fault.LOW_VOLTAGE}
        assert raised == {
            (rule, DEVICES[i].id) for rule, fault in broken.items() for i in np.flatnonzero(FITTED.fault == fault)
        }


class TestOldLamps:
    def test_are_those_of_some_panels(self) -> None:
        devices = [device for device in make_fleet(20_000, 1) if device.kind == "streetlight"]
        old = lamps.lamps_of(devices, 1).duty.surge_w > 0
        panels = {device.attributes["panel"]: bool(o) for device, o in zip(devices, old, strict=True)}
        assert all(panels[d.attributes["panel"]] == o for d, o in zip(devices, old, strict=True))
        assert sum(panels.values()) / len(panels) == pytest.approx(lamps.OLD_SHARE, abs=0.06)

    def test_draw_more_in_the_first_minutes_and_leds_do_not(self) -> None:
        duty = replace(FITTED.duty, surge_w=np.where(np.arange(len(FITTED)) % 2, SURGE * FITTED.duty.nominal_w, 0.0))
        fitted = replace(FITTED, duty=duty)
        row = np.flatnonzero(HEALTHY)
        on = moment(duty, row, np.full(len(row), wib(19))).on + wib(12)
        share = [lamps.measure(fitted, row, on + s)["power_w"] / duty.nominal_w[row] for s in (1, 301)]
        np.testing.assert_allclose(share[0], np.where(row % 2, 1.27, 1.0), atol=0.03)
        np.testing.assert_allclose(share[1], 1, atol=0.03)
        used = lamps.measure(fitted, row, on + 301)["energy_wh"] - lamps.measure(fitted, row, on)["energy_wh"]
        np.testing.assert_allclose(used, duty.nominal_w[row] * np.where(row % 2, 341.5, 301) / 3600, atol=0.11)


def test_power_follows_the_dimming_curve() -> None:
    nominal = np.full(5, 100.0)
    watts = power_w(nominal, np.array([0, 0.1, 0.5, 0.7, 1]))
    assert watts[0] == pytest.approx(STANDBY_W)
    assert watts[-1] == pytest.approx(100)
    assert watts[3] == pytest.approx(0.7 + 99.3 * (0.85 * 0.7 + 0.15 * 0.49))
    assert (np.diff(watts) > 0).all()


@pytest.mark.parametrize("year", [2019, 2051])
def test_outside_its_calendar_it_says_so(year: int) -> None:
    with pytest.raises(ValueError, match="2020 to 2049"):
        lamps.measure(FITTED, np.array([0]), np.array([(year - 1970) * 365.25 * DAY_S]))
