"""Failures of lamps at set times: each from 20:00 to 03:00 and again the next night and day, on sound lamps."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.fleet import make_fleet
from simulator.physics import lamps
from simulator.physics.lamp_duty import power_w
from simulator.physics.lamp_faults import Failure, Fault
from tests.simulator.field import DAY_S, grid, wib

DEVICES = [device for device in make_fleet(200, 1) if device.kind == "streetlight"]

KINDS = (
    Fault.DRIVER, Fault.DAY_BURNER, Fault.LOW_VOLTAGE, Fault.UNPOWERED, Fault.PARTIAL, Fault.CYCLING, Fault.HIGH_POWER,
    Fault.LOW_POWER_FACTOR,
)  # fmt: skip
FAILURES = tuple(
    Failure(lamp, kind, since + 7 * lamp, until + 11 * lamp)
    for lamp, kind in enumerate(KINDS * 3)
    for since, until in ((wib(20), wib(27)), (wib(40.5), wib(70)))
)
SOME = DEVICES[: 3 * len(KINDS)]
FITTED = lamps.lamps_of(SOME, 1, faulty_share=0, failures=FAILURES)
T = wib(12) + np.arange(0, 3 * DAY_S, 20.0)


@pytest.fixture(scope="module")
def found() -> dict[str, np.ndarray]:
    row, t = grid(len(SOME), T)
    return {name: column.reshape(len(SOME), -1) for name, column in lamps.measure(FITTED, row, t).items()}


def during(found: dict[str, np.ndarray], name: str, kind: Fault) -> np.ndarray:
    """A metric of one kind's lamps from 20:10 to 02:50."""
    return found[name][KINDS.index(kind) :: len(KINDS)][:, (wib(20.2) <= T) & (wib(26.8) > T)]


def test_look_the_same_however_time_is_cut(found: dict[str, np.ndarray]) -> None:
    some = np.random.default_rng(1).permutation(len(SOME) * len(T))[:500]
    row, t = grid(len(SOME), T)
    for name, column in lamps.measure(FITTED, row[some], t[some]).items():
        np.testing.assert_array_equal(column, found[name].ravel()[some])


def test_are_over_when_they_end(found: dict[str, np.ndarray]) -> None:
    sound = lamps.measure(lamps.lamps_of(SOME, 1, faulty_share=0), *grid(len(SOME), T))
    outside = ((wib(20) > T) | (wib(27.2) < T)) & ((wib(40.5) > T) | (wib(70.2) < T))
    for name in ("power_w", "voltage_v", "dimming_pct", "power_factor"):
        expected = sound[name].reshape(len(SOME), -1)[:, outside]
        np.testing.assert_array_equal(found[name][:, outside], expected)


@pytest.mark.parametrize("counter", ["energy_wh", "operating_h", "switch_count"])
def test_counters_never_go_back(found: dict[str, np.ndarray], counter: str) -> None:
    assert np.diff(found[counter], axis=1).min() >= 0


def test_energy_is_the_integral_of_power(found: dict[str, np.ndarray]) -> None:
    used = found["energy_wh"] - found["energy_wh"][:, :1]
    drawn = np.cumsum(found["power_w"], axis=1) * 20 / 3600
    off = np.abs(used - drawn).max(axis=1)
    assert (off < 0.004 * drawn[:, -1] + 1).all(), off


def test_hours_are_those_lit(found: dict[str, np.ndarray]) -> None:
    hours = found["operating_h"] - found["operating_h"][:, :1]
    lit = np.cumsum(found["dimming_pct"] > 0, axis=1) * 20 / 3600
    np.testing.assert_allclose(hours, lit, atol=0.06)


def test_without_mains_all_is_zero_and_counters_stand_still(found: dict[str, np.ndarray]) -> None:
    for name in ("power_w", "voltage_v", "current_a", "dimming_pct"):
        assert during(found, name, Fault.UNPOWERED).max() == 0
    assert np.isnan(during(found, "power_factor", Fault.UNPOWERED)).all()
    for name in ("energy_wh", "operating_h", "switch_count"):
        assert np.ptp(during(found, name, Fault.UNPOWERED), axis=1).max() == 0


def test_a_dead_string_leaves_55_percent(found: dict[str, np.ndarray]) -> None:
    power, dim = (during(found, name, Fault.PARTIAL) for name in ("power_w", "dimming_pct"))
    nominal = FITTED.duty.nominal_w[KINDS.index(Fault.PARTIAL) :: len(KINDS)][:, None]
    np.testing.assert_allclose(power, 0.55 * power_w(nominal, dim / 100), rtol=0.02)


def test_a_load_beside_the_lamp_adds_40_percent(found: dict[str, np.ndarray]) -> None:
    power, dim = (during(found, name, Fault.HIGH_POWER) for name in ("power_w", "dimming_pct"))
    nominal = FITTED.duty.nominal_w[KINDS.index(Fault.HIGH_POWER) :: len(KINDS)][:, None]
    np.testing.assert_allclose(power, 1.4 * power_w(nominal, dim / 100), rtol=0.02)


def test_without_its_capacitor_a_lamp_draws_more_current_for_the_same_power(found: dict[str, np.ndarray]) -> None:
    names = ("power_w", "voltage_v", "current_a", "power_factor", "dimming_pct")
    power, voltage, current, factor, dim = (during(found, name, Fault.LOW_POWER_FACTOR) for name in names)
    nominal = FITTED.duty.nominal_w[KINDS.index(Fault.LOW_POWER_FACTOR) :: len(KINDS)][:, None]
    np.testing.assert_allclose(power, power_w(nominal, dim / 100), rtol=0.02)
    np.testing.assert_allclose(voltage * current * factor, power, rtol=0.01)
    assert factor.max() < 0.7


def test_a_chattering_relay_is_lit_4_min_and_dark_4_min(found: dict[str, np.ndarray]) -> None:
    lit = during(found, "dimming_pct", Fault.CYCLING) > 0
    assert lit.mean() == pytest.approx(0.5, abs=0.02)
    changes = np.diff(lit.astype(int), axis=1) != 0
    for edges in changes:
        assert set(np.diff(np.flatnonzero(edges))) == {12}
    counted = np.diff(during(found, "switch_count", Fault.CYCLING), axis=1)
    np.testing.assert_array_equal(counted, changes)


def test_lie_between_what_lamps_had_before() -> None:
    """A lamp with a fault since before the run can fail in another way for a while."""
    lamp = int(np.flatnonzero(lamps.lamps_of(DEVICES, 1).fault == Fault.DRIVER)[0])
    fitted = lamps.lamps_of(DEVICES, 1, failures=[Failure(lamp, Fault.UNPOWERED, wib(20), wib(21))])
    row, t = np.full(3, lamp), np.array([wib(19.9), wib(20.5), wib(21.1)])
    found = lamps.measure(fitted, row, t)
    assert found["power_w"][1] == 0
    assert (found["power_w"][[0, 2]] > 0).all()


@pytest.mark.parametrize(
    ("failures", "says"),
    [
        ([Failure(2, Fault.DRIVER, 0, 10), Failure(2, Fault.UNPOWERED, 9, 20)], "lamp 2 overlap"),
        ([Failure(2, Fault.DRIVER, 10, 10)], "lamp 2.*after"),
        ([Failure(len(DEVICES), Fault.DRIVER, 0, 10)], "numbered 0 to"),
    ],
)
def test_that_make_no_sense_are_refused(failures: list[Failure], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        lamps.lamps_of(DEVICES, 1, failures=failures)
