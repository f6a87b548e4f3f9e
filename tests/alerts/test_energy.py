"""What a panel's meter tells against the nights before, and what a night's energy tells. Times are minutes or hours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from alerts.energy import (
    DAY_S,
    Course,
    Night,
    Used,
    energy_balance,
    energy_shift,
    last_nights,
    of_night,
    power_shift,
)
from alerts.follow import follow
from alerts.rule import Key, Rule, shipped
from alerts.state import State
from devices.kind import Floats

KISARAN = 2.98, 99.63
NOON = datetime(2026, 11, 24, 5, tzinfo=UTC).timestamp()
POWER, SHIFT, BALANCE = (
    next(rule for rule in shipped() if rule.condition == name)
    for name in ("power_shift", "energy_shift", "energy_balance")
)
NIGHT = Night(NOON + 6 * 3600, NOON + 18 * 3600)
MINUTES = np.arange(0, 600, 5.0)  # switched on after an hour


def course(power_w: Floats | float = 4_000.0, day: int = 0, on_after: float = 60, known: slice = slice(None)) -> Course:
    """A panel that is switched on so many minutes after noon, `day` days later."""
    contactor = (on_after <= MINUTES) * 1.0
    t = NOON + 60 * MINUTES + day * DAY_S
    return Course(t[known], (np.zeros(len(t)) + power_w * contactor)[known], contactor[known])


def steps(tonight: Course, nights: Sequence[Course], rule: Rule = POWER) -> list[tuple[str, float]]:
    """What becomes of the alert, in minutes after noon."""
    found = follow(rule, Key(rule.id, "p"), "cabinet", State.rest(rule), power_shift(rule, tonight, nights, 0))
    return [(each.what, (each.event_at.timestamp() - NOON) / 60) for each in found.transitions]


WEEK = [course(day=-back) for back in range(1, 8)]


class TestPowerShift:
    def test_a_tap_is_told_after_seven_minutes_and_over_half_an_hour_after_it_is_gone(self) -> None:
        tapped = np.where((MINUTES >= 200) & (MINUTES < 300), 4_900.0, 4_000.0)
        assert steps(course(tapped), WEEK) == [("raised", 210), ("cleared", 330)]

    def test_lamps_that_are_out_are_told_likewise(self) -> None:
        assert steps(course(np.where(MINUTES >= 200, 3_700.0, 4_000.0)), WEEK) == [("raised", 210)]

    @pytest.mark.parametrize(("usual", "power", "told"), [(4_000, 4_190, False), (4_000, 4_210, True),
                                                          (40_000, 40_700, False), (40_000, 40_900, True)])  # fmt: skip
    def test_less_than_200_w_or_2_percent_is_nothing(self, usual: float, power: float, told: bool) -> None:
        week = [course(float(usual), day=-back) for back in range(1, 8)]
        assert bool(steps(course(np.where(MINUTES >= 200, power, usual)), week)) == told

    def test_dusk_may_come_earlier_than_on_other_nights(self) -> None:
        for on_after in (30, 45, 75, 90):
            assert steps(course(on_after=on_after), WEEK) == []

    def test_a_panel_that_is_never_switched_on_says_nothing_of_what_it_would_draw(self) -> None:
        assert steps(course(on_after=1_000), WEEK) == []

    def test_fewer_than_three_nights_tell_nothing_and_one_with_holes_is_none(self) -> None:
        tapped = course(np.where(MINUTES >= 200, 4_900.0, 4_000.0))
        assert steps(tapped, WEEK[:2]) == []
        holes = course(day=-3, known=slice(None, None, 2))
        assert steps(tapped, [*WEEK[:2], holes]) == []
        assert steps(tapped, [*WEEK[:2], holes, course(day=-4)]) == [("raised", 210)]

    def test_one_night_that_was_tapped_is_no_reference(self) -> None:
        assert steps(course(), [course(5_000.0, day=-1), *WEEK[1:]]) == []

    def test_without_a_contactor_the_power_says_whether_it_is_on(self) -> None:
        mute = [each._replace(contactor=np.full(len(each.t), np.nan)) for each in WEEK]
        tapped = course(np.where(MINUTES >= 200, 4_900.0, 4_000.0), on_after=80)
        assert steps(tapped._replace(contactor=np.full(len(tapped.t), np.nan)), mute) == [("raised", 210)]


class TestNights:
    def test_the_last_night_is_over_when_lamps_have_reported(self) -> None:
        newest, *before = last_nights(NOON, *KISARAN)
        assert (newest.sunset - NOON + DAY_S) / 3600 == pytest.approx(6.2, abs=0.15)
        assert (newest.sunrise - NOON) / 3600 == pytest.approx(-5.8, abs=0.15)
        assert len(before) == 7
        assert last_nights(newest.until, *KISARAN)[0] == newest
        assert last_nights(newest.until - 1, *KISARAN)[0] == before[0]

    def test_where_the_sun_does_not_set_there_is_none(self) -> None:
        assert last_nights(datetime(2026, 6, 21, tzinfo=UTC).timestamp(), 78.2, 15.6) == []

    def test_a_night_counts_when_it_was_heard_from_end_to_end(self) -> None:
        assert of_night(NIGHT, Used(NIGHT.sunset, NIGHT.sunrise, 70)) == 70
        assert of_night(NIGHT, Used(NIGHT.sunset + 300, NIGHT.sunrise, 70)) is None
        assert of_night(NIGHT, Used(NIGHT.sunset, NIGHT.sunrise - 300, 70)) is None
        assert of_night(NIGHT, None) is None


class TestEnergy:
    @pytest.mark.parametrize(("used", "up", "hold"), [(114, 0, 1), (116, 1, 1), (84, 1, 1), (86, 0, 1), (112, 0, 0)])
    def test_a_night_differs_by_15_percent_of_the_median(self, used: float, up: int, hold: int) -> None:
        found = energy_shift(SHIFT, NIGHT, 1_000.0 * used, [100_000, None, 99_000, 500_000, 100_000])
        assert found == (NIGHT.until, up, hold, 1_000.0 * used)

    def test_fewer_than_three_nights_before_tell_nothing(self) -> None:
        assert energy_shift(SHIFT, NIGHT, 9e5, [1e5, None, 1e5]) is None
        assert energy_shift(SHIFT, NIGHT, None, [1e5] * 7) is None

    @pytest.mark.parametrize(("cabinet", "up", "hold"), [(1_060, 0, 0), (1_100, 0, 1), (1_120, 1, 1)])
    def test_lamps_use_nine_tenths_of_what_goes_through_the_panel(self, cabinet: float, up: int, hold: int) -> None:
        found = energy_balance(BALANCE, NIGHT, cabinet, [100.0] * 10)
        assert found is not None
        assert (found.up, found.hold) == (up, hold)

    def test_a_lamp_that_was_not_heard_counts_as_the_others_and_a_third_of_them_is_too_much(self) -> None:
        assert energy_balance(BALANCE, NIGHT, 1_000.0, [100.0] * 7 + [None] * 3) == (NIGHT.until, 0, 0, 1.0)
        assert energy_balance(BALANCE, NIGHT, 1_000.0, [100.0] * 6 + [None] * 4) is None
        assert energy_balance(BALANCE, NIGHT, 1_000.0, []) is None
