"""What a change of rules does to alerts that stand. Pure.

A state goes on as long as a rule of its id watches its device, with as many levels: bounds, delays and hysteresis may
change under it. Else it ends, and the alert that it had raised is cleared; evaluation begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from alerts.engine import Engine, Transition
from alerts.ladder import NORMAL
from alerts.rule import Key
from alerts.rules_scope import Watched
from alerts.state import State
from devices.device import IN_SERVICE, Device
from devices.fleet import Fleet


class Restored(NamedTuple):
    """States by (rule, device), and those that belong to no rule any more."""

    states: dict[Key, State]
    unfit: list[Key]


class Standing(NamedTuple):
    """An active alert as it is stored."""

    key: Key
    kind: str
    metric: str | None
    severity: int
    peak_severity: int
    siaga: int | None
    historical: bool


def restored(watched: Watched, stored: Iterable[tuple[str, str, str, dict[str, Any]]]) -> Restored:
    """States from rows (rule, device_id, kind, state). Devices that the fleet does not have are left out."""
    found = Restored({}, [])
    for rule_id, device_id, _, value in stored:
        key = Key(rule_id, device_id)
        if device_id not in watched.fleet.number:
            continue
        rule = watched.on(key)
        state = State.from_json(rule, value) if rule else None
        if state is None:
            found.unfit.append(key)
        else:
            found.states[key] = state
    return found


def unfit(engine: Engine, fleet: Fleet) -> list[Key]:
    """States that belong to no rule any more: it is gone, does not watch the device, or has other levels."""
    watched = engine.watched(fleet)
    found = []
    for key, state in engine.states.items():
        rule = watched.on(key)
        if rule is None or len(rule.level) != len(state.on_count):
            found.append(key)
    return found


def why_ended(device: Device, otherwise: str) -> str:
    """Why no rule watches a device any more, for the history of its alerts."""
    return otherwise if device.status == IN_SERVICE else f"the device is {device.status}"


def closings(standing: Iterable[Standing], at: datetime, why: Callable[[Key], str]) -> list[Transition]:
    """What clears these alerts: no reading did, so there is no value."""
    return [
        Transition(
            each.key, each.kind, "cleared", each.metric, each.severity, None, NORMAL if each.siaga else None, at, None,
            each.historical, each.peak_severity, why(each.key),
        )
        for each in standing
    ]  # fmt: skip
