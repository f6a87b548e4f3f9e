"""What each reading of a traffic detector says under the rules about roads."""

from __future__ import annotations

import numpy as np

from simulator.truth.course import Course, Verdicts, falling, told
from simulator.truth.rules import BLIND_GUARD_S, FULL_PCT, OCCUPIED_PCT, STANDING_PCT, ExpectedRule


def congestion(rule: ExpectedRule, course: Course) -> Verdicts | None:
    """Nothing on the road (no speed, occupancy 0) is free flow and faster than any bound."""
    speed, occupancy = course.columns["speed_kmh"], course.columns["occupancy_pct"]
    index = speed / course.number("free_flow_kmh")
    index = np.where(np.isnan(occupancy), np.nan, index)
    index = np.where(np.isnan(speed) & (occupancy == 0), np.inf, index)
    return falling(rule, index, course.bounds(rule), occupancy > OCCUPIED_PCT)


def stopped(rule: ExpectedRule, course: Course) -> Verdicts | None:
    """Where nothing passes, occupancy alone says whether the lane is empty or full, or neither."""
    speed, occupancy, count = (course.columns[name] for name in ("speed_kmh", "occupancy_pct", "count"))
    speed = np.where(np.isnan(occupancy), np.nan, speed)
    at_rest = np.select([occupancy == 0, occupancy > FULL_PCT], [np.inf, 0.0], np.nan)
    moving = np.where(count == 0, at_rest, speed)
    return falling(rule, moving, course.bounds(rule), occupancy > STANDING_PCT)


def loop_fault(course: Course) -> Verdicts | None:
    """Nothing counted and nothing there, by day. By night an empty road is no news, and a vehicle always is."""
    count, occupancy = course.columns["count"], course.columns["occupancy_pct"]
    blind = (count == 0) & (occupancy == 0)
    if not blind.any():
        return None
    day, _ = course.day_and_night(BLIND_GUARD_S)
    return told([blind & day], [blind & day], (blind & day) | (count > 0) | (occupancy > 0))
