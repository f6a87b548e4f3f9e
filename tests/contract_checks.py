"""A check for Schemathesis: data that fits the schema is refused only for what no schema says, and the answer names it.

Stands in the place of positive_data_acceptance, which takes every 422 for a fault.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import schemathesis

# What is somebody else's doing: not there, changed meanwhile, not now. Not 401: our own key is valid, and nobody takes
# it away (before_call).
MAY_BE = frozenset((403, 404, 409, 412, 428, 429))
OWN_KEY = os.environ["SIAGA_CONTRACT_KEY"]
ANSWERED = Path(os.environ["SIAGA_CONTRACT_ANSWERED"])
# What was guessed is no secret of anybody's.
SECRETS = ("sign_in_here", "change_password")
# Fields whose worth depends on other fields, on the clock, on settings, or on what is stored: from after to, a range
# that is too long, a cursor of another address, times gone by. And NUL, which the whole query and path must not have.
ANYWHERE = frozenset((
    "cursor", "from", "to", "at", "since", "until", "limit", "query", "path", "fields", "bbox", "near",
))  # fmt: skip
# The first part of the field's name, by operation.
HERE: dict[str, frozenset[str]] = {
    "act_on_many_alerts": frozenset(("assignee", "items", "reason", "scope", "filter", "action")),
    "act_on_many_quarantine": frozenset(("note", "shift_s", "ids", "filter")),
    "act_on_one": frozenset(("note", "shift_s")),
    "change_rule": frozenset(("rule", "reason")),
    "change_user": frozenset(("password", "regions")),
    "create_key": frozenset(("role", "regions", "days")),
    "create_shift": frozenset(("person", "team")),
    "create_user": frozenset(("password", "regions", "name")),
    "create_window": frozenset(("name", "what", "scope", "reason", "device", "kind")),
    "dry_run": frozenset(("devices", "ids", "rules", "kind")),
    "give_rule_back": frozenset(("kind", "scope", "rule")),
    "import_devices": frozenset(("body", "id", "kind", "name", "region", "district", "lat", "lon")),
    "list_metrics": frozenset(("metric", "agg", "device", "group", "tz", "fill", "bucket")),
    "list_readings": frozenset(("device", "kind")),
    "list_series": frozenset(("metric", "device", "points")),
    "post_readings": frozenset(("body", "Idempotency-Key")),
    # What there is of commands, args and groupings depends on the kind.
    "tell_device": frozenset(("name", "args", "timeout_s", "Idempotency-Key")),
    "tell_group": frozenset(("name", "args", "scope", "group", "timeout_s", "Idempotency-Key")),
    "sign_in_here": frozenset(("body", "key", "name", "password")),
    "change_password": frozenset(("password", "new")),
    "show_summary": frozenset(("by",)),
    "show_night": frozenset(("date",)),  # further away than a date goes in UTC
    "show_typical": frozenset(("date", "site")),  # site or device, one of them
}


@schemathesis.check
def refused_only_for_what_no_schema_says(ctx: Any, response: Any, case: Any) -> None:
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code < 400 or response.status_code in MAY_BE:
        return
    if response.status_code == 401 and case.operation.definition.raw["operationId"] in SECRETS:
        return
    if response.status_code == 422:
        operation = case.operation.definition.raw["operationId"]
        fields = {str(error.get("field", "")).split(".")[0] for error in response.json().get("errors", ())}
        if fields and fields <= ANYWHERE | HERE.get(operation, frozenset()):
            return
    raise AssertionError(f"refused what its schema allows: {response.status_code} {response.text[:500]}")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Our own key stays, or all that follows would be 401. And links are followed from whole lists: of what a filter
    with a random name finds there is no first item."""
    operation = case.operation.definition.raw
    if operation["operationId"] == "revoke_key" and str(case.path_parameters.get("key_id")) == OWN_KEY:
        case.path_parameters["key_id"] = 10**9
    follows = case.meta is not None and case.meta.phase.name == "stateful" and case.method == "GET"
    if follows and any("links" in answer for answer in operation["responses"].values()):
        must = {each["name"] for each in operation.get("parameters", ()) if each.get("required")}
        case.query = {name: value for name, value in case.query.items() if name in must | {"cursor"}}


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Which operation answered what, for who looks whether each has been reached at all."""
    with ANSWERED.open("a", encoding="utf-8") as file:
        file.write(f"{case.operation.definition.raw['operationId']} {response.status_code}\n")
