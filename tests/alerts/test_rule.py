"""Rules are data: the shipped file is sound, and a wrong file is refused by naming rule and field."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from alerts.conditions import CONDITIONS
from alerts.rule import BY_WORKER, Condition, Fault, Rule, RuleError, Variant, check, parse, rules_of, shipped
from devices.kinds import KINDS

GOOD = """
[[rule]]
id = "hot"
kind = "streetlight"
condition = "above"
metric = "temperature_c"
hysteresis = 5
delay_off_s = 60
level = [{ severity = 1, bound = 80, samples = 2 }, { severity = 2, bound = 95 }]
"""


def refusal(text: str) -> str:
    with pytest.raises(RuleError) as caught:
        parse(text, "own.toml")
    message = str(caught.value)
    assert message.startswith("own.toml: ")
    return message


class TestShipped:
    def test_watches_all_kinds(self) -> None:
        anywhere = {"stale", "sensor_fault", "gateway_silent"}
        watched = {kind: {rule.id for rule in rules_of(shipped(), kind)} for kind in KINDS}
        assert watched == {
            "water_level": {"siaga", "siaga_2_soon", "fast_rise", "level_missing", *anywhere},
            "streetlight": {
                "voltage_low", "voltage_high", "lamp_out", "unpowered", "day_burner", "low_power", "high_power",
                "low_power_factor", "cycling", "outage", *anywhere,
            },
            "traffic": {"congestion", "stopped", "loop_fault", *anywhere},
            "cabinet": {
                "voltage_low", "voltage_high", "cabinet_no_mains", "cabinet_door", "power_shift", "energy_shift",
                "energy_balance", *anywhere,
            },
        }  # fmt: skip

    def test_the_siaga_ladder_is_that_of_the_design(self) -> None:
        (ladder,) = [rule for rule in shipped() if rule.id == "siaga"]
        assert [(lv.siaga, lv.severity, lv.bound_from, lv.samples, lv.delay_on_s) for lv in ladder.level] == [
            (3, 1, "siaga_3_m", 2, 0),
            (2, 2, "siaga_2_m", 1, 0),
            (1, 3, "siaga_1_m", 1, 0),
        ]
        assert (ladder.hysteresis, ladder.delay_off_s) == (0.10, 1800)

    def test_every_condition_exists(self) -> None:
        assert {rule.condition for rule in shipped()} <= CONDITIONS.keys() | BY_WORKER


class TestGood:
    def test_a_rule_of_ones_own(self) -> None:
        (rule,) = parse(GOOD, "own.toml")
        assert (rule.id, rule.kind, rule.metric, len(rule.level)) == ("hot", "streetlight", "temperature_c", 2)
        assert [level.bound for level in rule.level] == [80, 95]

    def test_an_empty_file_has_no_rules(self) -> None:
        assert parse("", "own.toml") == ()
        assert parse("# nothing yet\n", "own.toml") == ()

    def test_a_kinds_rule_goes_before_the_general_one(self) -> None:
        stale = '[[rule]]\nid = "{}"\nkind = "{}"\ncondition = "stale"\nlevel = [{{severity = 0}}]\n'
        texts = [("stale", "*"), ("stale", "traffic"), ("gone", "*")]
        rules = parse("".join(stale.format(*text) for text in texts), "own.toml")
        assert [(r.id, r.kind) for r in rules_of(rules, "traffic")] == [("stale", "traffic"), ("gone", "*")]
        assert [(r.id, r.kind) for r in rules_of(rules, "water_level")] == [("stale", "*"), ("gone", "*")]


def changed(before: str, after: str) -> str:
    assert before in GOOD
    return GOOD.replace(before, after)


class TestRefused:
    @pytest.mark.parametrize(
        ("before", "after", "told"),
        [
            ('id = "hot"', "", ["rule 1", "id"]),
            ('id = "hot"', 'id = "Hot!"', ["'Hot!'", "id"]),
            ('kind = "streetlight"', 'kind = "lamp"', ["'hot'", "'lamp'", "streetlight, traffic, water_level"]),
            ('kind = "streetlight"', "", ["'hot'", "kind"]),
            ('condition = "above"', 'condition = "over"', ["'hot'", "condition", "'above'"]),
            ('metric = "temperature_c"', 'metric = "heat"', ["'hot'", "'heat'", "temperature_c"]),
            ('metric = "temperature_c"', "", ["'hot'", "metric"]),
            ("hysteresis = 5", "hysteresis = -5", ["'hot'", "hysteresis", "0"]),
            ("hysteresis = 5", 'hysteresis = "big"', ["'hot'", "hysteresis"]),
            ("hysteresis = 5", "hysteresis = nan", ["'hot'", "hysteresis", "finite"]),
            ("hysteresis = 5", "hysterisis = 5", ["'hot'", "hysterisis"]),
            ("delay_off_s = 60", "delay_off_s = 604801", ["'hot'", "delay_off_s", "604800"]),
            ("samples = 2", "samples = 0", ["'hot'", "level.0.samples", "1"]),
            ("samples = 2", "delay_on_s = 86401", ["'hot'", "level.0.delay_on_s", "86400"]),
            ("severity = 2", "severity = 4", ["'hot'", "level.1.severity", "3"]),
            ("severity = 2", "severity = 1", ["'hot'", "level", "severities must rise"]),
            ("severity = 2", "severity = 0", ["'hot'", "level", "severities must rise"]),
            ("severity = 2", "severity = 2, siaga = 5", ["'hot'", "level.1.siaga", "4"]),
            (", bound = 95", "", ["'hot'", "level", "either bound or bound_from"]),
            (", bound = 95", ', bound = 95, bound_from = "nominal_w"', ["'hot'", "either bound or bound_from"]),
            (", bound = 95", ', bound_from = "siaga_1_m"', ["'hot'", "'siaga_1_m'", "streetlight"]),
            ("bound = 95", "bound = inf", ["'hot'", "level.1.bound", "finite"]),
            ("bound = 95", "bound = 80", ["'hot'", "level", "rise"]),
            ("bound = 95", "bound = 70", ["'hot'", "level", "rise"]),
        ],
    )  # fmt: skip
    def test_a_wrong_field_is_named_with_its_rule(self, before: str, after: str, told: list[str]) -> None:
        message = refusal(changed(before, after))
        for words in told:
            assert words in message

    def test_falling_conditions_want_falling_bounds(self) -> None:
        assert "fall" in refusal(changed('"above"', '"below"'))

    def test_more_than_three_levels(self) -> None:
        levels = ", ".join(f"{{ severity = {n}, bound = {n} }}" for n in range(4))
        text = f'[[rule]]\nid = "x"\nkind = "traffic"\ncondition = "above"\nmetric = "count"\nlevel = [{levels}]'
        assert "level" in refusal(text)
        assert "level" in refusal(text.split("level")[0] + "level = []")

    @pytest.mark.parametrize(
        ("condition", "kind", "told"),
        [
            ("lamp_out", "water_level", "power_w"),
            ("congestion", "streetlight", "speed_kmh"),
            ("congestion", "*", "speed_kmh"),
            ("lamp_out", "*", "power_w"),
            ("unpowered", "traffic", "voltage_v"),
        ],
    )
    def test_a_condition_on_a_kind_without_its_metrics(self, condition: str, kind: str, told: str) -> None:
        """Found by ingest it would be a KeyError in the middle of a batch."""
        text = f'[[rule]]\nid = "x"\nkind = "{kind}"\ncondition = "{condition}"\nlevel = [{{severity = 0, bound = 1}}]'
        message = refusal(text)
        assert "'x'" in message
        assert told in message

    def test_a_metric_for_all_kinds(self) -> None:
        assert "'hot'" in refusal(changed('kind = "streetlight"', 'kind = "*"'))

    def test_congestion_without_a_bound_would_never_raise(self) -> None:
        text = '[[rule]]\nid = "x"\nkind = "traffic"\ncondition = "congestion"\nlevel = [{severity = 0}]'
        assert "bound" in refusal(text)

    def test_unpowered_without_a_bound_would_never_raise(self) -> None:
        text = '[[rule]]\nid = "x"\nkind = "streetlight"\ncondition = "unpowered"\nlevel = [{severity = 0}]'
        assert "bound" in refusal(text)

    @pytest.mark.parametrize(
        ("condition", "kind"), [("stale", "*"), ("lamp_out", "streetlight"), ("unpowered", "streetlight")]
    )
    def test_conditions_that_know_one_rung_take_one_level(self, condition: str, kind: str) -> None:
        levels = "{severity = 0, bound = 50}, {severity = 1, bound = 20}"
        message = refusal(f'[[rule]]\nid = "x"\nkind = "{kind}"\ncondition = "{condition}"\nlevel = [{levels}]')
        assert "'x'" in message
        assert "level" in message

    def test_the_same_rule_twice_for_a_kind(self) -> None:
        message = refusal(GOOD + GOOD)
        assert "'hot'" in message
        assert "twice" in message

    @pytest.mark.parametrize("text", ["[[rule]", "rule = [", "id == 1", "\x00"])
    def test_no_toml(self, text: str) -> None:
        refusal(text)

    @pytest.mark.parametrize(
        "text", ['[[rules]]\nid = "hot"', "rule = 5", "[rule]\nid = 1", "rule = [1]", "note = 1", 'rule = "x"']
    )
    def test_a_file_that_would_be_read_as_having_no_rules(self, text: str) -> None:
        assert "[[rule]]" in refusal(text)


class TestScope:
    def with_scope(self, scope: str, kind: str = "streetlight") -> str:
        return changed('kind = "streetlight"', f'kind = "{kind}"\nscope = {scope}')

    @pytest.mark.parametrize("by", ["device", "district", "panel", "feeder"])
    def test_a_rule_is_narrowed_by_what_its_kind_is_grouped_by(self, by: str) -> None:
        (rule,) = parse(self.with_scope(f'{{ {by} = "P 7/2" }}'), "own.toml")
        assert rule.variant == Variant("hot", "streetlight", f"{by}=P 7/2")

    def test_the_same_rule_for_two_panels(self) -> None:
        text = self.with_scope('{ panel = "P1" }') + self.with_scope('{ panel = "P2" }') + GOOD
        assert len(parse(text, "own.toml")) == 3
        assert "twice" in refusal(text + self.with_scope('{ panel = "P1" }'))

    @pytest.mark.parametrize(
        ("scope", "told"),
        [
            ('{ river = "Silau" }', ["scope.river", "device, district, panel, feeder"]),
            ('{ panel = "P1", feeder = "F" }', ["scope", "1 item"]),
            ('{ panel = "" }', ["scope.panel"]),
            ('{ panel = "a\\u0000" }', ["scope.panel"]),
            ("{ panel = 7 }", ["scope.panel", "string"]),
        ],
    )
    def test_another_scope_is_refused(self, scope: str, told: list[str]) -> None:
        message = refusal(self.with_scope(scope))
        for words in told:
            assert words in message

    def test_a_rule_for_all_kinds_is_narrowed_by_device_and_district_only(self) -> None:
        stale = '[[rule]]\nid = "stale"\nkind = "*"\ncondition = "stale"\nscope = {}\nlevel = [{{severity = 0}}]\n'
        assert parse(stale.format('{ district = "12.09.19" }'), "own.toml")
        assert "device, district" in refusal(stale.format('{ panel = "P1" }'))


def test_everything_wrong_is_told_at_once() -> None:
    text = changed("samples = 2", "samples = 0").replace("hysteresis = 5", "hysteresis = -5")
    other = (
        GOOD.replace('"hot"', '"hotter"').replace('"temperature_c"', '"heat"').replace("severity = 2", "severity = 1")
    )
    lines = refusal(text + other).splitlines()
    assert [line.split(": ")[1:3] for line in lines] == [
        ["rule 'hot'", "level.0.samples"],
        ["rule 'hot'", "hysteresis"],
        ["rule 'hotter'", "metric"],
        ["rule 'hotter'", "level"],
    ]


def test_a_definition_is_a_rule_or_what_is_wrong_with_it() -> None:
    (good,) = parse(GOOD, "own.toml")
    assert check(good.model_dump(mode="json", exclude_none=True)) == good
    found = check({**good.model_dump(), "level": [{"severity": 1}, {"severity": 2, "bound": 3.0}]})
    assert found == [Fault("level.0", "needs either bound or bound_from")]
    assert not isinstance(check({}), Rule)


def test_a_disabled_rule_watches_nothing() -> None:
    rules = parse(GOOD + changed('"hot"', '"hotter"\nenabled = false'), "own.toml")
    assert [rule.id for rule in rules_of(rules, "streetlight")] == ["hot"]


def test_every_shipped_rule_is_in_force() -> None:
    assert all(rule.enabled for rule in shipped())


def test_every_condition_is_judged_somewhere() -> None:
    assert CONDITIONS.keys() | BY_WORKER == set(get_args(Condition))
    assert not CONDITIONS.keys() & BY_WORKER


TOGETHER = {
    "id": "outage", "kind": "streetlight", "condition": "together", "of": ["unpowered"], "by": ["panel"], "share": 0.6,
    "level": [{"severity": 2}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"of": []}, "of"),
        ({"by": []}, "by"),
        ({"share": 0}, "share"),
        ({"by": ["river"]}, "by"),
        ({"kind": "*", "by": ["panel"]}, "by"),
        ({"scope": {"panel": "P-01"}}, "scope"),
        ({"level": [{"severity": 1}, {"severity": 2}]}, "level"),
        ({"condition": "time_to", "kind": "water_level", "level": [{"severity": 1, "bound": 7200}]}, "to_siaga"),
        ({"condition": "rising", "level": [{"severity": 1, "bound": 0.5}]}, "condition"),
    ],
)
def test_what_the_worker_judges_is_checked_as_well(changes: dict[str, Any], field: str) -> None:
    assert isinstance(check(TOGETHER), Rule)
    found = check(TOGETHER | changes)
    assert isinstance(found, list)
    assert field in [fault.field for fault in found]


def test_devices_of_any_kind_are_taken_together_by_their_gateway() -> None:
    assert isinstance(check(TOGETHER | {"kind": "*", "of": ["stale"], "by": ["gateway"]}), Rule)
