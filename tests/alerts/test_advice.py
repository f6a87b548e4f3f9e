"""Advice on made series: the right change for what chatters, and none that hides a flood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from alerts import advice, advice_changes
from alerts.advice import Trial
from alerts.advice_changes import Change, Signal
from alerts.advice_course import Course
from alerts.advice_words import nothing_text, proposal_text
from alerts.rule import Rule, rules_of, shipped
from alerts.rules_replay import Arrived, Replay, readings_of
from devices.device import Device
from devices.fleet import Fleet
from tests.alerts.timeline import Timeline, gauge, lamp

BEGIN = Timeline().at(0).timestamp()
HOT: dict[str, Any] = {
    "id": "hot", "kind": "streetlight", "condition": "above", "metric": "temperature_c",
    "level": [{"severity": 1, "bound": 80}],
}  # fmt: skip


def course(rule: Rule, device: Device, seconds: Sequence[float], values: Sequence[float]) -> Course:
    """What a rule makes of a series."""
    fleet, made = Fleet([device]), Course()
    replay = Replay((rule,), fleet, Timeline().at(0), None)
    times = [round((BEGIN + second) * 1e6) for second in seconds]
    rows = [(device.id, at, at, 1, 0, value) for at, value in zip(times, values, strict=True)]
    made.add(replay.feed([readings_of(Arrived(device.kind, (rule.metric or "",), rows), fleet)]))
    return made


def advised(
    rule: Rule, device: Device, seconds: Sequence[float], values: Sequence[float]
) -> tuple[Trial | None, list[Trial]]:
    """What is proposed, and all that was tried."""
    until = BEGIN + seconds[-1] + 60
    before = course(rule, device, seconds, values)
    signal = Signal(np.array(seconds) + BEGIN, np.array(values, dtype=np.float64), np.ones(len(values), dtype=np.bool_))
    trials = [
        Trial(change, made, advice.effect(rule, before, course(made, device, seconds, values), until))
        for change in advice_changes.changes(rule, device.attributes, before, signal, until)
        if (made := advice_changes.changed(rule, change)) is not None
    ]
    return advice.choose(trials), trials


def siaga() -> Rule:
    return next(rule for rule in rules_of(shipped(), "water_level") if rule.id == "siaga")


def test_noise_around_the_bound_is_bridged_and_nothing_is_lost_or_late() -> None:
    noise = np.random.default_rng(1).normal(0, 0.3, 600)
    seconds = [10.0 * n for n in range(600)]
    best, trials = advised(Rule.model_validate(HOT), lamp(), seconds, (80 + noise).tolist())
    assert best is not None
    assert (best.change.what, best.change.value) == ("delay_off_s", 60)
    assert best.effect.removed > 0.9
    assert (best.effect.delay_s, best.effect.lost_count) == (0, 0)
    assert proposal_text(best, "°C").en == "60 s delay-off removes 97 %, adds no delay"
    # A deadband would do as well, as wide as the noise is and no wider.
    widths = [each.change.value for each in trials if each.change.what == "hysteresis"]
    assert widths == [0.5, 1.0]


def test_short_spikes_are_waited_out_and_named() -> None:
    """Every ten minutes one of 30 s; and twice it is really hot."""
    seconds = [10.0 * n for n in range(4320)]
    values = [90.0 if n % 60 < 3 or n % 2000 > 1800 else 40.0 for n in range(4320)]
    best, _ = advised(Rule.model_validate(HOT), lamp(), seconds, values)
    assert best is not None
    assert (best.change.what, best.change.value) == ("delay_on_s", 30)
    assert best.effect.alerts == 2
    assert best.effect.delay_s == 30
    assert best.effect.removed > 0.9
    assert best.effect.lost_count > 50
    assert best.effect.lost[0].end - best.effect.lost[0].begin == 30
    assert best.rule.level[0].delay_on_s == 30
    text = proposal_text(best, "°C")
    assert text.en.startswith("30 s delay-on removes 9")
    assert "adds at most 30 s" in text.en
    assert text.id.startswith("Jeda aktif 30 dtk mengurangi 9")


def flood(seconds: Sequence[float], *crests: tuple[float, float]) -> list[float]:
    """Levels of a gauge with crests of so many m at so many hours, and 2 cm of waves."""
    waves = np.random.default_rng(2).normal(0, 0.02, len(seconds))
    hours = np.array(seconds) / 3600
    level = 1.0 + sum(height * np.exp(-(((hours - at) / 2) ** 2)) for at, height in crests)
    return [float(each) for each in level + waves]


def test_no_change_hides_or_delays_a_flood() -> None:
    """Three crests to Siaga 1; a deadband of two metres would make one alert of them."""
    seconds = [600.0 * n for n in range(6 * 48)]
    rule, device = siaga().model_copy(update={"hysteresis": 0.0, "delay_off_s": 0.0}), gauge()
    levels = flood(seconds, (8, 3.2), (16, 3.0), (26, 3.4))
    best, trials = advised(rule, device, seconds, levels)
    assert best is None
    wide = [each for each in trials if each.change.what == "hysteresis"]
    assert wide
    assert all(each.effect.harms and each.effect.removed > 0.5 for each in wide)
    assert all(each.rule.level[1:] == rule.level[1:] for each in trials)


def test_a_severe_alert_is_not_lost_whatever_it_would_spare() -> None:
    severe = Rule.model_validate(HOT | {"level": [{"severity": 2, "bound": 80}]})
    seconds = [10.0 * n for n in range(4320)]
    best, trials = advised(severe, lamp(), seconds, [90.0 if n % 360 < 3 else 40.0 for n in range(4320)])
    assert best is None
    assert all(each.change.what not in ("delay_on_s", "samples") for each in trials)
    slower = severe.model_copy(update={"level": (severe.level[0].model_copy(update={"delay_on_s": 60.0}),)})
    values = [90.0 if n % 360 < 3 else 40.0 for n in range(4320)]
    found = advice.effect(
        severe, course(severe, lamp(), seconds, values), course(slower, lamp(), seconds, values), BEGIN + seconds[-1]
    )
    assert found.harms
    assert (found.alerts, found.lost_count) == (0, 12)


def test_severe_rungs_keep_their_pace_beside_a_slower_mild_one() -> None:
    made = advice_changes.changed(siaga(), Change("delay_on_s", 600))
    assert made is not None
    assert [level.delay_on_s for level in made.level] == [600, 0, 0]
    assert [level.samples for level in made.level] == [2, 1, 1]


def test_beyond_the_limits_of_rules_there_is_no_change() -> None:
    assert advice_changes.changed(siaga(), Change("delay_off_s", 1e9)) is None


@pytest.mark.parametrize(("share", "words"), [(0.3, "Sensor fault? 30 % of the readings are suspect")])
def test_why_nothing_is_proposed_in_both_languages(share: float, words: str) -> None:
    text = nothing_text("suspect", share)
    assert text.en == words
    assert text.id == "Sensor rusak? 30 % pembacaan meragukan atau gagal"
