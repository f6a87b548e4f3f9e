"""What the API answers against what is stored. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from devices.kind import Kind
from siaga.verify.report import Finding, micros
from storage.audit import Alert, Rows, Transition

Item = Mapping[str, Any]
LATEST, ALERTS = "/api/v1/latest", "/api/v1/alerts"


def latest(kind: Kind, devices: Sequence[str], newest: Rows, items: Iterable[Item]) -> Iterator[Finding]:
    """The newest reading of each device: time, quality and every metric."""
    there = {item["device_id"]: item for item in items}
    for row, (device, at_us) in enumerate(newest.places()):
        item = there.pop(devices[device], None)
        if item is None:
            yield Finding("missing", LATEST, devices[device], at_us, "")
            continue
        stored: dict[str, Any] = {"ts": at_us, "qc": int(newest.whole["qc"][row])}
        stored |= {name: _null(float(newest.numbers[name][row])) for name in kind.metrics}
        said = {"ts": micros(item["ts"]), "qc": item["qc"]} | {name: item["values"].get(name) for name in kind.metrics}
        if wrong := _wrong(said, stored):
            yield Finding("different", LATEST, devices[device], at_us, wrong)
    for device_id, item in there.items():
        yield Finding("extra", LATEST, device_id, micros(item["ts"]), "no reading is stored")


def alerts(stored: Mapping[int, Alert], items: Iterable[Item]) -> Iterator[Finding]:
    """The list of alerts of some devices, whatever their state; stored: without those that late readings superseded."""
    there = {item["id"]: item for item in items if not item["superseded"]}
    for alert in stored.values():
        item = there.pop(alert.id, None)
        name = f"{alert.rule} (id {alert.id})"
        if item is None:
            yield Finding("missing", ALERTS, alert.device_id, alert.raised_us, name)
            continue
        cleared = item["cleared_at"]
        said = {name: item[name] for name in ("rule", "device_id", "severity", "peak_severity", "siaga")}
        said |= {"active": item["state"] == "active", "raised_us": micros(item["raised_at"])}
        said |= {"cleared_us": None if cleared is None else micros(cleared)}
        if wrong := _wrong(said, alert._asdict()):
            yield Finding("different", ALERTS, alert.device_id, alert.raised_us, f"{name}: {wrong}")
    for number, item in there.items():
        yield Finding("extra", ALERTS, item["device_id"], micros(item["raised_at"]), f"{item['rule']} (id {number})")


def history(alert: Alert, stored: Sequence[Transition], item: Item) -> Iterator[Finding]:
    """One alert's transitions, in order."""
    said = [(t["id"], t["what"], t["to_severity"], t["siaga"], micros(t["event_at"])) for t in item["history"]]
    wanted = [(t.id, t.what, t.to_severity, t.siaga, t.at_us) for t in stored]
    if said != wanted:
        detail = f"{alert.rule}: {len(said)} transitions, not the {len(wanted)} that are stored"
        yield Finding("different", f"{ALERTS}/{alert.id}", alert.device_id, alert.raised_us, detail)


def hours(
    kind: Kind, devices: Sequence[str], stored: Mapping[str, Mapping[int, int]], items: Iterable[Item]
) -> Iterator[Finding]:
    """How many readings each hour of these devices has. stored: by device, then by beginning of the hour, µs."""
    said = {(item["device_id"], micros(item["bucket"])): int(item["n"]) for item in items}
    wanted = {(name, hour): number for name in devices for hour, number in stored.get(name, {}).items()}
    for key in sorted(said.keys() | wanted.keys()):
        if said.get(key, 0) != wanted.get(key, 0):
            device_id, hour_us = key
            detail = f"n is {said.get(key, 0)}, {wanted.get(key, 0)} readings are stored"
            yield Finding("different", f"/api/v1/metrics/{kind.name}", device_id, hour_us, detail)


def _null(value: float) -> float | None:
    return None if np.isnan(value) else value


def _wrong(said: Mapping[str, Any], stored: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{name} is {value!r}, stored is {stored[name]!r}" for name, value in said.items() if value != stored[name]
    )
