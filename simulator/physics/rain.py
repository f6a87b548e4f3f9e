"""Rain: storms as standing cells with a depth, a place and a course in time; pure functions of seed and time.

Evening and night storms of 2 to 7 h, depth exponential with mean 15 mm, intensity highest at about 38 % of the
duration: the local pattern behind the floods of 2017 and 2020. Wet season all year; a dry one is not modelled.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from devices.kind import Floats
from simulator.noise import normal, uniform

DAY_S = 86_400
WIB_S = 7 * 3600
CHANCE = 0.65  # of a storm in one evening
DEPTH_MEAN_MM, DEPTH_MAX_MM = 15.0, 75.0
HILLS = (2.78, 99.36)  # storms gather over the upper Silau and Asahan
MEMORY_DAYS = 14  # of the soil
BUCKET_MM = 0.2  # a tipping bucket counts whole tips


class Storm(NamedTuple):
    """begin: epoch s. depth_mm: at the centre. runoff: share of the rain that reaches the river soon."""

    begin: float
    duration_s: float
    depth_mm: float
    lat: float
    lon: float
    radius_km: float
    runoff: float


@lru_cache(maxsize=16)
def storms(seed: int, first: int, last: int) -> tuple[Storm, ...]:
    """The storms of the evenings first … last, numbered by days since 1970 in WIB."""
    day = np.arange(first - MEMORY_DAYS, last + 1)
    chance, u = uniform(seed, "storm/chance", day), uniform(seed, "storm/depth", day)
    depth = np.where(chance < CHANCE, np.minimum(-DEPTH_MEAN_MM * np.log(u), DEPTH_MAX_MM), 0.0)
    begin = day * DAY_S - WIB_S + 3600 * (19.5 + 2.0 * normal(seed, "storm/begin", day).clip(-2, 2))
    duration = 3600 * (2 + 5 * uniform(seed, "storm/duration", day))
    lat = HILLS[0] + 0.10 * normal(seed, "storm/lat", day).clip(-2, 2)
    lon = HILLS[1] + 0.12 * normal(seed, "storm/lon", day).clip(-2, 2)
    radius = 12 + 10 * uniform(seed, "storm/radius", day)
    wet = _runoff(depth)
    return tuple(
        Storm(*(float(column[i]) for column in (begin, duration, depth, lat, lon, radius, wet)))
        for i in range(MEMORY_DAYS, len(day))
        if depth[i] > 0
    )


def cumulative_mm(
    falling: Iterable[Storm], lat: float | Floats, lon: float | Floats, t: Floats, *, runoff: bool = False
) -> Floats:
    """Rain in mm since all these storms began, at one place or each its own; with `runoff` what reaches the river."""
    total = np.zeros(np.shape(t))
    for storm in falling:
        km = np.hypot((lat - storm.lat) * 110.6, (lon - storm.lon) * 111.2)
        depth = storm.depth_mm * np.exp(-0.5 * (km / storm.radius_km) ** 2) * (storm.runoff if runoff else 1.0)
        total += depth * fallen(storm, t)
    return total


def fallen(storm: Storm, t: Floats) -> Floats:
    """Share of a storm that has fallen at t: Kumaraswamy's distribution (2, 4), steepest at 38 %."""
    x = np.clip((t - storm.begin) / storm.duration_s, 0, 1)
    return np.asarray(1 - (1 - x**2) ** 4)


def tipped_mm(before: Floats, after: Floats) -> Floats:
    """What a tipping bucket reports between two cumulative depths."""
    tips = np.floor(after / BUCKET_MM + 1e-9) - np.floor(before / BUCKET_MM + 1e-9)
    return np.asarray(np.round(tips * BUCKET_MM, 1), dtype=np.float64)


def _runoff(depth: Floats) -> Floats:
    """0.2 on dry soil to 0.7 on wet: antecedent index API_t = 0.9 * API_(t-1) + P, over MEMORY_DAYS evenings."""
    weights = np.concatenate([[0.0], 0.9 ** np.arange(MEMORY_DAYS)])  # an evening is not its own antecedent
    index = np.convolve(depth, weights)[: len(depth)]
    return np.asarray(0.2 + 0.5 * (1 - np.exp(-index / 40)))
