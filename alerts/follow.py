"""The steps that a row of verdicts makes a rule take on a device, for rules that the worker judges. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from alerts.engine import Evaluated, transition
from alerts.rule import Key, Rule
from alerts.state import State, step


class Verdict(NamedTuple):
    """What is found at one moment (epoch s): the rung that is reached, the one that still holds, and the value."""

    at: float
    up: int
    hold: int
    value: float | None


def follow(rule: Rule, key: Key, kind: str, before: State, verdicts: Iterable[Verdict]) -> Evaluated:
    """Transitions and the state after them, from verdicts in order of time."""
    found = Evaluated([], {}, [])
    for at, up, hold, value in verdicts:
        after = step(rule, before, at, up, hold, late=False)
        if moved := transition(rule, key, kind, before, after, datetime.fromtimestamp(at, UTC), value):
            found.transitions.append(moved)
        if not (before.at_rest and after.at_rest):
            found.states[key] = None if after.at_rest else after
        before = after
    return found
