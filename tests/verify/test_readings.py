"""Readings, sequence numbers, ledger lines and quarantine of one gauge, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from devices.kinds import KINDS
from siaga.verify import gaps, ledger, quarantine, readings
from siaga.verify.sent import Entry, Sent, columns, surely
from siaga.verify.window import Window
from simulator.truth.folder import Outcome, Told
from storage.audit import RECEIVED, Kept, LedgerLine, LedgerTotal, Rows

GAUGE = KINDS["water_level"]
DEVICES = ("gauge",)
SECOND_US = 1_000_000
RUN = Window(0, 7_200 * SECOND_US)


def told(seq: int | None, outcome: Outcome = "stored", level: float | None = 1.0, **more: Any) -> Told:
    """A reading of second `seq`."""
    ts_ms = more.pop("ts_ms", None if seq is None else seq * 1000)
    values = {"level_m": level, "distance_m": None, "rain_mm": None, "temperature_c": None}
    given: dict[str, Any] = {
        "message": seq or 0, "device_id": "gauge", "topic": "", "at_ms": ts_ms, "ts_ms": ts_ms, "seq": seq, "boot": "b",
        "outcome": outcome, "qc": 1, "reason": 0, "faults": "", "values": values,
    }  # fmt: skip
    return Told(**given | more)


def sent(*list_of_told: Told, unsure: frozenset[int] = frozenset()) -> Sent:
    return columns(GAUGE, DEVICES, surely(list_of_told, unsure))


def stored(*list_of_told: Told) -> Rows:
    """Rows as if the database had stored all of these."""
    rows = sent(*list_of_told).rows
    rows.whole[RECEIVED] = rows.whole["message"]
    return rows


def compared(
    truth: Sent, rows: Rows, window: Window = RUN
) -> tuple[list[tuple[str, int | None, str]], readings.Compared]:
    found = readings.compare(GAUGE, DEVICES, truth, rows, window)
    return [(f.what, f.at_us, f.detail) for f in found.findings], found


def test_the_same_rows_are_no_difference() -> None:
    rows = [told(1), told(2, level=None, qc=9), told(3, level=0.1 + 0.2)]
    findings, found = compared(sent(*rows, told(4, "not_sent")), stored(*rows))
    assert (findings, found.found, found.missing, found.extra) == ([], 3, 0, 0)


def test_what_was_sent_must_come_back_to_the_last_bit_what_is_computed_nearly() -> None:
    rain = told(1)._replace(values={"level_m": 3.3, "rain_mm": 0.3})
    off = told(1)._replace(values={"level_m": 3.3 * (1 + 1e-12), "rain_mm": 0.1 + 0.2})
    findings, _ = compared(sent(rain), stored(off))
    assert findings == [("different", SECOND_US, "rain_mm is 0.30000000000000004, the truth has 0.3")]
    assert readings.computed(GAUGE) == {"level_m"}
    assert readings.computed(KINDS["traffic"]) == {"flow_vph"}


def test_missing_and_extra() -> None:
    truth = sent(told(1), told(2), told(3, "not_sent"), told(9_000, "future_timestamp"))
    there = stored(told(2), told(3), told(5), told(8_000), told(9_000))
    findings, found = compared(truth, there)
    assert findings == [
        ("missing", 1 * SECOND_US, "seq 1 of boot b"),
        ("extra", 3 * SECOND_US, "seq 3 of boot b"),  # it was never sent
        ("extra", 5 * SECOND_US, "seq 5 of boot b"),
        ("extra", 9_000 * SECOND_US, "seq 9000 of boot b"),  # beyond the run, but the truth names it
    ]
    assert (found.found, found.missing, found.extra, len(found.foreign)) == (1, 1, 3, 4)


def test_a_message_that_may_be_lost() -> None:
    """Alone it may be missing, but not be changed; with another of its time either may be there."""
    both = (told(1), told(2), told(2, "conflict", level=2.0, message=7))
    truth = sent(*both, unsure=frozenset({1, 2}))
    for there in ((), (told(1), told(2)), (told(2, level=2.0),)):
        assert compared(truth, stored(*there))[0] == []
    assert compared(truth, stored(told(1, level=5.0)))[0] == [
        ("different", SECOND_US, "level_m is 5.0, the truth has 1.0")
    ]


def gap_details(truth: Sent, rows: Rows) -> list[str]:
    return [finding.detail for finding in gaps.compare(GAUGE, DEVICES, truth, rows)]


def test_what_was_never_sent_is_a_gap() -> None:
    truth = sent(told(0, "not_sent"), told(1), told(2, "not_sent"), told(3, "too_old"), told(4), told(5))
    assert gap_details(truth, stored(told(1), told(4), told(5))) == []
    assert gap_details(truth, stored(told(1), told(5))) == [
        "boot b: 3 numbers are missing among the stored, the truth has 2: 2-4"
    ]
    assert gap_details(truth, stored(told(1), told(2), told(4))) == [
        "boot b: 1 numbers are missing among the stored, the truth has 2"
    ]
    assert gap_details(truth, stored(told(1, boot="c"), told(5, boot="c"))) == []  # another run's


def test_a_packet_without_a_number_may_leave_a_gap_too() -> None:
    truth = sent(told(1), told(None, "malformed"), told(3), told(5))
    assert gap_details(truth, stored(told(1), told(3))) == []
    assert gap_details(truth, stored(told(1), told(3), told(5))) == [
        "boot b: 2 numbers are missing among the stored, the truth has 0: 2, 4"
    ]


LINES = [told(1), told(1, "duplicate"), told(2), told(2, "conflict", level=2.0), told(2, "conflict", level=2.0)]


def counted(line: tuple[int, int, int], *there: Told, foreign: int = 0) -> tuple[list[str], ledger.Counted]:
    rows = stored(*there) if there else stored(told(1), told(2))
    strange = np.arange(len(rows) - foreign, len(rows))
    found = ledger.compare(DEVICES, sent(*LINES), rows, strange, [LedgerLine("gauge", 0, *line)], RUN, frozenset())
    return [finding.detail for finding in found.findings], found


def test_ledger_lines() -> None:
    # Two conflicts alike: the second counts as a duplicate of the first. Or the ledger counts both.
    for line, again in (((2, 2, 1), 0), ((2, 1, 2), 0), ((2, 5, 1), 3)):
        findings, found = counted(line)
        assert (findings, found.duplicate, found.conflict, found.again) == ([], 1, 2, again)
    assert counted((1, 2, 1))[0] == ["stored is 1, 2 rows are there, the truth has 2"]
    assert counted((2, 2, 1), told(1))[0] == ["stored is 2, 1 rows are there, the truth has 2"]
    assert counted((3, 2, 1), told(1), told(2), told(3), foreign=1)[0] == []  # the row itself is told elsewhere
    assert counted((2, 2, 0))[0] == ["conflict is 0, the truth has 2"]
    assert counted((2, 2, 3))[0] == ["conflict is 3, the truth has 2"]
    assert counted((2, 1, 1))[0] == ["duplicate is 1, the truth has 2"]


def test_quarantine() -> None:
    bad, old = Entry("gauge", "t", "malformed"), Entry("gauge", "t", "too_old")
    stranger = Entry("?", "u", "unknown_device")
    wanted = {"water_level": {bad: [None] * 3, old: [0, SECOND_US]}, "traffic": {stranger: [None] * 2}}
    kept = [
        Kept("gauge", "malformed", "t", False, 1, 1), Kept("gauge", "malformed", "v", True, 1, 2),
        Kept("gauge", "too_old", "t", False, 2, 5, ["1970-01-01T07:00:00+07:00", "1970-01-01T00:00:01Z"]),
        Kept("?", "unknown_device", "u", False, 2, 2),
    ]  # fmt: skip
    found = quarantine.compare(wanted, kept)
    assert (found.findings, found.quarantined) == ([], {"water_level": 5, "traffic": 2})
    found = quarantine.compare(wanted, kept[1:])
    assert [f.detail for f in found.findings] == ["malformed on 't': 2 are kept, the truth has 3"]
    assert found.quarantined == {"water_level": 4, "traffic": 2}
    # 1 whole, 2 past the cap, 2 that came five times in all.
    assert quarantine.agree(kept, [LedgerTotal("gauge", 9, 0, 5), LedgerTotal("?", 2, 0, 2)]) == []
    (finding,) = quarantine.agree(kept[1:], [LedgerTotal("gauge", 9, 0, 5), LedgerTotal("?", 2, 0, 2)])
    assert finding.detail == "the ledger counts 5 quarantined, 4 are kept"
    # One of two is gone: the one whose time is not there.
    gone = [*kept[:2], Kept("gauge", "too_old", "t", False, 1, 1, ["1970-01-01T00:00:00Z"]), kept[3]]
    (finding,) = quarantine.compare(wanted, gone).findings
    assert (finding.at_us, finding.detail) == (SECOND_US, "too_old on 't': 1 are kept, the truth has 2")
