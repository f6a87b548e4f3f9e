"""Traffic at detectors: demand by hour and day of the week, a point queue where demand exceeds capacity.

Triangular fundamental diagram; motorcycles are 65 to 75 % of vehicles. Capacity 1,600 pcu/h a lane, jam density
140 pcu/km, backward wave 16 km/h, emp 0.3 for motorcycles and 1.3 for heavy vehicles (MKJI 1997).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from devices.device import Device
from devices.kind import Floats
from simulator.asahan import STREETS
from simulator.noise import normal, uniform
from simulator.rain import DAY_S, WIB_S

CAPACITY_PCU, JAM_PCU_KM, WAVE_KMH = 1600.0, 140.0, 16.0
PCU_MOTORCYCLE, PCU_CAR, PCU_HEAVY = 0.30, 1.0, 1.3
LENGTH_M = (2.6, 5.5, 10.0)  # motorcycle, car, heavy: with the detection zone
DISPERSION = 1.5  # variance of a count over its mean: negative binomial
STEP_S = 300
NIGHT_S = 3 * 3600  # a queue's day begins at 03:00, when no road has one
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)  # compared by identity, so that it can key a cache
class Detectors:
    """Constants of every detector, one column each; capacity and discharge are vehicles an hour."""

    seed: int
    key: Ints
    free_flow_kmh: Floats
    demand: Floats  # at the highest hour, as a share of capacity
    capacity: Floats
    discharge: Floats  # while a queue stands
    motorcycles: Floats
    heavy: Floats
    pcu: Floats  # per vehicle, mean of the mix

    def __len__(self) -> int:
        return len(self.key)


def detectors_of(devices: Sequence[Device], seed: int) -> Detectors:
    """The constants of detectors, from their registry entries and the seed."""
    key = np.arange(len(devices))
    streets = {street.name: street for street in STREETS}
    chosen = [streets.get(str(d.attributes.get("site")), STREETS[i % len(STREETS)]) for i, d in enumerate(devices)]
    lane = np.array([int(d.attributes.get("lane", 1)) for d in devices])
    motorcycles = 0.65 + 0.10 * uniform(seed, "detector/motorcycles", key)
    heavy = 0.02 + 0.05 * uniform(seed, "detector/heavy", key)
    pcu = motorcycles * PCU_MOTORCYCLE + heavy * PCU_HEAVY + (1 - motorcycles - heavy) * PCU_CAR
    capacity = CAPACITY_PCU / pcu
    # Lanes out of town and further lanes carry less.
    demand = np.array([s.demand for s in chosen]) * np.where(lane == 1, 1.0, 0.8)
    return Detectors(
        seed=seed,
        key=key,
        free_flow_kmh=np.array([float(d.attributes.get("free_flow_kmh", 45.0)) for d in devices]),
        demand=demand,
        capacity=capacity,
        discharge=capacity * np.array([s.bottleneck for s in chosen]),
        motorcycles=motorcycles,
        heavy=heavy,
        pcu=pcu,
    )


def measure(detectors: Detectors, row: Ints, t: Floats, period_s: Floats) -> dict[str, Floats]:
    """Metrics for rows of (detector, epoch s of the period's end, period)."""
    d, key, tick = detectors, detectors.key[row], np.round(t * 1000).astype(np.int64)
    flow, speed = flow_and_speed(d, row, t - period_s / 2)
    count = _counts(d.seed, key, tick, flow * period_s / 3600, period_s)
    some = np.maximum(count, 1)
    motorcycle = _part(d.seed, "motorcycle", key, tick, count, d.motorcycles[row])
    heavy = _part(d.seed, "heavy", key, tick, count - motorcycle, d.heavy[row] / (1 - d.motorcycles[row]))
    car = count - motorcycle - heavy
    spread = 0.06 * normal(d.seed, "traffic/speed", key, tick).clip(-3, 3) / np.sqrt(np.minimum(some, 9) / 3)
    speed = np.where(count > 0, speed * (1 + spread), np.nan)
    length = motorcycle * LENGTH_M[0] + car * LENGTH_M[1] + heavy * LENGTH_M[2]
    occupied_s = np.where(count > 0, length / (np.where(count > 0, speed, 1.0) / 3.6), 0.0)
    return {
        "period_s": np.round(period_s, 3),
        "count": count,
        "speed_kmh": np.round(speed, 1),
        "occupancy_pct": np.asarray(np.round(np.minimum(100 * occupied_s / period_s, 100), 2), dtype=np.float64),
        "headway_s": np.where(count > 0, np.round(period_s / some, 2), np.nan),
        "count_motorcycle": motorcycle,
        "count_car": car,
        "count_heavy": heavy,
    }


def flow_and_speed(detectors: Detectors, row: Ints, t: Floats) -> tuple[Floats, Floats]:
    """Expected flow (vehicles/h) and speed (km/h): on the free branch, or on the congested one while a queue stands."""
    flow = np.empty(len(t))
    queued = np.zeros(len(t), dtype=np.bool_)
    begin = np.floor((t + WIB_S - NIGHT_S) / DAY_S).astype(np.int64)
    for day in np.unique(begin):
        here = begin == day
        step = ((t[here] - (day * DAY_S - WIB_S + NIGHT_S)) // STEP_S).astype(np.int64)
        queued[here] = _queues(detectors, int(day))[row[here], step] > 1
        flow[here] = _demand(detectors, row[here], t[here])
    flow = np.where(queued, detectors.discharge[row], np.minimum(flow, detectors.capacity[row]))
    pcu_flow = flow * detectors.pcu[row]
    congested = pcu_flow / (JAM_PCU_KM - pcu_flow / WAVE_KMH)
    return flow, np.where(queued, np.minimum(congested, detectors.free_flow_kmh[row]), detectors.free_flow_kmh[row])


def profile(t: Floats) -> Floats:
    """Demand over the day as a share of the evening peak: 07:15, 12:30 and 17:00; Friday prayer; a late Sunday."""
    hour = (t + WIB_S) % DAY_S / 3600
    weekday = np.floor((t + WIB_S) / DAY_S + 3) % 7  # 0 is Monday: 1 January 1970 was a Thursday
    sunday, friday = weekday == 6, weekday == 4
    day = 0.30 * np.clip((hour - 5.5) / 1.5, 0, 1) * np.clip((22.5 - hour) / 3, 0, 1)
    morning = np.where(sunday, 0.25 * _bell(hour, 9.5, 1.6), 0.55 * _bell(hour, 7.25, 0.8))
    midday = 0.25 * _bell(hour, 12.5, 1.0)
    evening = np.where(sunday, 0.45, 0.65) * _bell(hour, 17.0, 1.0)
    prayer = np.where(friday, 1 - 0.65 * _bell(hour, 12.6, 0.45) + 0.35 * _bell(hour, 13.6, 0.4), 1.0)
    return np.asarray((0.05 + day + morning + midday + evening) * prayer)


def _demand(detectors: Detectors, row: Ints, t: Floats) -> Floats:
    """Vehicles an hour that want to pass; every lane has better and worse days, and half hours."""
    key = detectors.key[row]
    day = 1 + 0.05 * normal(detectors.seed, "traffic/day", key, (t + WIB_S) // DAY_S).clip(-2, 2)
    swing = 1 + 0.05 * normal(detectors.seed, "traffic/half", key, t // 1800).clip(-2, 2)
    return np.asarray(profile(t) * detectors.demand[row] * detectors.capacity[row] * day * swing)


@lru_cache(maxsize=3)  # days; 1.2 kB a detector and day
def _queues(detectors: Detectors, day: int) -> npt.NDArray[np.float32]:
    """Vehicles waiting at every detector, each 5 min from 03:00 to 03:00: a point queue."""
    t = day * DAY_S - WIB_S + NIGHT_S + (np.arange(DAY_S // STEP_S) + 0.5) * STEP_S
    every = np.arange(len(detectors))
    waiting = np.zeros((len(detectors), len(t)), dtype=np.float32)
    queue = np.zeros(len(detectors))
    for i, at in enumerate(t):
        # The lane takes all up to its capacity; while a queue stands, only what the bottleneck lets through.
        served = np.where(queue > 1, detectors.discharge, detectors.capacity)
        came = _demand(detectors, every, np.full(len(detectors), at))
        queue = np.maximum(queue + (came - served) * STEP_S / 3600, 0.0)
        waiting[:, i] = queue
    return waiting


def _counts(seed: int, key: Ints, tick: Ints, mean: Floats, period_s: Floats) -> Floats:
    """Whole vehicles with variance 1.5 x mean; no more than a lane can carry (headway 0.8 s, 6,000 an hour)."""
    z = normal(seed, "traffic/count", key, tick).clip(-4, 4)
    drawn = np.round(mean + np.sqrt(DISPERSION * mean) * z)
    small = mean < 12
    drawn[small] = _small_counts(uniform(seed, "traffic/small", key, tick)[small], mean[small])
    return np.asarray(np.clip(drawn, 0, np.floor(np.minimum(1.25 * period_s, period_s / 0.6))))


def _small_counts(u: Floats, mean: Floats) -> Floats:
    """Negative binomial by inversion: successive probabilities are summed until they pass u."""
    size = mean / (DISPERSION - 1)
    p = 1 / DISPERSION
    probability = p**size
    total, count = probability.copy(), np.zeros_like(mean)
    for k in range(1, 64):
        more = u > total
        if not more.any():
            break
        probability = probability * (k - 1 + size) / k * (1 - p)
        total += probability
        count += more
    return count


def _part(seed: int, stream: str, key: Ints, tick: Ints, whole: Floats, share: Floats) -> Floats:
    """How many of `whole` belong to a class of this share (binomial, by its normal approximation)."""
    z = normal(seed, f"traffic/{stream}", key, tick)
    return np.asarray(np.clip(np.round(whole * share + np.sqrt(whole * share * (1 - share)) * z), 0, whole))


def _bell(hour: Floats, centre: float, width: float) -> Floats:
    return np.asarray(np.exp(-0.5 * ((hour - centre) / width) ** 2))
