"""Ranges of missing numbers as the API tells them, against what was sent and what is stored."""

from __future__ import annotations

from siaga.verify.unnamed import Numbers, compare, numbers
from simulator.truth.folder import Told
from tests.verify.test_readings import DEVICES, sent, stored, told

# Boot b: 2 was never sent, 3 is gone, 5 is in quarantine; 8 came last, and 9 may still come. Boot c follows it.
TRUTH = sent(
    told(1), told(2, "not_sent"), told(3), told(4), told(5, "too_old"), told(8), told(9),
    *(told(seq, ts_ms=20_000 + seq, boot="c") for seq in range(4)),
)  # fmt: skip


def after_another(seq: int) -> Told:
    return told(seq, ts_ms=20_000 + seq, boot="c")


def of_the_gauge() -> Numbers:
    return numbers(DEVICES, TRUTH, stored(told(1), told(4), told(8), after_another(2), after_another(3)))["gauge"]


def details(*ranges: tuple[str, int, int]) -> list[tuple[str, str]]:
    named = [{"boot": boot, "first": first, "last": last} for boot, first, last in ranges]
    return [(found.what, found.detail) for found in compare("gauge", of_the_gauge(), named)]


def test_what_is_not_stored_must_be_named() -> None:
    assert details(("b", 2, 3), ("b", 6, 7), ("c", 0, 1)) == []
    assert details(("b", 3, 3), ("b", 6, 7)) == [
        ("missing", "boot b: not named, not stored: 2"),
        ("missing", "boot c: not named, not stored: 0-1"),
    ]


def test_what_is_named_must_not_be_stored() -> None:
    assert details(("b", 0, 4), ("c", 0, 1)) == [("extra", "boot b: named, and stored: 1, 4")]


def test_the_first_boot_may_have_begun_before() -> None:
    alone = numbers(DEVICES, TRUTH, stored(told(3), told(4)))["gauge"]
    assert list(compare("gauge", alone, [])) == []
    assert alone.whole
    assert not of_the_gauge().whole
