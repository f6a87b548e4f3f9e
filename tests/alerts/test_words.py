"""Headlines: place first, then event, in both languages; and the stateless ladder that gives their digit."""

from __future__ import annotations

import string

import pytest

from alerts.ladder import has_ladder, siaga
from alerts.rule import shipped
from alerts.words import EVENTS, title
from devices.kind import Label
from devices.kinds import KINDS


@pytest.mark.parametrize(
    ("digit", "eased", "indonesian", "english"),
    [
        (3, False, "Silau naik ke Siaga 3", "Silau rose to Siaga 3"),
        (1, False, "Silau naik ke Siaga 1", "Silau rose to Siaga 1"),
        (2, True, "Silau turun ke Siaga 2", "Silau fell to Siaga 2"),
        (4, True, "Silau kembali ke Siaga 4", "Silau is back at Siaga 4"),
        (4, False, "Silau kembali ke Siaga 4", "Silau is back at Siaga 4"),
    ],
)
def test_the_ladder_says_where_to_and_which_way(digit: int, eased: bool, indonesian: str, english: str) -> None:
    assert title("siaga", "Silau", digit, eased) == Label(indonesian, english)


@pytest.mark.parametrize("rule", sorted({rule.id for rule in shipped()} - {"siaga"}))
def test_every_shipped_rule_has_words_that_begin_with_the_place(rule: str) -> None:
    assert rule in EVENTS
    found = title(rule, "Lampu 12", None)
    assert found.id.startswith("Lampu 12")
    assert found.en.startswith("Lampu 12")
    assert found.id != found.en
    assert rule not in found.id


def test_a_rule_of_ones_own_goes_by_its_id() -> None:
    assert title("flat_line", "Silau", None) == Label("Silau: flat_line", "Silau: flat_line")


@pytest.mark.parametrize("name", ["{siaga}", "{0}", "a {b} c", "{", "}"])
def test_a_name_is_never_read_as_a_pattern(name: str) -> None:
    assert title("lamp_out", name, None).id == f"{name}: lampu padam"
    assert title("siaga", name, 3).en == f"{name} rose to Siaga 3"


def test_patterns_use_only_what_is_given() -> None:
    fields = {
        f for label in EVENTS.values() for text in (label.id, label.en) for _, f, *_ in string.Formatter().parse(text)
    }
    assert fields <= {"name", "siaga", "rule", None}


# Published and read off Jakarta's labels, m: Siaga 3, 2, 1.
JAKARTA = {
    "Katulampa": (0.80, 1.50, 2.00),
    "Depok": (2.00, 2.70, 3.50),
    "Manggarai": (7.50, 8.50, 9.50),
    "Karet": (4.50, 5.50, 6.00),
    "Krukut Hulu": (1.50, 2.50, 3.00),
    "Pesanggrahan": (1.50, 2.50, 3.50),
    "Angke Hulu": (1.50, 2.50, 3.00),
    "Sunter Hulu": (1.40, 2.00, 2.50),
    "Pasar Ikan": (1.70, 2.00, 2.50),
}


def bounds(three: float | None, two: float | None, one: float | None) -> dict[str, float | None]:
    return {"siaga_3_m": three, "siaga_2_m": two, "siaga_1_m": one, "river": "Ciliwung"}  # type: ignore[dict-item]


@pytest.mark.parametrize("post", JAKARTA)
def test_jakartas_bounds_are_inclusive(post: str) -> None:
    three, two, one = JAKARTA[post]
    levels = [three - 0.01, three, two - 0.01, two, one - 0.01, one, one + 5]
    assert [siaga(level, bounds(three, two, one)) for level in levels] == [4, 3, 3, 2, 2, 1, 1]


def test_the_first_of_january_2020_at_manggarai() -> None:
    told = [siaga(level, bounds(*JAKARTA["Manggarai"])) for level in (6.59, 7.96, 8.70, 9.69)]
    assert told == [4, 3, 2, 1]


def test_bounds_may_lie_below_the_datum() -> None:
    pluit = bounds(-0.50, 0.00, None)
    assert [siaga(level, pluit) for level in (-2.09, -0.5, -0.01, 0.0, 3.0)] == [4, 3, 3, 2, 2]


def test_a_bound_that_is_not_known_is_skipped() -> None:
    assert [siaga(level, bounds(2.0, None, 3.6)) for level in (1.9, 3.5, 3.6)] == [4, 3, 1]


@pytest.mark.parametrize("level", [None, float("nan")])
def test_without_a_level_there_is_no_digit(level: float | None) -> None:
    assert siaga(level, bounds(2.0, 2.8, 3.6)) is None


def test_without_bounds_there_is_no_digit() -> None:
    assert siaga(3.0, {}) is None
    assert siaga(3.0, bounds(None, None, None)) is None


def test_only_gauges_have_a_ladder() -> None:
    assert [name for name, kind in sorted(KINDS.items()) if has_ladder(kind)] == ["water_level"]
