"""Conditions of traffic detectors. Definitions and their sources: docs/rules.md."""

from __future__ import annotations

import numpy as np

from alerts.judged import Judged, Seen, highest, where_known, yes_or_no
from alerts.rule import Rule


def congestion(rule: Rule, seen: Seen) -> Judged:
    """Speed over free flow below a bound while occupancy exceeds occupancy_pct; over bound + hysteresis it is past."""
    index = seen.metric("speed_kmh") / seen.attribute("free_flow_kmh")
    occupancy = seen.metric("occupancy_pct")
    crowded = occupancy > rule.occupancy_pct
    bounds = seen.bounds(rule)
    up = highest(index, [(index < b) & crowded for b in bounds])
    hold = highest(index, [index < b + rule.hysteresis for b in bounds])
    # An empty road has no speed; nothing on it (occupancy 0) is still not congested.
    empty = np.isnan(seen.metric("speed_kmh")) & (occupancy == 0)
    up[empty], hold[empty] = 0, 0
    return where_known((~np.isnan(index) & ~np.isnan(occupancy)) | empty, up, hold)


def stopped(rule: Rule, seen: Seen) -> Judged:
    """Speed below a bound, km/h, while occupancy exceeds occupancy_pct; from bound + hysteresis on it is past.

    Where nothing passes there is no speed: a lane occupied for more than full_pct of the time stands, an empty one does
    not, and in between one vehicle may be parked on the loop, so nothing is said.
    """
    speed, occupancy = seen.metric("speed_kmh"), seen.metric("occupancy_pct")
    nothing_passes = seen.metric("count") == 0
    stands, empty = nothing_passes & (occupancy > rule.full_pct), nothing_passes & (occupancy == 0)
    speed = np.where(stands, 0.0, np.where(empty, np.inf, np.where(nothing_passes, np.nan, speed)))
    crowded = occupancy > rule.occupancy_pct
    bounds = seen.bounds(rule)
    up = highest(speed, [(speed < b) & (crowded | stands) for b in bounds])
    hold = highest(speed, [speed < b + rule.hysteresis for b in bounds])
    return where_known(np.asarray(~np.isnan(speed) & ~np.isnan(occupancy)), up, hold)


def no_flow(rule: Rule, seen: Seen) -> Judged:
    """A detector that sees nothing while the sun is up, guard_s around sunrise and sunset left out: no vehicle counted,
    none on the loop. Anything it sees, whenever, says that it works; an empty road at night says nothing."""
    count, occupancy = seen.metric("count"), seen.metric("occupancy_pct")
    blind = (count == 0) & (occupancy == 0)
    sees = (count > 0) | (occupancy > 0)
    return yes_or_no(sees | (blind & seen.day_and_night(rule.guard_s).day), blind)
