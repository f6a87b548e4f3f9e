"""Should somebody be told? A pure answer that names its reason."""

from __future__ import annotations

from typing import Literal, NamedTuple

from alerts.engine import Transition

Why = Literal["new", "worse", "now live", "over", "back"]


class Back(NamedTuple):
    """An alert that is no longer shelved or suppressed, as it is now. held: it still is, for another reason."""

    active: bool
    acked: bool
    historical: bool
    held: bool
    severity: int


def wants_notice(
    transition: Transition, least_severity: int, held: bool = False, told: bool | None = None
) -> Why | None:
    """Why this transition is worth a notice, or None. Historical ones never page; better never pages, except its end.

    held: shelved or suppressed, so nobody is told; but whoever was told of a beginning is told of its end.
    told: whether somebody was, where that is known; else whoever's severity stayed below least_severity was not.
    """
    if transition.historical:
        return None
    if transition.what == "cleared":
        # The worst it has been, not the last: a river comes down rung by rung.
        worst = max(transition.peak_severity or 0, transition.from_severity or 0)
        return "over" if (worst >= least_severity if told is None else told) else None
    if held or (transition.to_severity or 0) < least_severity:
        return None
    return {"raised": "new", "worsened": "worse", "went_live": "now live"}.get(transition.what)  # type: ignore[return-value]


def wants_notice_again(alert: Back, least_severity: int) -> Why | None:
    """Whether to tell of an alert whose shelf or suppression is over: it still stands, and nobody looks after it."""
    waits = alert.active and not (alert.acked or alert.historical or alert.held)
    return "back" if waits and alert.severity >= least_severity else None
