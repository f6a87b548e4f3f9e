"""Lamps over a night: what is lit, dimmed, dark or not heard, and what panels make of it."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from alerts.lit import (
    DARK,
    DIMMED,
    HOLD_NIGHT_S,
    LIT,
    UNKNOWN,
    Told,
    cells,
    courses,
    state_of,
    sun,
    sunset_and_sunrise,
)  # fmt: skip

NAN = np.nan
KISARAN = 2.98, 99.63


@pytest.mark.parametrize(
    ("power", "dimming", "nominal", "state"),
    [
        (80.0, 100.0, 85.0, LIT),
        (80.0, NAN, 85.0, LIT),
        (50.0, 70.0, 85.0, DIMMED),
        (25.0, 100.0, 85.0, DARK),  # 29 % of what is asked for
        (26.0, 100.0, 85.0, LIT),
        (0.8, 0.0, 85.0, DARK),  # off, and 0.8 W of standby
        (2.5, 0.0, 85.0, DIMMED),
        (1.9, NAN, NAN, DARK),
        (2.0, NAN, NAN, LIT),
        (NAN, 100.0, 85.0, UNKNOWN),
    ],
)
def test_what_a_lamp_does(power: float, dimming: float, nominal: float, state: int) -> None:
    assert state_of(*(np.array([each]) for each in (power, dimming, nominal)))[0] == state


def told(*rows: tuple[int, int, float]) -> Told:
    lamp, step, power = zip(*rows, strict=True)
    return Told(np.array(lamp), np.array(step), np.array(power), np.full(len(rows), 100.0))


def test_between_reports_a_lamp_is_as_it_was_until_it_is_silent() -> None:
    states = courses(told((0, 1, 80.0), (0, 4, 0.0), (1, 0, 80.0)), np.array([80.0, 80.0, 80.0]), 15, HOLD_NIGHT_S)
    assert states[0].tolist() == [UNKNOWN, LIT, LIT, LIT, *[DARK] * 9, UNKNOWN, UNKNOWN]
    assert states[1].tolist() == [LIT] * 9 + [UNKNOWN] * 6
    assert states[2].tolist() == [UNKNOWN] * 15


def test_a_value_that_is_none_says_nothing() -> None:
    states = courses(told((0, 0, 80.0), (0, 1, NAN)), np.array([80.0]), 3, HOLD_NIGHT_S)
    assert states[0].tolist() == [LIT, LIT, LIT]


def test_shares_of_groups_and_what_is_dark_together() -> None:
    ends = np.array([[LIT], [DIMMED], [DARK], [UNKNOWN], *[[DARK]] * 4, [LIT], [LIT], [DARK]], dtype=np.uint8)
    group = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2])
    found = cells(np.repeat(ends, 2, axis=1), group, 3)
    assert found.lit[:, 0].tolist() == [0.5, 2 / 6, 0.0]
    assert (found.dimmed[0, 0], found.no_data[0, 0]) == (0.25, 0.25)
    # One of three; four of six, but not five; all of one.
    assert found.out[:, 0].tolist() == [False, False, True]


def test_five_of_eight_that_are_heard_are_dark_together() -> None:
    ends = np.array([[DARK]] * 5 + [[LIT]] * 3 + [[UNKNOWN]] * 20, dtype=np.uint8)
    assert cells(np.repeat(ends, 2, axis=1), np.zeros(28, dtype=np.int64), 1).out.tolist() == [[True]]


def test_a_cell_is_as_its_last_step() -> None:
    states = np.array([[DARK, LIT, LIT, DARK]], dtype=np.uint8)
    assert cells(states, np.array([0]), 1).lit.tolist() == [[1.0, 0.0]]


def test_the_sun_of_kisaran_in_november() -> None:
    since = datetime(2026, 11, 24, 10, tzinfo=UTC).timestamp()  # 17.00 WIB
    sunset, sunrise = sunset_and_sunrise(since, since + 14 * 3600, *KISARAN)
    assert sunset == pytest.approx(datetime(2026, 11, 24, 11, 7, tzinfo=UTC).timestamp(), abs=120)
    assert sunrise == pytest.approx(datetime(2026, 11, 24, 23, 9, tzinfo=UTC).timestamp(), abs=120)
    starts = np.arange(since, since + 4 * 3600, 600.0)
    found = sun(starts, np.array([KISARAN[0], NAN]), np.array([KISARAN[1], NAN]))
    first, surely = (int(np.argmax(each[0])) for each in found)
    assert sunset is not None
    assert starts[first] - 300 < sunset <= starts[first] + 300
    assert (surely - first, found.down[1].any()) == (2, False)


def test_where_the_sun_does_not_set_nobody_says_when() -> None:
    since = datetime(2026, 6, 21, tzinfo=UTC).timestamp()
    assert sunset_and_sunrise(since, since + 86_400, 75.0, 20.0) == (None, None)
