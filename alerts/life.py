"""The life of an alert beside what its rule says of it: what people may do to it, and when that is over. Pure.

States and words after ISA-18.2 (IEC 62682): acknowledged or not, shelved (by a person, for a time), suppressed by
design (by the alert that stands for it), out of service (while work goes on). docs/alerts.md has the table.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, NamedTuple, get_args

from alerts.engine import What

Action = Literal["ack", "unack", "shelve", "unshelve", "comment", "assign"]
Done = Literal["acked", "unacked", "shelved", "unshelved", "commented", "assigned"]
Withheld = Literal["suppressed", "released"]
# One shelf ends with the alert that was shelved, the other takes in what the rule raises on the device meanwhile.
Scope = Literal["alert", "rule"]

BECOMES: dict[Action, Done] = {
    "ack": "acked",
    "unack": "unacked",
    "shelve": "shelved",
    "unshelve": "unshelved",
    "comment": "commented",
    "assign": "assigned",
}
# Events that say something of the level; all others are people's doing or the server's.
OF_THE_RULE: frozenset[str] = frozenset(get_args(What))
# Who did what nobody did.
SERVER = "siaga"


class Order(NamedTuple):
    """Who wants what done, and when. until and scope are of shelving; assignee None takes the assignment back."""

    action: Action
    who: str
    at: datetime
    why: str | None = None
    until: datetime | None = None
    scope: Scope = "alert"
    assignee: str | None = None


class Standing(NamedTuple):
    """As much of an alert as decides what may be done to it. open: active, or cleared and not yet acknowledged."""

    open: bool
    acked: bool
    acked_by: str | None
    shelved_until: datetime | None
    shelved_by: str | None
    assignee: str | None


def refusal(order: Order, alert: Standing) -> str | None:
    """Why an order cannot be carried out, in words for who gave it; None where it can."""
    match order.action:
        case "ack" if alert.acked:
            return f"already acknowledged by {alert.acked_by}"
        case "unack" | "shelve" | "assign" if not alert.open:
            return "the alert is over"
        case "unack" if not alert.acked:
            return "nobody has acknowledged it"
        case "shelve" if alert.shelved_until is not None:
            return f"already shelved by {alert.shelved_by} until {alert.shelved_until.isoformat()}; unshelve it first"
        case "unshelve" if alert.shelved_until is None:
            return "it is not shelved"
        case "assign" if alert.assignee == order.assignee:
            return f"already assigned to {order.assignee or 'nobody'}"
    return None


def outgrown(severity: int, shelved_severity: int) -> bool:
    """Whether an alert has become worse than what was shelved.

    Shelving says "I know of this": a river at Siaga 1 must not stay hidden by a shelf that was set at Siaga 3.
    """
    return severity > shelved_severity


def too_long(at: datetime, until: datetime, most_h: float) -> str | None:
    """Why a time to shelve until, or to work until, is refused; None where it is good. most_h: limit in hours."""
    if until <= at:
        return f"{until.isoformat()} is not after {at.isoformat()}"
    if until - at > timedelta(hours=most_h):
        return f"{until.isoformat()} is more than {most_h:g} h away"
    return None
