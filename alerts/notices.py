"""Should somebody be told? A pure answer that names its reason."""

from __future__ import annotations

from typing import Literal

from alerts.engine import Transition

Why = Literal["new", "worse", "now live", "over"]


def wants_notice(transition: Transition, least_severity: int) -> Why | None:
    """Why this transition is worth a notice, or None. Historical ones never page; better never pages, except its end.

    An alert whose severity stayed below least_severity was never announced, so its end is not either.
    """
    if transition.historical:
        return None
    if transition.what == "cleared":
        # The worst it has been, not the last: a river comes down rung by rung.
        worst = max(transition.peak_severity or 0, transition.from_severity or 0)
        return "over" if worst >= least_severity else None
    if (transition.to_severity or 0) < least_severity:
        return None
    return {"raised": "new", "worsened": "worse", "went_live": "now live"}.get(transition.what)  # type: ignore[return-value]
