"""Whether the readings of an incident file give its events: members, silence, changes of the rule, and forgeries."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.incident_file_check import Compared, compare
from alerts.rule import Rule, shipped

# 20:00 WIB: the sun is down.
T0 = datetime(2026, 11, 24, 13, tzinfo=UTC)
LAMPS = [
    {"id": f"pju-{n}", "kind": "streetlight", "lat": 2.98, "lon": 99.6, "attributes": {"panel": "P1"}} for n in range(3)
]


def shipped_rule(name: str, kind: str = "streetlight") -> Rule:
    return next(rule for rule in shipped() if (rule.id, rule.kind) == (name, kind))


def in_force(rule: Rule | None, minute: float = 0) -> dict[str, Any]:
    at = (T0 + timedelta(minutes=minute)).isoformat()
    return {"since": at, "rule": rule and rule.model_dump(mode="json", exclude_none=True)}


def reading(device: str, minute: float, **values: float) -> dict[str, str]:
    at = (T0 + timedelta(minutes=minute)).isoformat()
    fixed = {"device_id": device, "kind": "streetlight", "ts": at, "received_at": at, "qc": "1", "qc_reason": "0"}
    return fixed | {name: str(value) for name, value in values.items()}


def event(rule: str, device: str, what: str, minute: float, severity: str = "", why: str = "") -> dict[str, str]:
    at = (T0 + timedelta(minutes=minute)).isoformat()
    return {
        "rule": rule, "device_id": device, "what": what, "to_severity": severity, "event_at": at, "detected_at": at,
        "why": why,
    }  # fmt: skip


def compared(
    own: list[dict[str, Any]], members: list[dict[str, Any]], readings: Iterable[Any], events: Iterable[Any]
) -> dict[str, Compared]:
    found = compare({"in_force": own, "of_members": members, "devices": LAMPS}, readings, events)
    return {f"{each.key.rule} {each.key.device_id}": each for each in found}


def test_members_of_an_incident_and_one_that_tells_otherwise() -> None:
    readings = [
        reading(f"pju-{n}", minute, voltage_v=220 if minute < 10 else 0) for n in range(3) for minute in (0, 10)
    ]
    readings.append(reading("pju-0", 20, voltage_v=221))
    events = [event("unpowered", f"pju-{n}", "raised", 10, "0") for n in (0, 1)]
    events += [event("unpowered", "pju-0", "acked", 12), event("unpowered", "pju-0", "cleared", 20)]
    events.append(event("unpowered", "pju-2", "raised", 11, "0"))
    found = compared([in_force(None)], [in_force(shipped_rule("unpowered"))], readings, events)
    assert {name: each.same for name, each in found.items()} == {
        "unpowered pju-0": True, "unpowered pju-1": True, "unpowered pju-2": False,
    }  # fmt: skip


def test_a_silence_was_noticed_a_little_later_than_it_is_found() -> None:
    rule = shipped_rule("stale").model_copy(update={"after_s": 600.0})
    readings = [
        reading("pju-0", 0),
        reading("pju-0", 30),
        reading("pju-1", 0),
        reading("pju-1", 9),
        reading("pju-1", 18),
    ]
    events = [event("stale", "pju-0", "raised", 10.2, "0"), event("stale", "pju-0", "cleared", 30)]
    found = compared([in_force(rule)], [], readings, events)
    assert found["stale pju-0"].same
    assert len(found["stale pju-0"].told) == 2


def test_after_a_change_of_the_rule_nothing_is_compared() -> None:
    low = shipped_rule("voltage_low")
    quick = low.model_copy(update={"level": (low.level[0].model_copy(update={"delay_on_s": 0.0}),)})
    readings = [reading("pju-0", minute, voltage_v=190 if minute < 20 else 220) for minute in range(40)]
    events = [
        event("voltage_low", "pju-0", "raised", 0, "1"),
        event("voltage_low", "pju-0", "cleared", 15, why="rule changed (version 7)"),
        event("voltage_low", "pju-0", "raised", 16, "1"),
    ]
    found = compared([in_force(quick), in_force(low, 15)], [], readings, events)
    assert found["voltage_low pju-0"].same
    assert len(found["voltage_low pju-0"].told) == 1


def test_what_no_reading_decides_is_not_asked_for() -> None:
    assert compared([in_force(None)], [], [], [event("outage", "$panel/P1", "raised", 0, "2")]) == {}


def test_lines_that_say_where_it_was_cut_are_no_readings() -> None:
    cut = {"device_id": "# CUT HERE / DIPOTONG DI SINI: readings.csv 1", "kind": ""}
    events = [event("unpowered", "pju-0", "raised", 0, "0")]
    readings = [reading("pju-0", 0, voltage_v=0), cut]
    assert compared([in_force(shipped_rule("unpowered"))], [], readings, events)["unpowered pju-0"].same
