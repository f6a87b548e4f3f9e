"""What a run comes to: who is counted, and how it is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from alerts.engine import Transition, What
from alerts.rule import Key
from alerts.rules_tally import Tally, Total, sentence

START = datetime(2026, 11, 24, 12, tzinfo=UTC)


def moved(what: What, second: float = 0, device: str = "pju-1", historical: bool = False) -> Transition:
    at = START + timedelta(seconds=second)
    return Transition(Key("lamp_out", device), "streetlight", what, None, None, 0, None, at, None, historical)


def test_alerts_are_what_somebody_is_told_of() -> None:
    tally = Tally()
    tally.add([moved("raised"), moved("cleared", 60), moved("raised", 120), moved("worsened", 130)])
    tally.add([moved("raised", 200, "pju-2", historical=True), moved("went_live", 300, "pju-2")])
    tally.add([moved("raised", 0, "pju-3", historical=True)])
    total = tally.total()
    assert (total.alerts, total.historical, total.transitions, total.floods) == (3, 2, 7, 0)
    assert total.by_rule == {"lamp_out": 3}
    assert [(each.device_id, each.alerts, each.transitions) for each in total.top] == [
        ("pju-1", 2, 4), ("pju-2", 1, 2), ("pju-3", 0, 1),
    ]  # fmt: skip


def test_the_sentence() -> None:
    current, candidate = Total(41, 0, 82, 2, 0.0, {}, []), Total(7, 0, 14, 0, 0.0, {}, [])
    assert sentence(current, None).en == "would have raised 41 alerts, 2 floods"
    told = sentence(current, candidate)
    assert told.en == "would have raised 41 alerts, 2 floods; with the candidate: 7 alerts, 0 floods"
    assert "7 peringatan" in told.id
