"""Which answer holds what another address asks for, for the OpenAPI document: clients and tests follow them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Link(NamedTuple):
    """From an operation to another: the parameter it takes, and where in the answer that stands (JSON pointer)."""

    source: str
    target: str
    parameters: Mapping[str, str]


FIRST = "/items/0"
ALERT = [
    "acknowledge_alert",
    "unacknowledge_alert",
    "shelve_alert",
    "unshelve_alert",
    "comment_on_alert",
    "assign_alert",
]
PAGED = [
    "list_devices",
    "list_latest",
    "list_alerts",
    "list_incidents",
    "list_shelves",
    "list_windows",
    "list_entries",
    "list_groups",
    "list_forecasts",
    "list_notices",
    "list_shifts",
    "list_handovers",
]
LINKS = (
    Link("list_devices", "show_device", {"device_id": f"{FIRST}/id"}),
    Link("list_devices", "list_readings", {"device": f"{FIRST}/id"}),
    Link("list_devices", "list_series", {"device": f"{FIRST}/id"}),
    Link("list_devices", "list_hours", {"device": f"{FIRST}/id"}),
    Link("list_devices", "list_missing", {"device": f"{FIRST}/id"}),
    Link("list_devices", "show_drift", {"device": f"{FIRST}/id"}),
    Link("list_devices", "list_rules", {"device": f"{FIRST}/id"}),
    Link("list_kinds", "list_metrics", {"kind": f"{FIRST}/kind"}),
    Link("list_alerts", "show_alert", {"alert_id": f"{FIRST}/id"}),
    Link("list_alerts", "show_incident_file", {"alert_id": f"{FIRST}/id"}),
    *(Link("list_alerts", target, {"alert_id": f"{FIRST}/id"}) for target in ALERT),
    *(Link(source, "show_alert", {"alert_id": "/id"}) for source in ALERT),
    Link("list_incidents", "show_incident", {"alert_id": f"{FIRST}/id"}),
    Link("list_incidents", "list_members", {"alert_id": f"{FIRST}/id"}),
    Link("list_shelves", "take_off_shelf", {"rule": f"{FIRST}/rule", "device_id": f"{FIRST}/device_id"}),
    Link("list_rules", "show_rule", {"rule_id": f"{FIRST}/rule/id"}),
    Link("list_windows", "show_window", {"window_id": f"{FIRST}/id"}),
    Link("create_window", "show_window", {"window_id": "/id"}),
    Link("create_window", "end_window", {"window_id": "/id"}),
    Link("list_entries", "show_entry", {"entry_id": f"{FIRST}/id"}),
    Link("list_entries", "act_on_one", {"entry_id": f"{FIRST}/id"}),
    Link("list_notices", "retry_notice", {"delivery_id": f"{FIRST}/id"}),
    Link("create_shift", "end_shift", {"shift_id": "/id"}),
    Link("list_shifts", "end_shift", {"shift_id": f"{FIRST}/id"}),
    Link("list_handovers", "show_handover", {"handover_id": f"{FIRST}/id"}),
    Link("list_handovers", "take_over", {"handover_id": f"{FIRST}/id"}),
    Link("hand_over", "take_over", {"handover_id": "/id"}),
    *(Link(name, name, {"cursor": "/next_cursor"}) for name in PAGED),
)


def add(operations: Mapping[str, dict[str, Any]]) -> None:
    """Write the links into the answers of these operations, by operation id. Raises KeyError for one that is gone."""
    for link in LINKS:
        source, target = operations[link.source], operations[link.target]
        success = next(code for code in sorted(source["responses"]) if code.startswith("2"))
        known = {parameter["name"] for parameter in target["parameters"]}
        assert link.parameters.keys() <= known, link
        source["responses"][success].setdefault("links", {})[link.target] = {
            "operationId": link.target,
            "parameters": {name: f"$response.body#{pointer}" for name, pointer in link.parameters.items()},
        }
