"""Should somebody be told? A pure answer that names its reason."""

from __future__ import annotations

from typing import Literal, NamedTuple

from alerts.engine import Transition

Why = Literal["new", "worse", "now live", "back"]


class Back(NamedTuple):
    """An alert that is no longer shelved or suppressed, as it is now. held: it still is, for another reason."""

    active: bool
    acked: bool
    historical: bool
    held: bool
    severity: int


def wants_notice(transition: Transition, least_severity: int, held: bool = False) -> Why | None:
    """Why this transition is worth a notice, or None. Historical ones never page, and better ones never do.

    held: shelved or suppressed, so nobody is told. That an alert is over is told to whoever was told of it: the worker
    sees it by the alert itself (storage/pages.py).
    """
    if transition.historical or held or (transition.to_severity or 0) < least_severity:
        return None
    reasons: dict[str, Why] = {"raised": "new", "worsened": "worse", "went_live": "now live"}
    return reasons.get(transition.what)


def wants_notice_again(alert: Back, least_severity: int) -> Why | None:
    """Whether to tell of an alert whose shelf or suppression is over: it still stands, and nobody looks after it."""
    waits = alert.active and not (alert.acked or alert.historical or alert.held)
    return "back" if waits and alert.severity >= least_severity else None
