"""Where one rule stands on one device, and the step that one reading makes it take. Pure; times are epoch seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from alerts.rule import Rule


@dataclass(frozen=True, slots=True)
class State:
    """rung is the level in force (0 normal). Per rung: since when and how often in a row it has been reached,
    and since when it is no longer held. historical: raised by late data and not confirmed live. peak is the worst rung
    since it was raised, or since it went live."""

    rung: int
    on_since: tuple[float | None, ...]
    on_count: tuple[int, ...]
    off_since: tuple[float | None, ...]
    historical: bool = False
    peak: int = 0

    @classmethod
    def rest(cls, rule: Rule) -> State:
        size = len(rule.level)
        return cls(0, (None,) * size, (0,) * size, (None,) * size)

    @property
    def at_rest(self) -> bool:
        return self.rung == 0 and not any(self.on_count)

    def to_json(self) -> dict[str, Any]:
        return {
            "rung": self.rung,
            "on_since": self.on_since,
            "on_count": self.on_count,
            "off_since": self.off_since,
            "historical": self.historical,
            "peak": self.peak,
        }

    @classmethod
    def from_json(cls, rule: Rule, stored: dict[str, Any]) -> State | None:
        """The state as stored; None when the rule has another number of levels since."""
        if len(stored["on_count"]) != len(rule.level):
            return None
        return cls(
            stored["rung"],
            tuple(stored["on_since"]),
            tuple(stored["on_count"]),
            tuple(stored["off_since"]),
            stored["historical"],
            stored.get("peak", stored["rung"]),
        )


def step(rule: Rule, state: State, at: float, up: int, hold: int, late: bool) -> State:
    """The state after a reading at `at` that reaches rung `up` and holds rung `hold`.

    A late reading moves the timers but never the rung of a live alert: what is shown live is decided live. What late
    data raised goes live only as far as a live reading holds it: yesterday's flood must not page today.
    """
    on_since = list(state.on_since)
    on_count = list(state.on_count)
    off_since = list(state.off_since)
    for i in range(len(rule.level)):
        if up > i:
            if on_since[i] is None:
                on_since[i] = at
            on_count[i] += 1
        else:
            on_since[i], on_count[i] = None, 0
        if hold > i or state.rung <= i:
            off_since[i] = None
        elif off_since[i] is None:
            off_since[i] = at
    moved = replace(state, on_since=tuple(on_since), on_count=tuple(on_count), off_since=tuple(off_since))
    if late and state.rung > 0 and not state.historical:
        return moved
    rung = _rung(rule, moved, at)
    if state.historical and not late and rung <= state.rung:
        rung = min(state.rung, hold)
    historical = late if state.rung == 0 else state.historical and late
    live_before = state.rung > 0 and not state.historical
    peak = max(rung, state.peak) if rung and (live_before or historical) else rung
    # Rungs now left hold no silence timers; a later climb starts them anew.
    left = tuple(None if i >= rung else since for i, since in enumerate(moved.off_since))
    return replace(moved, rung=rung, off_since=left, historical=historical and rung > 0, peak=peak)


def _rung(rule: Rule, state: State, at: float) -> int:
    for i in range(len(rule.level) - 1, state.rung - 1, -1):
        since = state.on_since[i]
        level = rule.level[i]
        if since is not None and state.on_count[i] >= level.samples and at - since >= level.delay_on_s:
            return i + 1
    rung = state.rung
    while rung > 0:
        since = state.off_since[rung - 1]
        if since is None or at - since < rule.delay_off_s:
            break
        rung -= 1
    return rung
