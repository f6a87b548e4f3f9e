"""What each reading of a device says under a rule of docs/rules.md, and which metrics the rules look at."""

from __future__ import annotations

import numpy as np

from simulator.truth import lamp_verdicts as lamp
from simulator.truth import road_verdicts as road
from simulator.truth.course import Course, Verdicts, falling, rising, told
from simulator.truth.rules import MAINS_V, ExpectedRule

NEEDED: dict[str, tuple[str, ...]] = {
    "streetlight": ("power_w", "voltage_v", "dimming_pct", "power_factor", "switch_count"),
    "water_level": ("level_m",),
    "traffic": ("speed_kmh", "occupancy_pct", "count"),
    "cabinet": ("voltage_min_v", "voltage_max_v", "mains_ok", "door_open"),
}


def verdicts(rule: ExpectedRule, course: Course) -> Verdicts | None:
    """What readings with the columns of NEEDED say. None when no reading reaches any rung."""
    match rule.name:
        case "siaga":
            return rising(rule, course.columns["level_m"], course.bounds(rule))
        case "level_missing":
            absent = course.trusted & np.isnan(course.columns["level_m"])
            return told([absent], [absent], course.trusted)
        case "sensor_fault":
            return told([~course.trusted], [~course.trusted], np.ones(len(course.trusted), dtype=np.bool_))
        case "voltage_high":
            highest = "voltage_max_v" if rule.kind == "cabinet" else "voltage_v"
            return rising(rule, course.columns[highest], course.bounds(rule))
        case "voltage_low":
            voltage = course.columns["voltage_min_v" if rule.kind == "cabinet" else "voltage_v"]
            return falling(rule, np.where(voltage < MAINS_V, np.nan, voltage), course.bounds(rule))
        case "cabinet_no_mains":
            return falling(rule, course.columns["mains_ok"], course.bounds(rule))
        case "cabinet_door":
            return rising(rule, course.columns["door_open"], course.bounds(rule))
        case "lamp_out":
            return lamp.lamp_out(course)
        case "unpowered":
            return lamp.unpowered(rule, course)
        case "day_burner":
            return lamp.day_burner(rule, course)
        case "low_power":
            return lamp.low_power(rule, course)
        case "high_power":
            return lamp.high_power(rule, course)
        case "low_power_factor":
            return lamp.low_power_factor(rule, course)
        case "cycling":
            return lamp.cycling(course)
        case "congestion":
            return road.congestion(rule, course)
        case "stopped":
            return road.stopped(rule, course)
        case "loop_fault":
            return road.loop_fault(course)
