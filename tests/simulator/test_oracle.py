"""The oracle: the rules that it has written down a second time, and alerts computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from alerts.rule import BY_WORKER, Rule, rules_of, shipped
from alerts.silence import silent_after_s
from devices.device import Device
from devices.kinds import KINDS
from simulator.truth import lives
from simulator.truth import rules as told
from simulator.truth.course import Verdicts
from simulator.truth.folder import Expected, Step
from simulator.truth.lives import EntangledError
from simulator.truth.oracle import NEEDED, Series, expected_alerts
from tests.alerts.timeline import EVENING, detector, gauge, lamp
from tests.simulator.foretold import Sent, epoch_ms, expected_of, series_of

# 19:00 WIB of a night that lasts until 06:09.
START_MS = epoch_ms(EVENING)
MIN = 60_000


# -- the rules, written down twice -----------------------------------------------------------------------------------


def rule_of(name: str, kind: str) -> Rule:
    return next(rule for rule in rules_of(shipped(), kind) if rule.id == name)


def test_the_oracle_knows_every_shipped_rule() -> None:
    known = {(rule.name, rule.kind) for rule in told.RULES} | {("stale", kind) for kind in KINDS}
    by_reading = [rule for rule in shipped() if rule.condition not in BY_WORKER]
    assert known == {(rule.id, kind) for kind in KINDS for rule in rules_of(tuple(by_reading), kind)}
    assert NEEDED.keys() == told.SILENT_S.keys() == told.SILENT_SEVERITY.keys() == KINDS.keys()


@pytest.mark.parametrize("own", told.RULES, ids=lambda rule: f"{rule.name}-{rule.kind}")
def test_a_rule_is_the_shipped_one(own: told.ExpectedRule) -> None:
    rule = rule_of(own.name, own.kind)
    theirs = [
        (level.severity, level.bound_from or level.bound, level.samples, level.delay_on_s) for level in rule.level
    ]
    assert [(rung.severity, rung.bound, rung.samples, rung.delay_on_s) for rung in own.rungs] == theirs
    assert (own.hysteresis, own.delay_off_s) == (rule.hysteresis, rule.delay_off_s)


def test_so_are_the_other_numbers() -> None:
    lamp_rules = {rule.id: rule for rule in rules_of(shipped(), "streetlight")}
    out, low, factor = (lamp_rules[name] for name in ("lamp_out", "low_power", "low_power_factor"))
    by_sun = ("lamp_out", "unpowered", "day_burner", "low_power", "high_power")
    assert {lamp_rules["voltage_low"].ignore_below, out.ignore_below, low.ignore_below} == {told.MAINS_V}
    assert {lamp_rules[name].guard_s for name in by_sun} == {told.GUARD_S}
    assert (out.share, out.least_w, low.share) == (told.DARK_SHARE, told.DARK_W, told.DARK_SHARE)
    assert (factor.least_w, factor.least_dimming_pct) == (told.FACTOR_W, told.FACTOR_DIMMING_PCT)
    stopped = rule_of("stopped", "traffic")
    assert rule_of("congestion", "traffic").occupancy_pct == told.OCCUPIED_PCT
    assert (stopped.occupancy_pct, stopped.full_pct) == (told.STANDING_PCT, told.FULL_PCT)
    assert rule_of("loop_fault", "traffic").guard_s == told.BLIND_GUARD_S
    for kind in KINDS:
        rule = rule_of("stale", kind)
        assert silent_after_s(rule, kind) == told.SILENT_S[kind]
        assert [level.severity for level in rule.level] == [told.SILENT_SEVERITY[kind]]
    assert {rule.condition for rule in shipped() if rule.enabled} - BY_WORKER == {
        "above", "below", "lamp_out", "unpowered", "congestion", "stale", "day_burner", "low_power", "high_power",
        "low_power_factor", "cycling", "stopped", "no_flow", "missing", "untrusted",
    }, "a new condition needs a verdict of the oracle"  # fmt: skip


# -- each rule by hand -----------------------------------------------------------------------------------------------


def alert(rule: str, device: Device, *steps: tuple[float, int], cleared: float | None = None, **more: Any) -> Expected:
    """Times are minutes after 19:00."""
    at = tuple(Step(START_MS + round(minute * MIN), severity) for minute, severity in steps)
    cleared_ms = None if cleared is None else START_MS + round(cleared * MIN)
    return Expected(rule, device.id, more.get("must", True), at, cleared_ms, more.get("tolerance_s", 0.0))


def every(minutes: float, name: str, *values: float | None, **also: float) -> list[Sent]:
    return [Sent(round(i * minutes * MIN), {name: value, **also}) for i, value in enumerate(values)]


def test_a_flood_climbs_the_ladder_and_comes_down_it() -> None:
    """Bounds 2.0, 2.8 and 3.6 m. Two readings for Siaga 3; 30 min of less than 10 cm below the bound down."""
    levels = [
        1.9,
        2.0,
        1.9,
        2.1,
        2.2,
        2.9,
        3.7,
        3.55,
        3.45,
        3.4,
        3.3,
        3.2,
        2.75,
        2.0,
        2.0,
        2.0,
        1.9,
        1.8,
        1.8,
        1.8,
        1.8,
    ]
    assert expected_of(gauge(), every(10, "level_m", *levels)) == [
        alert("siaga", gauge(), (40, 1), (50, 2), (60, 3), (110, 2), (160, 1), cleared=200)
    ]


def test_two_rungs_at_once_and_a_flood_that_stands_at_the_end() -> None:
    assert expected_of(gauge(), every(10, "level_m", 1.0, 3.7, 3.7)) == [alert("siaga", gauge(), (10, 3))]


def test_readings_without_a_level_or_without_trust_decide_nothing() -> None:
    levels = [3.0, None, 25.0, 1.0, None, 25.0, 1.0]  # 25 m is out of range
    assert expected_of(gauge(), every(10, "level_m", *levels)) == [alert("siaga", gauge(), (0, 2), cleared=60)]


def test_a_bound_that_a_gauge_lacks_is_passed_over() -> None:
    device = gauge(siaga_3_m=None, siaga_2_m=None)
    assert expected_of(device, every(10, "level_m", 3.5, 3.6)) == [alert("siaga", device, (10, 3))]
    assert expected_of(gauge(siaga_3_m=None, siaga_2_m=None, siaga_1_m=None), every(10, "level_m", 9.0, 9.0)) == []


def test_low_voltage() -> None:
    sent = every(5, "voltage_v", 190, 190, 190, 179, 179, 20, 199, 200, 200, 200)
    assert [each for each in expected_of(lamp(), sent) if each.rule != "unpowered"] == [
        # Severe until it has been at least 182 V for 10 min; 20 V are no low voltage and end nothing.
        alert("voltage_low", lamp(), (10, 1), (20, 2), (40, 1), cleared=45)
    ]


def test_high_voltage() -> None:
    sent = every(5, "voltage_v", 231, 235, 250, 250, 240, 240, 240, 228, 228, 228)
    # Severe until it has been below 248 V for 10 min, which 240 V are from 20 to 30 min.
    assert expected_of(lamp(), sent) == [alert("voltage_high", lamp(), (10, 1), (15, 2), (30, 1), cleared=45)]


def test_a_lamp_that_is_out_until_it_is_lit() -> None:
    sent = every(15, "power_w", 29.9, 29.9, 90, 0.0, 90, voltage_v=220, dimming_pct=100)
    assert expected_of(lamp(), sent) == [alert("lamp_out", lamp(), (15, 0), cleared=30)]


@pytest.mark.parametrize(
    ("values", "dark"),
    [
        # Asked for at 70 %: 100 * (0.85 * 0.7 + 0.15 * 0.49) = 66.85 W, 30 % of it 20.06 W; at 10 % at least 2 W.
        ({"power_w": 20.0, "dimming_pct": 70, "voltage_v": 220}, True),
        ({"power_w": 20.1, "dimming_pct": 70, "voltage_v": 220}, False),
        ({"power_w": 2.5, "dimming_pct": 10, "voltage_v": 220}, True),
        ({"power_w": 2.6, "dimming_pct": 10, "voltage_v": 220}, False),
        ({"power_w": 0, "dimming_pct": 0, "voltage_v": 220}, False),
        ({"power_w": 29.9}, True),
        ({"power_w": 0, "voltage_v": 50}, True),
        ({"power_w": 0, "voltage_v": 49.9}, False),
    ],
    ids=str,
)
def test_what_is_dark(values: dict[str, float | None], dark: bool) -> None:
    sent = [Sent(0, values), Sent(MIN, values)]
    found = [each for each in expected_of(lamp(), sent) if each.rule == "lamp_out"]
    assert found == ([alert("lamp_out", lamp(), (1, 0))] if dark else [])


def test_daylight_ends_what_is_dark_or_without_mains() -> None:
    """Sunrise 06:09, 669 min after 19:00: 06:15 says nothing, 06:30 is day."""
    dark = every(15, "power_w", *[0.0] * 50, voltage_v=220.0)
    assert expected_of(lamp(), dark) == [alert("lamp_out", lamp(), (15, 0), cleared=690)]
    dead = every(15, "power_w", *[0.0] * 50, voltage_v=0.0)
    assert expected_of(lamp(), dead) == [alert("unpowered", lamp(), (0, 0), cleared=690)]


def test_congestion() -> None:
    """Free flow 40 km/h: below 20 for 10 min, below 12 severe, over 24 for 10 min past."""
    sent = every(5, "speed_kmh", 15, 15, 15, 11, 11, 11, 22, 22, 25, 25, 25, occupancy_pct=30)
    # 22 km/h are beyond 12 + 4, so severe ends after 10 min of it, at 40.
    assert expected_of(detector(), sent) == [alert("congestion", detector(), (10, 1), (25, 2), (40, 1), cleared=50)]


def test_an_empty_road_is_not_congested() -> None:
    sent = [*every(5, "speed_kmh", 15, 15, 15, occupancy_pct=30)]
    sent += [Sent(minute * MIN, {"speed_kmh": None, "occupancy_pct": 0, "count": 0}) for minute in (15, 25)]
    assert expected_of(detector(), sent) == [alert("congestion", detector(), (10, 1), cleared=25)]


def test_silence_in_a_live_run() -> None:
    """A gauge may be silent for 35 min. What ends within 40 s of that may go either way."""
    sent = [Sent(round(minute * MIN), {"level_m": 1.0}) for minute in (0, 35.5, 71.5, 108, 109)]
    assert expected_of(gauge(), sent, "live") == [
        alert("stale", gauge(), (35, 1), cleared=35.5, must=False, tolerance_s=40),
        alert("stale", gauge(), (70.5, 1), cleared=71.5, tolerance_s=40),
        alert("stale", gauge(), (106.5, 1), cleared=108, tolerance_s=40),
    ]
    assert expected_of(gauge(), sent, "past") == []


def test_silence_at_the_end_of_a_live_run() -> None:
    series = series_of(gauge(), [Sent(0, {"level_m": 1.0})])
    stands = alert("stale", gauge(), (35, 1), tolerance_s=40)
    assert expected_alerts(gauge(), series, "live", START_MS + 35 * MIN - 1) == []
    assert expected_alerts(gauge(), series, "live", START_MS + 35 * MIN) == [stands._replace(must=False)]
    assert expected_alerts(gauge(), series, "live", START_MS + 36 * MIN) == [stands]


def test_a_device_that_sent_nothing() -> None:
    nobody = np.empty(0, np.bool_)
    nothing = Series(np.empty(0, np.int64), nobody, nobody, nobody, {"level_m": np.empty(0)})
    assert expected_alerts(gauge(), nothing, "live", START_MS) == []


# -- out of order, by hand -------------------------------------------------------------------------------------------


def levels(*readings: tuple[float, float]) -> list[Sent]:
    return [Sent(round(minute * MIN), {"level_m": level}) for minute, level in readings]


def test_a_late_reading_that_changes_nothing_changes_nothing() -> None:
    sent = levels((0, 3.0), (20, 3.0), (10, 3.1), (30, 1.0), (50, 1.0), (40, 1.0), (60, 1.0))
    assert expected_of(gauge(), sent) == [alert("siaga", gauge(), (0, 2), cleared=60)]


def test_a_late_reading_may_bring_an_alert_of_its_own() -> None:
    sent = levels((0, 1.0), (20, 1.0), (10, 3.0), (50, 1.0))
    assert expected_of(gauge(), sent) == [alert("siaga", gauge(), (10, 2), cleared=50, must=False)]


def test_a_late_reading_may_bring_an_alert_forward() -> None:
    """Raised at 10 or at 20 min, but raised in any case."""
    (flood,) = expected_of(gauge(), levels((0, 1.0), (20, 3.0), (10, 3.0), (30, 1.0), (60, 1.0)))
    assert flood == alert("siaga", gauge(), (15, 2), cleared=60, tolerance_s=300)


def test_a_late_reading_may_make_two_of_one() -> None:
    sent = every(10, "power_w", 0.0, 0.0, 90.0, 0.0, 0.0, 90.0, voltage_v=220.0)
    sent = [sent[i] for i in (0, 1, 3, 2, 4, 5)]
    assert expected_of(lamp(), sent) == [
        # Cleared at 20 min by the late reading, or at 50.
        alert("lamp_out", lamp(), (10, 0), cleared=35, tolerance_s=900),
        alert("lamp_out", lamp(), (40, 0), cleared=50, must=False),
    ]


def test_what_came_before_a_late_reading_that_decides_has_decided_too() -> None:
    """Dark at 0 and 20 min would be two in a row, but no batching leaves out the one at 10 min only."""
    sent = every(10, "power_w", 0.0, 90.0, 0.0, 90.0, voltage_v=220.0)
    assert expected_of(lamp(), [sent[i] for i in (0, 3, 1, 2)]) == []
    (maybe,) = expected_of(lamp(), [sent[i] for i in (0, 3, 2, 1)])
    assert maybe == alert("lamp_out", lamp(), (20, 0), cleared=30, must=False)


def test_what_two_readings_need_together_may_rule_out_that_a_third_was_left_out() -> None:
    """Messages: 0 and 30 min | 20 and 50 | 10 | 40. If 20 decides, there was no cut before its message; if 40 does,
    none after it: then 10 decides as well.
    """
    ts_ms, dark = np.array([0, 30, 20, 50, 10, 40]) * MIN, np.array([1, 1, 1, 0, 0, 0], dtype=np.int8)
    (lamp_out,) = (rule for rule in told.RULES if rule.name == "lamp_out")
    (found,) = lives.histories(lamp_out, ts_ms, np.array([0, 0, 1, 1, 2, 3]), Verdicts(dark, dark))
    spans = {(alert.turns[0].at_ms // MIN, (alert.cleared_ms or 0) // MIN) for (alert,) in found}
    assert spans == {(30, 40), (30, 50), (20, 50)}


def test_alerts_of_one_backlog_are_told_apart() -> None:
    sent = every(10, "voltage_v", 220, 0, 220, 220, 0, 220, 220)
    backlog = [sent[i] for i in (0, 6, 1, 2, 3, 4, 5)]
    assert expected_of(lamp(), backlog, message=[0, 1, 2, 2, 2, 3, 3]) == [
        alert("unpowered", lamp(), (10, 0), cleared=20, must=False),
        alert("unpowered", lamp(), (40, 0), cleared=50, must=False),
    ]


def test_the_order_within_one_message_is_certain() -> None:
    sent = levels((0, 1.0), (20, 3.0), (10, 3.0), (30, 1.0), (60, 1.0))
    assert expected_of(gauge(), sent, message=[0, 1, 1, 2, 3]) == [alert("siaga", gauge(), (10, 2), cleared=60)]


def test_a_backlog_newest_first() -> None:
    """What arrives first decides; how far back the first batch reaches is open."""
    flood = [1.0, 3.0, 3.7, 3.7, 3.0, 1.0, 1.0, 1.0, 1.0]
    backlog = levels(*((10 * i, level) for i, level in enumerate(flood)))[::-1]
    found = expected_of(gauge(), backlog)
    assert [(each.rule, each.must, each.peak) for each in found] == [("siaga", False, 3), ("siaga", False, 2)]


def test_what_happens_between_opening_and_worst_need_not_be_followed() -> None:
    """Each late reading may bring a turn or not: 40 of them would be 2**40 lives, were all that differ kept apart."""
    sent = levels((0, 3.7))
    for hour in range(1, 41):
        # Eased to Siaga 2 by 40 min below 3.5 m, back at Siaga 1 by a late reading, or an hour later.
        sent += levels(*((60 * hour + minute, level) for minute, level in ((0, 3.4), (40, 3.4), (50, 3.4), (45, 3.7))))
    (flood,) = expected_of(gauge(), sent)
    assert flood == alert("siaga", gauge(), (0, 3), tolerance_s=0.001)


def test_arrivals_that_leave_everything_open_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lives, "LIVES_MAX", 20)
    sent = levels(*((10 * i, 3.0 if i % 3 else 1.0) for i in range(60)))
    shuffled = [sent[i] for i in np.random.default_rng(1).permutation(60)]
    with pytest.raises(EntangledError, match="device wl-silau: rule siaga at ts"):
        expected_of(gauge(), shuffled)
