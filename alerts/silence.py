"""Devices that fell silent, and the whole stream: what only the clock can find. Pure: the time is an argument.

A device counts once it has been heard live, and only for as long as we were listening ourselves: after an outage of
ours nobody is stale until they had their time to speak.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from alerts.engine import NEVER, Engine, Evaluated, transition
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
    """Raise the stale rule on devices silent for longer than their kind allows."""
    now_us, since_us = round(now.timestamp() * 1e6), round(listening_since.timestamp() * 1e6)
    kinds = {device.kind for device in fleet.devices}
    limit_us = {kind: (rule, silent_after_s(rule, kind) * 1e6) for kind in kinds if (rule := _stale_rule(engine, kind))}
    found = Evaluated([], {}, [])
    heard = np.flatnonzero(engine.heard_us > NEVER)
    if len(heard) == 0 or not limit_us:
        return found
    shortest = min(limit for _, limit in limit_us.values())
    quiet_us = now_us - np.maximum(engine.heard_us[heard], since_us)
    for number in heard[quiet_us > shortest]:
        device = fleet.devices[number]
        rule, limit = limit_us.get(device.kind, (None, 0.0))
        heard_us = int(engine.heard_us[number])
        if rule is None or now_us - max(heard_us, since_us) <= limit:
            continue
        key = Key(rule.id, device.id)
        if key in engine.states:
            continue
        raised = State(1, (heard_us / 1e6,), (1,), (None,), peak=1)
        found.states[key] = raised
        moved = transition(rule, key, device.kind, State.rest(rule), raised, now.astimezone(UTC), None)
        assert moved is not None
        found.transitions.append(moved)
    return found


def _stale_rule(engine: Engine, kind: str) -> Rule | None:
    return next((rule for rule in rules_of(engine.rules, kind) if rule.condition == "stale"), None)
