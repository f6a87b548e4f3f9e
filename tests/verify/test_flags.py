"""Flags of the checks over time: compared like everything else, and excused where arrival was not as sent."""

from __future__ import annotations

import pytest

from devices.kinds import KINDS
from devices.quality import Reason
from siaga.verify import readings
from siaga.verify.sent import columns, surely
from siaga.verify.window import Window
from simulator.truth.folder import Told
from storage.audit import RECEIVED

KIND, DEVICES = KINDS["water_level"], ("gauge", "other")
SPIKE = Reason.SPIKE | Reason.RATE
Flags = list[tuple[int, int]]


def compared(truth: Flags, stored: Flags, arrived: list[int], unsure: frozenset[str] = frozenset()):
    """Differences, and how many flags are excused."""
    found = read(truth, stored, arrived, unsure)
    return [one.detail for one in found.findings], dict(found.excused)


def read(truth: Flags, stored: Flags, arrived: list[int], unsure: frozenset[str] = frozenset()) -> readings.Compared:
    """One reading a second of the gauge and of another; stored as told but for the gauge's flags and arrivals."""

    def told(flags: Flags) -> list[Told]:
        found = []
        for n, (qc, reason) in enumerate(flags):
            found.append(Told(n, "gauge", "", n, n * 1000, n, "b", "stored", qc, reason, "", {"level_m": 1.0}))
            found.append(Told(n, "other", "", n, n * 1000, n, "b", "stored", 1, 0, "", {"level_m": 1.0}))
        return found

    rows = columns(KIND, DEVICES, surely(told(stored), ())).rows
    rows.whole[RECEIVED] = rows.whole["seq"].copy()
    rows.whole[RECEIVED][rows.device == 0] = arrived
    sent = columns(KIND, DEVICES, surely(told(truth), ()))
    return readings.compare(KIND, DEVICES, sent, rows, Window(0, 10_000_000), unsure)


IN_ORDER, OVERTAKEN = [0, 1, 2], [0, 2, 1]
GOOD: Flags = [(1, 0), (1, 0), (1, 0)]


@pytest.mark.parametrize("late", [0, int(Reason.LATE)])
def test_equal_flags_are_no_difference_and_lateness_is_no_flag(late: int) -> None:
    assert compared([(1, 0), (3, SPIKE), (1, 0)], [(1, late), (3, SPIKE | late), (1, late)], IN_ORDER) == ([], {})


def test_another_flag_is_a_difference_where_all_arrived_in_order() -> None:
    stored = [(1, 0), (3, int(SPIKE)), (1, 0)]
    assert compared(GOOD, stored, IN_ORDER) == (["qc is 3, the truth has 1; qc_reason is 6, the truth has 0"], {})


def test_another_reason_is_a_difference_although_the_flag_is_the_same() -> None:
    truth, stored = [(3, int(Reason.FLAT)), *GOOD[1:]], [(3, int(Reason.CROSS_FIELD)), *GOOD[1:]]
    assert compared(truth, stored, IN_ORDER) == (["qc_reason is 16, the truth has 8"], {})


@pytest.mark.parametrize(
    ("arrived", "unsure"), [(OVERTAKEN, frozenset()), (IN_ORDER, frozenset({"gauge"}))], ids=["overtaken", "unsure"]
)
def test_checks_over_time_are_excused_and_counted(arrived: list[int], unsure: frozenset[str]) -> None:
    assert compared(GOOD, [(1, 0), (3, int(SPIKE)), (4, int(Reason.FLAT))], arrived, unsure) == ([], {"gauge": 2})


@pytest.mark.parametrize("reason", [Reason.RANGE, Reason.CROSS_FIELD, Reason.CROSS_FIELD | SPIKE])
def test_what_a_reading_says_of_itself_is_never_excused(reason: Reason) -> None:
    details, excused = compared(GOOD, [(1, 0), (3, int(reason)), (1, 0)], OVERTAKEN)
    assert len(details) == 1
    assert excused == {}


def test_the_disorder_of_one_device_excuses_no_other() -> None:
    assert compared(GOOD, GOOD, OVERTAKEN, frozenset({"other"})) == ([], {})
    assert compared(GOOD, [(3, int(SPIKE)), *GOOD[1:]], IN_ORDER, frozenset({"other"}))[1] == {}


def test_alerts_may_differ_where_something_was_overtaken_or_may_be_lost_whatever_the_flags() -> None:
    assert read(GOOD, GOOD, IN_ORDER).shaken == frozenset()
    assert read(GOOD, GOOD, OVERTAKEN).shaken == {"gauge"}
    assert read(GOOD, GOOD, IN_ORDER, frozenset({"other"})).shaken == {"other"}
