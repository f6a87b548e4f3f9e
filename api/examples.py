"""An example of every answer in the OpenAPI document, put together from its schema and from what names mean.

Names mean the same everywhere, so one table serves all shapes; a test holds every example to its schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

JSON = "application/json"
BEAT = 'event: beat\ndata: {"now":"2026-11-24T12:10:00Z","lag_s":1.9,"readings_per_s":41.2}\n\n'
AT, LATER = "2026-11-24T12:10:00Z", "2026-11-24T12:40:00Z"
# By name; of several the first that the schema takes. What is not here is the least that the schema takes.
VALUES: dict[str, tuple[Any, ...]] = {
    "acked_by": ("budi",),
    "address": ("192.0.2.7",),
    "agg": ("avg",),
    "at": (AT,),
    "attributes": ({"river": "Silau", "siaga_3_m": 2.0}, []),
    "avg": (2.61,),
    "body": ("Buntu Pane naik ke Siaga 2: 2,69 m, +0,42 m/jam",),
    "boot": ("a1b2",),
    "bound_m": (2.5,),
    "bucket": ("2026-11-24T12:00:00Z",),
    "by_rule": ({"siaga": 2},),
    "changed_by": ("budi",),
    "channel": ("telegram",),
    "completeness": (0.99,),
    "day": ("2026-11-24",),
    "detail": ("level_m: Input should be a valid number",),
    "details": ({"role": "viewer"},),
    "device": ("wl-buntu-pane",),
    "device_id": ("wl-buntu-pane",),
    "device_name": ("Buntu Pane",),
    "district": ("12.09.14",),
    "districts": (["12.09.14"],),
    "expires_at": ("2027-11-24T12:10:00Z",),
    "facts": ({"newest_age_s": 2.1},),
    "field": ("limit",),
    "fingerprint": ("5f0c2a9be1d34c77",),
    "fw": ("1.4.2",),
    "given_by": ("budi",),
    "groups": (["all", "district", "river"], []),
    "id": (812, "wl-buntu-pane"),
    "interval_s": (600.0, [0, 300, 300, 300]),
    "key": ("shown-this-once",),
    "kind": ("water_level",),
    "kinds": (["water_level"],),
    "lat": (2.93,),
    "latest": (LATER,),
    "level_m": (2.688,),
    "lon": (99.54,),
    "max": (2.69, [2.69]),
    "message": ("1001 is more than 1000 (SIAGA_PAGE_MAX); use a cursor",),
    "metric": ("level_m",),
    "min": (2.52, [2.52]),
    "name": ("Buntu Pane",),
    "now": (AT,),
    "on_duty": (["budi"],),
    "outcome": ({"stored": 1},),
    "payload_base64": ("eyJ0cyI6IjIwMjYifQ==",),
    "payload_text": ('{"ts":"2026-11-24T19:10:00+07:00","level_m":"2,688"}',),
    "owner": ("budi",),
    "person": ("budi",),
    "primary": ("level_m",),
    "rate": (0.42,),
    "reason": ("pengerukan saluran", "malformed"),
    "regency": ("Kabupaten Asahan",),
    "region": ("12.09",),
    "regions": (["12.09"],),
    "request": ("9f86d081884c7d65",),
    "role": ("posko",),
    "river": ("Silau",),
    "route": ("sungai",),
    "rule": ("siaga",),
    "rules": (["siaga"], []),
    "scope": ("river=Silau",),
    "seq": (991,),
    "siaga": (2,),
    "site": ("Jl. Imam Bonjol",),
    "source": ("raw",),
    "step_s": (300.0,),
    "subject": ("wl-buntu-pane",),
    "t": ([1_795_522_200_000],),
    "taken_by": ("ana",),
    "team": ("piket",),
    "time_zone": ("Asia/Jakarta",),
    "title": ("Buntu Pane naik ke Siaga 2",),
    "to": (["piket"], AT),
    "told": (["budi"],),
    "topic": ("siaga/v1/12.09/wl-buntu-pane/readings",),
    "ts": (AT,),
    "unacked": ({"0": 3, "1": 0, "2": 1, "3": 0},),
    "unit": ("m",),
    "until": (LATER,),
    "v": ([2.61],),
    "value": (2.688,),
    "values": ({"level_m": 2.688, "rain_mm": 0.4, "battery_v": 3.71},),
    "wait_s": ([300, 60, 30, 0],),
    "what": ("alert.acknowledged",),
    "who": ("budi",),
    "why": ("air surut",),
}
CREDENTIAL: dict[str, Any] = {
    "name": "wl-buntu-pane", "mode": "password", "generation": 2, "state": "active", "topics": [],
    "devices": ["wl-buntu-pane"], "created_at": AT, "created_by": "budi", "changed_at": AT, "expires_at": None,
    "revoked_at": None,
}  # fmt: skip
# Schemas in which the names mean something else, or that say little in parts.
WHOLE: dict[str, Any] = {
    "Text": {"id": "Buntu Pane naik ke Siaga 2", "en": "Buntu Pane rose to Siaga 2"},
    "Quantity": {
        "name": "battery_v", "unit": "V", "unit_label": {"id": "V", "en": "V"},
        "label": {"id": "Baterai", "en": "Battery"}, "decimals": 2,
    },
    "KindMetric": {
        "name": "level_m", "unit": "m", "unit_label": {"id": "m", "en": "m"},
        "label": {"id": "Muka air", "en": "Water level"}, "decimals": 2, "rollup": "gauge", "low": -5.0, "high": 20.0,
        "derived": False,
    },
    "KindAttribute": {"name": "siaga_3_m", "type": "number", "format": None, "required": False},
    "Rule": {
        "id": "siaga", "kind": "water_level", "condition": "above", "metric": "level_m", "hysteresis": 0.1,
        "level": [{"severity": 1, "siaga": 3, "bound_from": "siaga_3_m", "samples": 2}],
    },
    "Command": {
        "id": "0d6a3b52-5b0e-4c55-9a43-2f6f0f1f7a11", "batch": "5c1e77a0-92a8-4c38-8f52-0f0d1c9f3b10",
        "device_id": "pju-0012", "name": "dim", "args": {"level_pct": 40.0}, "state": "sent", "who": "budi",
        "reason": "hemat energi", "made_at": AT, "expires_at": "2026-11-24T12:15:00Z", "sent_at": AT, "ended_at": None,
        "error": None,
    },
    "Batch": {"batch": "5c1e77a0-92a8-4c38-8f52-0f0d1c9f3b10", "devices": 214},
    "Presence": {"online": True, "since": AT, "heard_at": AT, "changes": 3},
    "LifeStep": {"status": "in_service", "from": AT, "who": "sari", "reason": "pemasangan selesai", "made_at": AT},
    "Part": {
        "name": "ingest", "state": "up", "detail": "2 regions", "facts": {"newest_age_s": 2.1}, "beat_at": AT,
    },
    "PlanChannel": {"name": "telegram", "source": "url_file"},
    "PlanPerson": {"name": "budi", "channels": ["telegram"], "language": "id"},
    "PlanQuiet": {"from": "21:00", "until": "06:00", "below_severity": 2},
    "PlanTeam": {"name": "piket", "fallback": ["budi"]},
    "SharedBy": {"by": "panel", "name": "PNL-07"},
    "LampGroup": {
        "group": "P-17", "district": "12.09.19", "lat": 2.98, "lon": 99.6, "lamps": 214, "lit": 0, "expected": 214,
        "silent": 214, "power_w": 0.0, "dark_since": AT, "alert_id": 812, "faults": {"unpowered": 214},
        "lit_share": [0.99, 0.0], "dimmed_share": [0.0, 0.0], "no_data_share": [0.01, 0.0],
        "should_be_lit": [True, True], "dark": [False, True],
    },
    "Credential": CREDENTIAL,
    "CredentialMade": CREDENTIAL | {"password": "shown-this-once"},
    "UsualSpeed": {"p10_kmh": 31.0, "p50_kmh": 38.0, "p90_kmh": 44.5, "n": 8},
    "UsualFlow": {"p10_vph": 980.0, "p50_vph": 1320.0, "p90_vph": 1490.0, "n": 8},
    "Vehicles": {"motorcycles": 1036.0, "cars": 351.0, "heavy": 73.0},
    "WaysIn": {"regency": "Kabupaten Asahan", "oidc": False},
    "SignedIn": {"name": "budi", "role": "operator", "regions": ["12.09"]},
    "User": {
        "name": "budi", "role": "operator", "regions": ["12.09"], "has_password": True, "subject": None,
        "disabled": False, "created_at": AT, "changed_at": AT,
    },
}  # fmt: skip
# What is not there most of the time.
EMPTY = frozenset((
    "acked_at", "acked_by", "assignee", "claimed_at", "claimed_by", "cleared_at", "comment", "ended_at", "ended_by",
    "ended_why", "error", "left_at", "next_cursor", "next_try_at", "note", "parent_id", "payload_base64", "problem",
    "reached_at", "refused", "replay_of", "revoked_at", "shelved_by", "shelved_until", "shelved_why", "superseded_by",
    "suppressed", "upstream", "window_id",
))  # fmt: skip
# Members that a schema allows beside those it names.
BESIDE: dict[str, dict[str, Any]] = {
    "Reading": {"level_m": 2.688, "rain_mm": 0.4},
    "Bucket": {"level_m": {"avg": 2.61, "max": 2.69}},
}
BY_TYPE = {"boolean": False, "integer": 1, "number": 0.5, "string": "text", "null": None, "object": {}}
TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,), "number": (float, int), "string": (str,), "object": (dict,), "null": (),
}  # fmt: skip
Schemas = Mapping[str, dict[str, Any]]


def add(document: dict[str, Any]) -> None:
    """Write an example into every answer that is JSON, and into that of the live stream."""
    schemas = document["components"]["schemas"]
    for operations in document["paths"].values():
        for operation in operations.values():
            for code, response in operation["responses"].items():
                content = response.get("content", {})
                if code.startswith("2") and JSON in content:
                    content[JSON]["example"] = example(content[JSON]["schema"], schemas)
                if "text/event-stream" in content:
                    content["text/event-stream"]["example"] = BEAT


def example(schema: Mapping[str, Any], schemas: Schemas, name: str = "") -> Any:
    """A value that fits the schema, for a field of this name."""
    if "$ref" in schema:
        named = schema["$ref"].rpartition("/")[2]
        if named in WHOLE:
            return WHOLE[named]
        made: Any = example(schemas[named], schemas, name)
        return made | BESIDE[named] if named in BESIDE else made
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _one_of(schema["anyOf"], schemas, name)
    kind = schema.get("type", "object")
    known = next((value for value in VALUES.get(name, ()) if _fits(value, schema)), None)
    if known is not None and not schema.get("properties"):
        return known
    if kind == "array":
        return [example(schema["items"], schemas, name)]
    if kind == "object":
        fields = schema.get("properties", {})
        return {each: example(fields[each], schemas, each) for each in schema.get("required", ())}
    if schema.get("format") in ("date-time", "date"):
        return AT if schema["format"] == "date-time" else AT[:10]
    least = schema.get("minimum", BY_TYPE[kind])
    return int(least) if kind == "integer" else least


def _one_of(options: list[dict[str, Any]], schemas: Schemas, name: str) -> Any:
    if name in EMPTY and {"type": "null"} in options:
        return None
    there = [option for option in options if option.get("type") != "null"]
    fitting = (option for option in there for value in VALUES.get(name, ()) if _fits(value, option))
    return example(next(fitting, there[0]), schemas, name)


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    if isinstance(value, list):
        return schema.get("type") == "array" and all(_fits(each, schema["items"]) for each in value)
    return not isinstance(value, bool) and isinstance(value, TYPES.get(schema.get("type", ""), ()))
