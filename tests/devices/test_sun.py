"""The sun against the almanac of Kisaran, and where it must stand elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from devices.sun import SUNSET_DEG, elevation_deg

KISARAN = (2.98, 99.63)
WIB = timedelta(hours=7)
# 15th of the month 2026, WIB: sunrise, noon, sunset, end of civil twilight
ALMANAC = {
    1: ("06:31", "12:30", "18:30", "18:52"),
    4: ("06:16", "12:21", "18:27", "18:48"),
    7: ("06:19", "12:27", "18:36", "18:58"),
    10: ("06:05", "12:07", "18:09", "18:30"),
}
TOLERANCE_MIN = 1.5


def midnight(month: int, day: int = 15) -> float:
    return (datetime(2026, month, day, tzinfo=UTC) - WIB).timestamp()


def minutes(text: str) -> float:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


def crossings(begin: float, level_deg: float) -> tuple[float, float]:
    """Minutes after `begin` at which the sun rises over a level and falls below it, on one day."""
    step = np.arange(0, 1440, 0.1)
    over = elevation_deg(begin + 60 * step, *KISARAN) > level_deg
    change = np.flatnonzero(np.diff(over.astype(int)))
    assert len(change) == 2
    assert not over[0]
    return float(step[change[0]]), float(step[change[1]])


@pytest.mark.parametrize("month", ALMANAC)
def test_sunrise_and_sunset_of_the_almanac(month: int) -> None:
    rise, fall = crossings(midnight(month), SUNSET_DEG)
    assert rise == pytest.approx(minutes(ALMANAC[month][0]), abs=TOLERANCE_MIN)
    assert fall == pytest.approx(minutes(ALMANAC[month][2]), abs=TOLERANCE_MIN)


@pytest.mark.parametrize("month", ALMANAC)
def test_noon_and_dusk_of_the_almanac(month: int) -> None:
    step = np.arange(0, 1440, 0.1)
    highest = step[elevation_deg(midnight(month) + 60 * step, *KISARAN).argmax()]
    assert highest == pytest.approx(minutes(ALMANAC[month][1]), abs=TOLERANCE_MIN)
    assert crossings(midnight(month), -6)[1] == pytest.approx(minutes(ALMANAC[month][3]), abs=TOLERANCE_MIN)


def test_extremes_of_the_year() -> None:
    """2026: sunrise 06:04:05 to 06:34:53, sunset 18:05:36 to 18:36:53, days of 11.97 to 12.31 h."""
    found = np.array([crossings(midnight(1, 1) + day * 86_400, SUNSET_DEG) for day in range(0, 365, 3)])
    rise, fall = found.T
    assert (rise.min(), rise.max()) == pytest.approx((364.1, 394.9), abs=1)
    assert (fall.min(), fall.max()) == pytest.approx((1085.6, 1116.9), abs=1)
    length = (fall - rise) / 60
    assert (length.min(), length.max()) == pytest.approx((11.97, 12.31), abs=0.02)


def test_the_sun_stands_over_the_equator_at_equinox_noon() -> None:
    noon = datetime(2026, 3, 20, 12, 7, 30, tzinfo=UTC).timestamp()  # equation of time: -7.5 min
    assert elevation_deg(noon, 0.0, 0.0) == pytest.approx(90, abs=0.4)
    assert elevation_deg(noon, 0.0, 180.0) == pytest.approx(-90, abs=0.4)


def test_polar_day_and_night() -> None:
    day = datetime(2026, 6, 21, tzinfo=UTC).timestamp() + np.arange(0, 86_400, 600.0)
    assert (elevation_deg(day, 80.0, 0.0) > 0).all()
    assert (elevation_deg(day, -80.0, 0.0) < 0).all()


def test_the_sun_stands_higher_in_the_east_before_noon() -> None:
    morning = midnight(6) + 8 * 3600
    assert elevation_deg(morning, 2.98, 100.63) - elevation_deg(morning, 2.98, 99.63) == pytest.approx(1, abs=0.2)


def test_shapes_broadcast() -> None:
    t = midnight(6) + np.arange(5.0) * 3600
    lat, lon = np.array([[2.98], [-6.2]]), np.array([[99.63], [106.8]])
    together = elevation_deg(t, lat, lon)
    assert together.shape == (2, 5)
    assert together[1, 3] == elevation_deg(t[3], -6.2, 106.8)


def test_an_unknown_place_has_no_sun() -> None:
    assert np.isnan(elevation_deg(midnight(6), np.nan, np.nan))
