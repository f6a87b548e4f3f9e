"""What late readings make of the past: which alerts are corrected, which are left, which have to wait."""

from __future__ import annotations

from alerts.hindsight import Correction, Episode, Reviewed, Step, Told, review


def episode(opened: float, until: float | None, *severities: int) -> Episode:
    steps = tuple(Step(opened + n, severity, None, None) for n, severity in enumerate(severities or (1,)))
    return Episode(steps, None if until is None else Step(until, steps[-1].severity, None, None))


def told(number: int, *episodes: Episode) -> Told:
    return Told(number, episodes)


NOTHING = Reviewed((), False)


def test_what_was_told_as_it_was_is_left_alone() -> None:
    assert review([told(1, episode(10, 20, 1, 2))], [episode(10, 20, 1, 2)], 12, 13) == NOTHING
    assert review([], [], 12, 13) == NOTHING


def test_an_alert_that_nobody_saw_is_added() -> None:
    true = episode(10, 20)
    assert review([], [true], 12, 13) == Reviewed((Correction((), (true,)),), False)


def test_one_that_would_not_have_been_raised_is_superseded_by_nothing() -> None:
    assert review([told(7, episode(10, 20))], [], 12, 13) == Reviewed((Correction((7,), ()),), False)


def test_other_times_or_levels_supersede() -> None:
    for true in (episode(8, 20), episode(10, 25), episode(10, 20, 1, 2)):
        assert review([told(7, episode(10, 20))], [true], 12, 13).corrections == (Correction((7,), (true,)),)


def test_two_that_were_one_and_one_that_was_two() -> None:
    whole, halves = episode(10, 30), [episode(10, 18), episode(20, 30)]
    two = [told(7, halves[0]), told(8, halves[1])]
    assert review(two, [whole], 19, 19).corrections == (Correction((7, 8), (whole,)),)
    assert review([told(9, whole)], halves, 19, 19).corrections == (Correction((9,), tuple(halves)),)


def test_an_alert_that_came_back_is_corrected_as_a_whole() -> None:
    """One row holds two episodes: it was raised again before anybody had acknowledged it."""
    twice = told(7, episode(10, 20), episode(30, 40))
    true = [episode(10, 20), episode(29, 40)]
    assert review([twice], true, 29, 29).corrections == (Correction((7,), tuple(true)),)


def test_what_is_far_from_the_late_readings_is_none_of_their_business() -> None:
    assert review([told(7, episode(10, 20))], [], 30, 40) == NOTHING


def test_what_still_stands_waits() -> None:
    assert review([told(7, episode(10, None))], [episode(8, None)], 9, 9) == Reviewed((), True)
    assert review([told(7, episode(10, None))], [episode(10, None)], 9, 12) == NOTHING
    assert review([], [episode(8, None)], 9, 9) == Reviewed((), True)


def test_more_than_one_alert_is_open_only_one_after_the_other() -> None:
    apart = [told(7, episode(10, 20)), told(8, episode(50, 60))]
    true = [episode(10, 21), episode(50, 60)]
    assert review(apart, true, 0, 100).corrections == (Correction((7,), (episode(10, 21),)),)
