"""Alerts as timelines: push a reading at a time, see what happens.

Readings go the real way, as packets through ingest.intake. Each push is a batch of its own, applied at once; the
answer names what happened: "raised 3" where the level has a siaga digit, else "raised severity 1".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.engine import Engine, Evaluated, Transition, evaluate
from alerts.rule import Rule, rules_of, shipped
from alerts.silence import find_silent
from devices.batch import Batch, Packet
from devices.device import Device, check
from devices.fleet import Fleet
from devices.payload import encode
from devices.topics import readings_topic
from ingest.intake import Limits, take_in

# 24 November 2026, 19:00 at Kisaran: the sun has been down for 50 min.
EVENING = datetime(2026, 11, 24, 12, tzinfo=UTC)
LIVE_WINDOW_S = 900
LIMITS = Limits(
    payload_max_bytes=262_144, array_max=1_000, future_max_s=300, live_window_s=LIVE_WINDOW_S, age_max_days=3_650
)


def gauge(device_id: str = "wl-silau", **attributes: Any) -> Device:
    """A gauge with bounds 2.0, 2.8 and 3.6 m that sends levels; None takes a bound away."""
    given = {"siaga_3_m": 2.0, "siaga_2_m": 2.8, "siaga_1_m": 3.6, **attributes}
    return checked(Device(device_id, "water_level", "Silau", "12.09", None, 2.97, 99.63, given))


def lamp(device_id: str = "pju-1", **attributes: Any) -> Device:
    given = {"nominal_w": 100.0, **attributes}
    return checked(Device(device_id, "streetlight", "Lampu", "12.09", None, 2.98, 99.63, given))


def detector(device_id: str = "tr-1", **attributes: Any) -> Device:
    given = {"free_flow_kmh": 40.0, **attributes}
    return checked(Device(device_id, "traffic", "Jl. Imam Bonjol", "12.09", None, 2.98, 99.63, given))


def checked(device: Device) -> Device:
    found = check(device)
    assert isinstance(found, Device), found
    return found


def only(rule: str, kind: str) -> tuple[Rule, ...]:
    """One shipped rule, as if somebody had enabled it."""
    enabled = tuple(r.model_copy(update={"enabled": True}) for r in shipped())
    found = tuple(r for r in rules_of(enabled, kind) if r.id == rule)
    assert found, rule
    return found


def packet(device: Device, at: datetime, received: datetime | None = None, **values: Any) -> Packet:
    topic = readings_topic(device.region or "12.09", device.id)
    return Packet(topic, encode({"ts": at, **values}), received or at)


class Timeline:
    """Devices, rules and an engine. Times are "19:40" of the evening that begins at 19:00, or seconds after it."""

    def __init__(self, *devices: Device, rules: Sequence[Rule] | None = None, begin: datetime = EVENING) -> None:
        self.fleet = Fleet(devices)
        self.begin = begin
        self.engine = Engine(shipped() if rules is None else tuple(rules))
        self.engine.fit(self.fleet)
        self.listening_since = begin - timedelta(days=30)
        self.last: list[Transition] = []

    def at(self, when: str | float) -> datetime:
        if not isinstance(when, str):
            return self.begin + timedelta(seconds=when)
        hour, minute, *second = (int(part) for part in when.split(":"))
        day = 86_400 if hour < 19 else 0
        return self.begin + timedelta(seconds=(hour - 19) * 3600 + minute * 60 + sum(second) + day)

    def push(
        self, when: str | float, device: Device | None = None, received: str | float | None = None, **values: Any
    ) -> list[str]:
        """One reading of the device (the first of the fleet), received at once unless `received` says later."""
        arrived = self.at(when if received is None else received)
        return self.take(self.batch([packet(device or self.fleet.devices[0], self.at(when), arrived, **values)]))

    def batch(self, packets: Iterable[Packet]) -> Batch:
        made = take_in(packets, self.fleet, LIMITS)
        assert not made.quarantined, made.quarantined
        return made

    def evaluate(self, batch: Batch) -> Evaluated:
        return evaluate(self.engine, self.fleet, batch.readings)

    def take(self, batch: Batch) -> list[str]:
        return self._done(self.evaluate(batch))

    def clock(self, when: str | float) -> list[str]:
        """Look for silent devices."""
        return self._done(find_silent(self.engine, self.fleet, self.at(when), self.listening_since))

    def _done(self, evaluated: Evaluated) -> list[str]:
        self.engine.apply(evaluated)
        self.last = evaluated.transitions
        return [told(transition) for transition in evaluated.transitions]


def told(transition: Transition) -> str:
    """A transition in a few words."""
    level = f" {transition.siaga}" if transition.siaga else f" severity {transition.to_severity}"
    mark = " (historical)" if transition.historical else ""
    return f"{transition.what}{'' if transition.what == 'cleared' else level}{mark}"
