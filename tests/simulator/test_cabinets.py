"""Cabinets: their meters agree with those of their lamps, and see what lamps do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from devices.kind import Floats
from simulator.fleet import Sizes, build
from simulator.physics import cabinets, lamps
from simulator.physics.cabinets import Happens, Spell
from tests.simulator.field import DAY_S, wib

FLEET = build(Sizes(0, 0, (20, 12), cabinets=True), 1)
LAMPS, CABINETS = ([device for device in FLEET if device.kind == kind] for kind in ("streetlight", "cabinet"))
LIT = lamps.lamps_of(LAMPS, 1)
TIMES = wib(12) + np.arange(0, 2 * DAY_S, 300)


def measured(cabinet: int, t: Floats = TIMES, **happens: Sequence[Spell]) -> dict[str, Floats]:
    made = cabinets.cabinets_of(CABINETS, LAMPS, LIT, 1, Happens(**{k: tuple(v) for k, v in happens.items()}))
    return cabinets.measure(made, np.full(len(t), cabinet), t)


def energy_of_lamps(panel: str) -> Floats:
    """Wh of the lamps of a panel at TIMES, by their own meters."""
    rows = [row for row, lamp in enumerate(LAMPS) if lamp.attributes["panel"] == panel]
    return sum((lamps.measure(LIT, np.full(len(TIMES), row), TIMES)["energy_wh"] for row in rows), np.zeros(len(TIMES)))


@pytest.mark.parametrize("cabinet", [0, 1])
def test_counts_what_its_lamps_use_and_3_percent_more(cabinet: int) -> None:
    theirs = np.ptp(energy_of_lamps(CABINETS[cabinet].attributes["panel"]))
    assert np.ptp(measured(cabinet)["energy_wh"]) == pytest.approx(1.03 * theirs, rel=1e-3)


def test_its_energy_is_the_integral_of_its_power() -> None:
    t = wib(18.5) + np.arange(0, 6 * 3600, 20.0)
    found = measured(0, t, taps=[Spell(0, wib(20), wib(21), 500.0)])
    drawn = np.cumsum(found["power_w"][:-1]) * 20 / 3600
    np.testing.assert_allclose(found["energy_wh"][1:] - found["energy_wh"][0], drawn, rtol=5e-3, atol=20)


def test_three_phases_make_the_total_and_each_is_u_i_pf() -> None:
    found = measured(0)
    np.testing.assert_allclose(sum(found[f"power_{p}_w"] for p in "rst"), found["power_w"], atol=0.1)
    for p in "rst":
        product = found[f"voltage_{p}_v"] * found[f"current_{p}_a"] * np.nan_to_num(found[f"power_factor_{p}"])
        np.testing.assert_allclose(product, found[f"power_{p}_w"], atol=1)


def test_the_contactor_is_closed_by_night_when_the_lamps_draw() -> None:
    found = measured(0)
    closed = found["contactor_on"] == 1
    assert 0.48 < closed.mean() < 0.52
    assert found["power_w"][closed].mean() > 20 * max(found["power_w"][~closed].mean(), 1)


def test_a_tap_is_seen_by_its_own_meter_alone_and_not_without_mains() -> None:
    tap, dark = Spell(0, wib(20), wib(22), 500.0), Spell(0, wib(20.5), wib(21), 0.0)
    own = [measured(0, taps=taps)["power_w"] for taps in ([], [tap])]
    inside = (wib(20) <= TIMES) & (wib(22) > TIMES)
    np.testing.assert_allclose((own[1] - own[0])[inside], 500, atol=4)
    assert (own[1] == own[0])[~inside].all()
    np.testing.assert_array_equal(measured(1, taps=[tap])["power_w"], measured(1)["power_w"])
    used = [np.ptp(measured(0, taps=taps, dark=[dark])["energy_wh"]) for taps in ([], [tap])]
    assert used[1] - used[0] == pytest.approx(750, abs=1)


def test_without_mains_all_is_zero_and_an_open_door_says_so() -> None:
    found = measured(0, dark=[Spell(0, wib(20), wib(21))], open=[Spell(0, wib(13), wib(14))])
    off = (wib(20) <= TIMES) & (wib(21) > TIMES)
    for name in ("power_w", "voltage_r_v", "current_t_a", "frequency_hz", "contactor_on", "mains_ok"):
        assert not found[name][off].any(), name
    np.testing.assert_array_equal(found["door_open"] == 1, (wib(13) <= TIMES) & (wib(14) > TIMES))
