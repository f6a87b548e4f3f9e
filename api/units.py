"""What unit every number of the OpenAPI document has: `x-unit`, a UCUM code; "1" is a count or a share.

By names, which mean the same everywhere and mostly end in their unit. A number that is none of these fails a test.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# The first that fits.
SUFFIXES = {
    "_s_per_day": "s/d", "_per_km": "/km", "_kmh": "km/h", "_vph": "{vehicle}/h", "_mm": "mm", "_m_h": "m/h",
    "_pct": "%", "_share": "1", "_w": "W", "_m": "m", "_h": "h", "_s": "s",
}  # fmt: skip
NAMES = {"lat": "deg", "lon": "deg", "weeks": "wk", "days": "d", "rate": "m/h", "t": "ms"}
# Of something: 0 … 1.
SHARES = frozenset((
    "completeness", "coverage", "share", "share_of_time", "share_up_to_6", "share_7_to_12", "share_above_12",
    "share_10_min_above_10",
))  # fmt: skip
COUNTS = frozenset((
    "acknowledged", "active", "added", "alerts", "alone", "by_hour", "by_rule", "candidate", "cars", "changes",
    "conflict", "count", "counts", "covered", "crossings", "current", "day_burners", "decimals", "devices", "duplicate",
    "entries", "ever", "expected", "failed_alone", "false", "faults", "feeders", "floods", "forecasts", "good",
    "heavy", "historical", "hits", "hours", "lamps", "least", "limit", "lit", "lost_count", "mean", "members",
    "misses", "missing", "most", "most_in_10_min", "most_in_1_min", "motorcycles", "n", "notices_dead",
    "notices_sent", "open", "operators", "outcome", "panels", "pending", "per_minute", "points", "quarantine_open",
    "quarantined", "raised", "readings", "received", "released", "reporting", "right", "runs", "same", "samples",
    "severe", "shelved", "short", "silent", "skipped", "stored", "suppressed", "timed", "transitions", "tries",
    "unacked", "unacknowledged", "unchanged", "corrected", "unknown", "updated", "waves", "withheld",
))  # fmt: skip
# Whose unit stands elsewhere: in `unit`, in /kinds, or in the name of the member.
OF_METRIC = "in the unit of the metric, which /kinds tells"
ELSEWHERE = {
    **dict.fromkeys((
        "value", "avg", "min", "max", "last", "sum", "delta", "total", "v", "low", "high", "values", "bound",
        "hysteresis", "ignore_below",
    ), OF_METRIC),
    "facts": "in numbers; names end in their unit",
}  # fmt: skip
# Names, places in an order, and codes: numbers that measure nothing.
CODES = frozenset((
    "alert", "first", "generation", "id", "ids", "parent", "qc", "qc_reason", "replay_of", "row", "sample", "seq",
    "siaga", "status", "step", "superseded_by", "to_siaga", "version",
))  # fmt: skip
CODE_SUFFIXES = ("_id", "severity")
# Names that mean something else in one schema.
HERE = {
    ("MissingRange", "last"): None,  # a sequence number
    ("Notice", "alerts"): None,  # ids
    ("Proposal", "value"): "s, readings, or the unit of the bound",
    ("Reading", ""): OF_METRIC,  # a member for every metric
}
WHOLE = ("integer", "number")


def add(document: dict[str, Any]) -> None:
    """Write units into the schemas and parameters of a document."""
    for schema, name, field in numbers(document):
        unit = unit_of(name)
        if (schema, name) in HERE:
            _say(field, HERE[schema, name])
        elif unit is not None:
            field["x-unit"] = unit
        else:
            _say(field, ELSEWHERE.get(name))


def unit_of(name: str) -> str | None:
    """The unit of a number of this name; None where the name tells none."""
    if name in NAMES:
        return NAMES[name]
    if name in COUNTS or name in SHARES:
        return "1"
    if is_code(name) or name in ELSEWHERE:
        return None
    return next((unit for suffix, unit in SUFFIXES.items() if name.endswith(suffix)), None)


def is_code(name: str) -> bool:
    return name in CODES or name.endswith(CODE_SUFFIXES)


def numbers(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every number, list of numbers and mapping to numbers: schema or address, name, and the schema of the field."""
    for name, schema in document["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            if _is_number(described):
                yield name, field, described
        members = schema.get("additionalProperties")
        if isinstance(members, dict) and _is_number(members):
            yield name, "", members
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if _is_number(parameter["schema"]):
                    yield path, parameter["name"], parameter["schema"]


def _is_number(schema: dict[str, Any]) -> bool:
    within = [*schema.get("anyOf", ()), schema.get("items"), schema.get("additionalProperties")]
    return schema.get("type") in WHOLE or any(isinstance(each, dict) and _is_number(each) for each in within)


def _say(field: dict[str, Any], sentence: str | None) -> None:
    if sentence is not None:
        own = field.get("description")
        field["description"] = f"{own}; {sentence}" if own and sentence not in own else sentence
