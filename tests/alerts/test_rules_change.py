"""Rules that change under alerts that stand: what goes on, what ends, and what is said of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from alerts.rule import Key, Rule, shipped
from alerts.rules_change import Standing, closings, unfit
from alerts.rules_set import Version, rule_set, tried
from tests.alerts.timeline import Timeline, gauge

AT = datetime(2026, 11, 24, 13, tzinfo=UTC)
(SIAGA,) = (rule for rule in shipped() if rule.id == "siaga")


def siaga(**change: Any) -> Rule:
    return Rule.model_validate({**SIAGA.model_dump(), **change})


@pytest.fixture
def flood() -> Timeline:
    river = Timeline(gauge(), rules=[SIAGA])
    assert river.push("19:00", level_m=3.0) == ["raised 2"]
    return river


class TestStates:
    def test_bounds_delays_and_hysteresis_change_under_a_state(self, flood: Timeline) -> None:
        flood.engine.rules = (siaga(hysteresis=1.5, delay_off_s=0),)
        assert unfit(flood.engine, flood.fleet) == []
        assert flood.push("19:10", level_m=1.5) == [], "held by the new hysteresis"
        assert flood.push("19:20", level_m=0.2) == ["cleared"], "without the old delay"

    @pytest.mark.parametrize(
        "rules",
        [
            (),
            (siaga(level=SIAGA.model_dump()["level"][:2]),),
            (siaga(enabled=False),),
            (siaga(scope={"device": "wl-other"}),),
            (SIAGA, siaga(scope={"device": "wl-silau"}, enabled=False)),
        ],
        ids=["gone", "other levels", "disabled", "elsewhere", "off for this device"],
    )
    def test_a_state_ends_with_its_rule(self, flood: Timeline, rules: tuple[Rule, ...]) -> None:
        flood.engine.rules = rules
        assert unfit(flood.engine, flood.fleet) == [Key("siaga", "wl-silau")]

    def test_what_is_cleared_says_why_and_has_no_value(self) -> None:
        standing = Standing(Key("siaga", "wl-silau"), "water_level", "level_m", 1, 3, 3, False)
        (told,) = closings([standing], AT, lambda key: "rule changed (version 7)")
        assert (told.what, told.from_severity, told.to_severity, told.siaga) == ("cleared", 1, None, 4)
        assert (told.event_at, told.value, told.peak_severity, told.why) == (AT, None, 3, "rule changed (version 7)")


class TestSet:
    def version(self, number: int, rule: Rule, definition: Any = ...) -> Version:
        told = rule.model_dump(mode="json", exclude_none=True) if definition is ... else definition
        return Version(number, rule.variant, told, AT, "budi", "wet season")

    def test_without_changes_it_is_the_shipped_one(self) -> None:
        found = rule_set([])
        assert (found.version, found.rules, found.unusable) == (0, shipped(), ())
        assert {(each.origin, each.version) for each in found.in_force} == {("shipped", 0)}

    def test_a_stored_rule_replaces_the_shipped_one_of_its_id_kind_and_scope(self) -> None:
        found = rule_set([self.version(3, siaga(hysteresis=0.2)), self.version(7, siaga(scope={"river": "Silau"}))])
        assert found.version == 7
        told = [(each.origin, each.version, each.rule.hysteresis) for each in found.in_force if each.rule.id == "siaga"]
        assert told == [("stored", 3, 0.2), ("stored", 7, 0.1)]
        assert len(found.rules) == len(shipped()) + 1

    def test_given_back_it_is_as_shipped_and_its_version_goes_on(self) -> None:
        own = siaga(scope={"river": "Silau"})
        found = rule_set([self.version(4, SIAGA, None), self.version(5, own, None)])
        assert found.rules == shipped()
        assert [(each.origin, each.version) for each in found.in_force if each.rule.id == "siaga"] == [("shipped", 4)]

    @pytest.mark.parametrize("broken", [{"id": "siaga"}, {**SIAGA.model_dump(), "id": "other"}], ids=["wrong", "other"])
    def test_a_stored_rule_that_is_refused_leaves_the_shipped_one_in_force(self, broken: Any) -> None:
        found = rule_set([self.version(3, SIAGA, broken)])
        assert found.rules == shipped()
        assert "siaga (water_level), version 3" in found.unusable[0]

    def test_a_dry_run_compares_the_rules_of_the_candidates_ids(self) -> None:
        new = siaga(hysteresis=0.5)
        assert tried(shipped(), [new]) == ((SIAGA,), (new,))
        assert tried(shipped(), []) == (shipped(), None)
        beside = siaga(scope={"river": "Silau"})
        assert tried(shipped(), [beside]) == ((SIAGA,), (SIAGA, beside))
        assert {rule.id for rule in tried(shipped(), [new], ["stale"]).current} == {"stale"}
