"""What an incident file is about: the alert, what it stood for, and the rules that were in force."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any, NamedTuple

import psycopg

from alerts import incident_file as file
from alerts.incident_file import Changes, InForceFrom, Row, Span
from alerts.rule import Rule
from alerts.rules_set import Version
from devices.device import Device
from storage import incident_file_rows as rows
from storage import read_alerts, rules
from storage.as_json import time_text

CHANGES_MOST = 10_000


class Limits(NamedTuple):
    """Readings, members and neighbours in one file at most."""

    readings: int
    members: int
    neighbours: int


class Case(NamedTuple):
    """What the file is about. devices: of the alert and of its members, as they are registered now."""

    alert: Row
    raised_at: datetime
    in_force: Sequence[InForceFrom]
    members: Sequence[Row]
    members_cut: bool
    devices: Sequence[Device]
    span: Span

    @property
    def own(self) -> Device | None:
        """The alert's own device; a group has none."""
        return next((each for each in self.devices if each.id == self.alert["device_id"]), None)

    @property
    def rule(self) -> Rule | None:
        found = self.in_force[0].found if self.in_force else None
        return found.rule if found else None


async def look_up(conn: psycopg.AsyncConnection[Any], alert_id: int, limits: Limits, now: datetime) -> Case | None:
    alert = await read_alerts.one_alert(conn, alert_id)
    if alert is None:
        return None
    alert = alert | {"worst_siaga": await rows.worst_siaga(conn, alert_id)}
    members = await rows.members(conn, alert_id, limits.members + 1)
    kept = members[: limits.members]
    devices = await rows.devices(conn, [alert["device_id"], *(each["device_id"] for each in kept)])
    own = next((each for each in devices if each.id == alert["device_id"]), None)
    changes = await _changes(conn, alert["rule"])
    detected = datetime.fromisoformat(alert["detected_at"])
    moments = [detected, *await rows.first_after(conn, alert_id, [each.at for each in changes if each.at > detected])]
    in_force = file.in_force(Changes(changes, alert["rule"]), alert["kind"], own, moments)
    raised_at = datetime.fromisoformat(alert["raised_at"])
    cleared_at = datetime.fromisoformat(alert["cleared_at"]) if alert["cleared_at"] else None
    case = Case(alert, raised_at, in_force, kept, len(members) > len(kept), devices, Span(raised_at, raised_at))
    return case._replace(span=file.span(raised_at, cleared_at, case.rule, now))


async def _changes(conn: psycopg.AsyncConnection[Any], rule: str) -> list[Version]:
    return (await rules.history(conn, rule, CHANGES_MOST))[::-1]


async def rule_of(conn: psycopg.AsyncConnection[Any], case: Case) -> dict[str, Any]:
    """What rule.json holds: enough to evaluate the readings once more."""
    names = {each["rule"] for each in case.members}
    changes = {name: Changes(await _changes(conn, name), name) for name in names}
    # 20 µs a member, and an incident has thousands.
    of_members = await asyncio.to_thread(_rules_of_members, case, changes)
    return {
        "alert_id": case.alert["id"],
        "rule": case.alert["rule"],
        "device_id": case.alert["device_id"],
        "shipped_with": program(),
        "in_force": [_in_force(each) for each in case.in_force],
        "of_members": of_members,
        "devices": [_device(each) for each in case.devices],
    }


def _rules_of_members(case: Case, changes: Mapping[str, Changes]) -> list[dict[str, Any]]:
    """Rules that raised members, each with the devices on which it did."""
    by_id = {device.id: device for device in case.devices}
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for each in case.members:
        device = by_id.get(each["device_id"])
        (since,) = file.in_force(changes[each["rule"]], each["kind"], device, [each["detected"]])
        key = (since.found.rule.variant, since.found.version) if since.found else (each["rule"],)
        told = found.get(key)
        if told is None:
            told = found[key] = _in_force(since) | {"device_ids": []}
            del told["since"]
        told["device_ids"].append(each["device_id"])
    return list(found.values())


def _in_force(each: InForceFrom) -> dict[str, Any]:
    found = each.found
    change = found.change if found else None
    return {
        "since": time_text(each.since),
        "version": found.version if found else None,
        "origin": found.origin if found else None,
        "changed_at": time_text(change.at) if change else None,
        "changed_by": change.who if change else None,
        "reason": change.why if change else None,
        "rule": found.rule.model_dump(mode="json", exclude_none=True) if found else None,
    }


def _device(device: Device) -> dict[str, Any]:
    return {
        "id": device.id, "kind": device.kind, "name": device.name, "region": device.region,
        "district": device.district, "lat": device.lat, "lon": device.lon, "attributes": dict(device.attributes),
    }  # fmt: skip


def program() -> str:
    """Which version made the file, and so which rules are the shipped ones."""
    return f"siaga {version('siaga')}"
