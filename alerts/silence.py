"""Devices that fell silent, and the whole stream: what only the clock can find. Pure: the time is an argument.

A device counts once it has been heard live, and only for as long as we were listening ourselves: after an outage of
ours nobody is stale until they had their time to speak.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from alerts.engine import NEVER, Engine, Evaluated, Rows, transition
from alerts.rule import Key, Rule, rules_of
from alerts.state import State
from devices.fleet import Fleet
from devices.kinds import KINDS

INTERVALS = 3
JITTER_S = 300
# Devices report by the clock, all of a kind in the same minute: nothing for one interval is no silent stream yet.
STREAM_GRACE_S = 120.0
# So many devices that fall silent are told one by one. When more do, and nobody at all is heard, it is not the devices.
FEW = 10


def silent_after_s(rule: Rule, kind: str) -> float:
    """How long a device of this kind may be silent: the rule's after_s, else 3 intervals + 5 min."""
    if rule.after_s is not None:
        return rule.after_s
    interval_s = KINDS[kind].interval_s if kind in KINDS else 3600
    return INTERVALS * interval_s + JITTER_S


def stream_silent_after_s(pace_s: float | None, asked_s: float | None) -> float | None:
    """How long a stream may bring nothing: as asked, else by the pace of its quickest devices; None: for ever."""
    if asked_s is not None:
        return asked_s
    return None if pace_s is None else pace_s + STREAM_GRACE_S


def pace_in_service_s(engine: Engine, fleet: Fleet) -> float | None:
    """Time between two readings of the quickest kind that is in service: heard live, and not silent since."""
    heard = [fleet.devices[number] for number in np.flatnonzero(engine.heard_us > NEVER).tolist()]
    # The rule knows of slower hours than the kind's interval does.
    paces = {
        kind: (silent_after_s(rule, kind) - JITTER_S) / INTERVALS
        for kind in KINDS
        if (rule := _stale_rule(engine, kind))
    }
    # 10 ms for 100,000 devices, every few seconds: the quickest kind is looked for first, and mostly found.
    for kind in sorted(paces, key=paces.__getitem__):
        if any(device.kind == kind and Key("stale", device.id) not in engine.states for device in heard):
            return paces[kind]
    return None


def is_stream_silent(engine: Engine, fleet: Fleet, now: datetime, heard: datetime, asked_s: float | None) -> bool:
    """Whether nothing has come for so long, from more than a few devices, that it is not they who are silent."""
    quiet_s = (now - heard).total_seconds()
    if quiet_s <= (STREAM_GRACE_S if asked_s is None else asked_s):
        return False
    after_s = stream_silent_after_s(pace_in_service_s(engine, fleet), asked_s)
    return after_s is not None and quiet_s > after_s and int(np.count_nonzero(engine.heard_us > NEVER)) > FEW


def find_silent(engine: Engine, fleet: Fleet, now: datetime, listening_since: datetime) -> Evaluated:
    """Raise the stale rules on devices silent for longer than theirs allow."""
    now_us, since_us = round(now.timestamp() * 1e6), round(listening_since.timestamp() * 1e6)
    found = Evaluated([], {}, [])
    for kind, rule, heard in _heard(engine, fleet):
        quiet_us = now_us - np.maximum(engine.heard_us[heard], since_us)
        for number in heard[quiet_us > silent_after_s(rule, kind) * 1e6].tolist():
            key = Key(rule.id, fleet.ids[number])
            if key in engine.states:
                continue
            raised = State(1, (int(engine.heard_us[number]) / 1e6,), (1,), (None,), peak=1)
            found.states[key] = raised
            moved = transition(rule, key, kind, State.rest(rule), raised, now.astimezone(UTC), None)
            assert moved is not None
            found.transitions.append(moved)
    return found


def next_silent_us(engine: Engine, fleet: Fleet, since_us: int) -> float:
    """The last moment, µs since 1970, at which no further device counts as silent unless one is heard; inf: for ever.

    since_us: since when we listen.
    """
    silent = {key for key, state in engine.states.items() if state.rung}
    soonest = np.inf
    for kind, rule, heard in _heard(engine, fleet):
        waiting = heard
        if known := [fleet.number[key.device_id] for key in silent if key.rule == rule.id]:
            waiting = np.setdiff1d(heard, known)
        if len(waiting):
            heard_us = max(int(engine.heard_us[waiting].min()), since_us)
            soonest = min(soonest, heard_us + silent_after_s(rule, kind) * 1e6)
    return soonest


def _heard(engine: Engine, fleet: Fleet) -> Iterator[tuple[str, Rule, Rows]]:
    """Each stale rule with the numbers of the devices that it watches and that were heard live."""
    watched = engine.watched(fleet)
    for kind in KINDS:
        numbers = watched.numbers(kind)
        heard = numbers[engine.heard_us[numbers] > NEVER]
        for watch in watched.of(kind).values():
            for rule, mine in watch.split(heard):
                if rule.condition == "stale":
                    yield kind, rule, heard if mine is None else heard[mine]


def _stale_rule(engine: Engine, kind: str) -> Rule | None:
    return next((rule for rule in rules_of(engine.rules, kind) if rule.condition == "stale"), None)
