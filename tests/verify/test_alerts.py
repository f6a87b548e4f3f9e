"""Expected alerts against the event log. Times are minutes of one hour."""

from __future__ import annotations

import pytest

from siaga.verify.alerts import match
from siaga.verify.episodes import Episode, disagreeing, episodes, late
from siaga.verify.episodes import Step as Stepped
from siaga.verify.window import Window
from simulator.truth.folder import Expected, Step
from storage.audit import Alert, Transition

MINUTE_US = 60_000_000
RUN = Window(0, 60 * MINUTE_US)


def expected(
    *steps: tuple[float, int], cleared: float | None = None, must: bool = True, tolerance_s: float = 0
) -> Expected:
    return Expected(
        "siaga", "gauge", must, tuple(Step(round(at * 60_000), severity) for at, severity in steps),
        None if cleared is None else round(cleared * 60_000), tolerance_s,
    )  # fmt: skip


def raised(*steps: tuple[float, int], cleared: float | None = None) -> Episode:
    listed = [Stepped(round(at * MINUTE_US), severity) for at, severity in steps]
    return Episode("siaga", "gauge", 1, listed, None if cleared is None else round(cleared * MINUTE_US))


FLOOD = expected((10, 1), (20, 3), cleared=50)
ABOUT = expected((10, 1), (20, 3), cleared=50, tolerance_s=90)
MAYBE = expected((10, 1), must=False, tolerance_s=90)


@pytest.mark.parametrize(
    ("wanted", "there", "words"),
    [
        ([FLOOD], [raised((10, 1), (20, 3), cleared=50)], []),
        ([FLOOD], [], ["missing siaga: severities 1 → 3"]),
        ([], [raised((10, 1))], ["extra siaga: severity 1, not in the truth"]),
        ([], [raised((70, 1))], []),  # after the run
        (
            [FLOOD],
            [raised((10, 1), (15, 2), (20, 3), cleared=50)],
            ["severities 1 → 2 → 3, the truth has"],
        ),
        ([FLOOD], [raised((10, 1), (21, 3), cleared=50)], ["a change of severity comes at another time"]),
        ([FLOOD], [raised((10, 1), (20, 3), cleared=51)], ["cleared 60 s later than in the truth"]),
        ([FLOOD], [raised((10, 1), (20, 3))], ["standing, the truth has it cleared"]),
        ([FLOOD], [raised((11, 1), (20, 3), cleared=50)], ["missing siaga", "extra siaga"]),
        ([expected((10, 1))], [raised((10, 1), cleared=61)], []),  # it stood at the end
        ([expected((10, 1))], [raised((10, 1), (62, 2))], []),
        ([expected((10, 1))], [raised((10, 1), cleared=50)], ["cleared, the truth has it standing"]),
        ([ABOUT], [raised((11, 1), (15, 2), (22, 3), cleared=49)], []),
        ([ABOUT], [raised((11, 2), (22, 3), cleared=49)], []),
        ([ABOUT], [raised((11, 1), (15, 2), cleared=49)], ["worst severity 2, the truth has 3"]),
        ([ABOUT], [raised((12, 1), (20, 3), cleared=50)], ["missing siaga", "extra siaga"]),
        ([MAYBE], [], []),
        ([MAYBE], [raised((11, 1))], []),
        ([MAYBE], [raised((11, 2))], ["worst severity 2, the truth has 1"]),
        # What must be takes the one that agrees, though what may be comes first and opens near it.
        ([MAYBE, expected((11, 1))], [raised((11, 1))], []),
        ([expected((10, 1), cleared=11, tolerance_s=90), MAYBE], [raised((9, 1)), raised((10, 1), cleared=11)], []),
    ],
)
def test_alerts_are_matched(wanted: list[Expected], there: list[Episode], words: list[str]) -> None:
    found = match(wanted, there, RUN, frozenset())
    said = [f"{finding.what} {finding.detail}" for finding in found.findings]
    assert len(said) == len(words), said
    assert all(word in text for word, text in zip(words, said, strict=True)), said
    assert found.missing + found.extra + found.wrong == len(words)


def test_what_may_be_lost_is_no_difference() -> None:
    found = match([FLOOD], [raised((30, 1))], RUN, frozenset({"gauge"}))
    assert (found.findings, [f.what for f in found.doubtful]) == ([], ["missing", "extra"])
    assert (found.missing, found.extra, found.found) == (0, 0, 1)


ROW = Alert(7, "siaga", "gauge", 2, 2, 4, False, 10 * MINUTE_US, 40 * MINUTE_US)
ALERTS = {7: ROW}


def moved(number: int, what: str, to: int | None, at: int, siaga: int, delay_s: float | None = 1) -> Transition:
    return Transition(7, number, what, to, siaga, at * MINUTE_US, delay_s)


LOG = [
    moved(1, "raised", 1, 10, 3),
    moved(2, "went_live", 1, 12, 3),
    moved(3, "worsened", 2, 15, 2, delay_s=70),
    moved(4, "acked", 2, 16, 2, delay_s=None),
    moved(5, "cleared", None, 20, 4),
    moved(6, "raised", 2, 30, 2),
    moved(7, "cleared", None, 40, 4),
]


def test_an_alert_that_comes_back_is_another_episode() -> None:
    first, second = episodes(ALERTS, LOG)
    assert [(step.at_us // MINUTE_US, step.severity) for step in first.steps] == [(10, 1), (15, 2)]
    assert (first.cleared_us, second.opened_us, second.cleared_us) == tuple(at * MINUTE_US for at in (20, 30, 40))


def test_a_row_must_say_what_its_transitions_say() -> None:
    assert list(disagreeing(ALERTS, LOG)) == []
    wrong = replace_all(severity=1, peak_severity=1, siaga=2, active=True, raised_us=0, cleared_us=None)
    for alert, words in wrong:
        (finding,) = disagreeing({7: alert}, LOG)
        assert words in finding.detail
    (finding,) = disagreeing(ALERTS, [])
    assert finding.detail == "siaga (id 7) has no transitions"


def replace_all(**changes: object) -> list[tuple[Alert, str]]:
    return [(ROW._replace(**{name: value}), name.replace("_us", "_at")) for name, value in changes.items()]


def test_a_late_transition_is_named_by_its_reading() -> None:
    (finding,) = late(ALERTS, LOG, RUN, 60)
    assert (finding.at_us, finding.detail) == (15 * MINUTE_US, "siaga worsened 70.0 s after its reading, limit 60 s")
    assert list(late(ALERTS, LOG, Window(0, 14 * MINUTE_US), 60)) == []
