"""The letter of a road by how dense its traffic is."""

from __future__ import annotations

import pytest

from alerts.level_of_service import Classes, Letter, density, letter, passenger_cars

UNKNOWN = Classes(None, None, None)


def test_vehicles_as_passenger_cars() -> None:
    assert passenger_cars(100, Classes(70, 25, 5)) == pytest.approx(17.5 + 25 + 6.5)
    assert passenger_cars(100, UNKNOWN) == 100
    assert passenger_cars(100, Classes(70, 25, None)) == 100


def test_density_of_a_lane() -> None:
    assert density(1200, 40, 2) == 15
    assert density(0, None, 2) == 0
    assert density(1200, None, 2) is None
    assert density(1200, 0, 2) is None
    assert density(1200, 40, 0) is None


@pytest.mark.parametrize(
    ("per_km", "occupancy", "expected"),
    [
        (0, 0, "A"), (6.8, 5, "A"), (6.9, 5, "B"), (11.2, None, "B"), (16.2, None, "C"), (21.7, None, "D"),
        (28.0, None, "E"), (28.1, None, "F"), (None, 5, None), (None, 81, "F"), (0, 81, "F"), (None, None, None),
    ],
)  # fmt: skip
def test_the_letter(per_km: float | None, occupancy: float | None, expected: Letter | None) -> None:
    assert letter(per_km, occupancy) == expected
