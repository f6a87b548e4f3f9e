"""A control cabinet: what is derived of its phases, and what hardly goes together."""

from __future__ import annotations

import numpy as np
import pytest

from devices.kind import Floats
from devices.kinds import KINDS

CABINET = KINDS["cabinet"]
SOUND = {
    f"{name}_{phase}{unit}": value
    for phase in "rst"
    for name, unit, value in (
        ("voltage", "_v", 220.0), ("current", "_a", 5.0), ("power", "_w", 1045.0), ("power_factor", "", 0.95),
    )
}  # fmt: skip


def columns(**values: float) -> dict[str, Floats]:
    """One reading."""
    return {name: np.array([values.get(name, np.nan)]) for name in CABINET.numbers}


def derived(**values: float) -> dict[str, float]:
    return {name: float(value[0]) for name, value in CABINET.derive(columns(**values), lambda _: np.zeros(1)).items()}


def test_the_phases_give_their_extremes_the_total_and_whether_there_are_mains() -> None:
    assert derived(**SOUND | {"voltage_s_v": 211.0, "voltage_t_v": 229.0}) == {
        "voltage_min_v": 211, "voltage_max_v": 229, "power_w": 3135, "mains_ok": 1,
    }  # fmt: skip
    one = derived(voltage_r_v=0.0, power_r_w=10.0)
    assert (one["voltage_min_v"], one["mains_ok"]) == (0, 0)
    assert np.isnan(one["power_w"])


def test_what_a_meter_says_itself_stays() -> None:
    told = derived(**SOUND, power_w=3_100.0, mains_ok=0.0)
    assert (told["power_w"], told["mains_ok"]) == (3_100, 0)
    assert all(np.isnan(value) for value in derived().values())


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({}, set()),
        ({"power_w": 3_290.0}, set()),
        ({"power_w": 3_310.0}, {"phases"}),
        ({"current_t_a": 6.0}, {"power_t"}),
        ({"power_factor_r": -0.95}, set()),
        ({"power_factor_s": np.nan, "power_s_w": 1_200.0, "power_w": 3_290.0}, {"power_s"}),
        ({"power_factor_s": np.nan}, set()),
    ],
)
def test_three_phases_make_the_total_and_each_is_u_i_pf(wrong: dict[str, float], found: set[str]) -> None:
    values = columns(**{"power_w": 3_135.0} | SOUND | wrong)
    doubted = CABINET.doubtful(values, lambda _: np.zeros(1))
    assert {name for name, rows in doubted.items() if rows[0]} == found
