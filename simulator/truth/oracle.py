"""The alerts that must come of what a device has sent: a second, plain implementation of docs/rules.md.

It looks at the whole series at once and keeps nothing between two calls. Where the order of arrival leaves open what
happens, it follows every possible life (simulator/truth/lives.py) and says what all of them have in common.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from devices.device import Device
from devices.kind import Bools, Floats
from simulator.truth.course import Course, Ints
from simulator.truth.folder import Clock, Expected, Step
from simulator.truth.lives import EntangledError, History, Told, Turn, histories
from simulator.truth.rules import RULES, ExpectedRule
from simulator.truth.silences import silences
from simulator.truth.verdicts import NEEDED, verdicts

__all__ = ["NEEDED", "Series", "expected_alerts"]
LEAST_TOLERANCE_S = 0.001  # tells a merged alert, whose steps in between are not compared, from an exact one


class Series(NamedTuple):
    """What the server has kept or seen of one device, in order of arrival: stored, duplicate and conflicting readings.

    first: False where the same ts came before; such a reading decides nothing. trusted: stored with qc 1 or 2.
    restless: stored with that reason. columns: the metrics of NEEDED for the kind, level_m already derived; NaN is
    null. message: numbers of the messages that the readings came in, rising; readings of one message always reach the
    rules together. None: each came by itself.
    """

    ts_ms: Ints
    first: Bools
    trusted: Bools
    restless: Bools
    columns: dict[str, Floats]
    message: Ints | None = None


def expected_alerts(device: Device, series: Series, clock: Clock, end_ms: int) -> list[Expected]:
    """Every alert of the shipped rules, by time of opening. Nothing beside them may appear.

    All readings must be late (past) or none (live): what is live is not decided by what is late, and that is not
    followed here. In `live`, silence that begins to count after end_ms is left out. Raises EntangledError.
    """
    first = series.first
    ts_ms = series.ts_ms[first]
    if len(ts_ms) == 0:
        return []
    trusted = series.trusted[first]
    columns = {name: np.where(trusted, series.columns[name][first], np.nan) for name in NEEDED.get(device.kind, ())}
    message = np.arange(len(first)) if series.message is None else series.message
    course = Course(device, ts_ms, columns, trusted, series.restless[first])
    packet = np.cumsum(np.diff(message[first], prepend=message[first][0]) != 0)
    found: list[Expected] = []
    for rule in (rule for rule in RULES if rule.kind == device.kind):
        says = verdicts(rule, course)
        if says is None:
            continue
        try:
            for lives in histories(rule, ts_ms, packet, says):
                found += _common(rule, device.id, lives)
        except EntangledError as error:
            raise EntangledError(f"device {device.id}: {error}") from None
    if clock == "live":
        found += silences(device, ts_ms, end_ms)
    return sorted(found, key=lambda alert: (alert.steps[0].at_ms, alert.rule))


def _common(rule: ExpectedRule, device_id: str, lives: Iterable[History]) -> Iterator[Expected]:
    """What some lives have in common, in the spans of time in which at least one of them has an alert.

    Of each span, the first alerts of all lives are taken for the same, the second ones, and so on: so no life has two
    alerts that are expected as one.
    """
    for opened, closed in _spans(alert for life in lives for alert in life):
        within = [[alert for alert in life if opened <= alert.turns[0].at_ms <= closed] for life in lives]
        for n in range(max(map(len, within))):
            alike: dict[tuple[int, bool], list[Told]] = {}
            for alert in (alerts[n] for alerts in within if len(alerts) > n):
                alike.setdefault((alert.worst.rung, alert.cleared_ms is None), []).append(alert)
            must = len(alike) == 1 and all(len(alerts) > n for alerts in within)
            for _, alerts in sorted(alike.items()):
                yield _merged(rule, device_id, must, alerts)


def _spans(alerts: Iterable[Told]) -> list[tuple[float, float]]:
    """First and last moment of the spans of time in which there is some alert, ascending."""
    spans: list[tuple[float, float]] = []
    for alert in sorted(alerts, key=lambda alert: alert.turns[0]):
        opened, closed = alert.turns[0].at_ms, float("inf") if alert.cleared_ms is None else alert.cleared_ms
        if spans and opened <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], closed))
        else:
            spans.append((opened, closed))
    return spans


def _merged(rule: ExpectedRule, device_id: str, must: bool, alerts: Sequence[Told]) -> Expected:
    """One alert for those of the same highest rung; exact when all of them are the same."""
    one = alerts[0]
    if one.exact and all(each == one for each in alerts):
        steps = [Step(turn.at_ms, rule.rungs[turn.rung - 1].severity) for turn in one.turns]
        return Expected(rule.name, device_id, must, tuple(steps), one.cleared_ms, 0.0)
    first = min(each.turns[0].rung for each in alerts)
    opened, worst, cleared = (
        _middle(times)
        for times in (
            [each.turns[0].at_ms for each in alerts],
            [each.worst.at_ms for each in alerts],
            [each.cleared_ms for each in alerts if each.cleared_ms is not None] or [0],
        )
    )
    turns = [Turn(opened.at_ms, first), Turn(worst.at_ms, one.worst.rung)]
    steps = [Step(turn.at_ms, rule.rungs[turn.rung - 1].severity) for turn in turns[: 1 + (first < one.worst.rung)]]
    tolerance_s = max(opened.off_ms, worst.off_ms, cleared.off_ms) / 1000
    cleared_ms = None if one.cleared_ms is None else cleared.at_ms
    return Expected(rule.name, device_id, must, tuple(steps), cleared_ms, max(tolerance_s, LEAST_TOLERANCE_S))


class Middle(NamedTuple):
    """Of the earliest and the latest of some times, and how far it is from either."""

    at_ms: int
    off_ms: int


def _middle(times: Sequence[int]) -> Middle:
    middle = (min(times) + max(times)) // 2
    return Middle(middle, max(times) - middle)
