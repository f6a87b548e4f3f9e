"""Traffic at detectors: what wants to pass, and a queue where that is more than the road lets through.

Triangular fundamental diagram; motorcycles are 65 to 75 % of vehicles. Capacity 1,600 pcu/h a lane, jam density
140 pcu/km, backward wave 16 km/h, emp 0.3 for motorcycles and 1.3 for heavy vehicles (MKJI 1997).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from devices.device import Device
from devices.kind import Floats
from simulator.asahan import STREETS
from simulator.noise import Hashes, even, normal, roots, scatter, uniform
from simulator.physics.demand import profile
from simulator.physics.rain import DAY_S, WIB_S
from simulator.physics.weather import minutely

CAPACITY_PCU, JAM_PCU_KM, WAVE_KMH = 1600.0, 140.0, 16.0
PCU_MOTORCYCLE, PCU_CAR, PCU_HEAVY = 0.30, 1.0, 1.3
LENGTH_M = (2.6, 5.5, 10.0)  # motorcycle, car, heavy: with the detection zone
DISPERSION = 1.5  # variance of a count over its mean: negative binomial
AWAY_M = (10.0, 150.0)  # how far before the stop line detectors lie
STEP_S, SWING_S = 300, 1800
NIGHT_S = 3 * 3600  # a queue's day begins at 03:00, when no road has one
Ints = npt.NDArray[np.int64]


class Incident(NamedTuple):
    """Something on a street that leaves a share of its capacity (0 to 1). since, until: epoch s, half-open."""

    site: str
    since: float
    until: float
    capacity: float


@dataclass(frozen=True, eq=False)  # compared by identity, so that it can key a cache
class Detectors:
    """Constants of every detector, one column each; capacity and discharge are vehicles an hour."""

    seed: int
    key: Ints
    site: tuple[str, ...]
    free_flow_kmh: Floats
    demand: Floats  # at the highest hour, as a share of capacity
    capacity: Floats
    discharge: Floats  # while a queue stands
    ahead: Floats  # vehicles that stand between it and the stop line
    motorcycles: Floats
    heavy: Floats
    pcu: Floats  # per vehicle, mean of the mix
    length_m: Floats  # likewise
    incidents: tuple[Incident, ...]
    noise: dict[str, Hashes]

    def __len__(self) -> int:
        return len(self.key)


class State(NamedTuple):
    """Expected flow (vehicles/h), speed (km/h) and density (vehicles/km) of a lane; whether it stands in a queue."""

    flow: Floats
    speed: Floats
    density: Floats
    queued: npt.NDArray[np.bool_]


def detectors_of(devices: Sequence[Device], seed: int, *, incidents: Sequence[Incident] = ()) -> Detectors:
    """The constants of detectors, from their registry entries and the seed.

    Raises ValueError for an incident without a detector, without duration or with a capacity outside 0 to 1.
    """
    key = np.arange(len(devices))
    site = tuple(str(d.attributes.get("site", "")) for d in devices)
    for incident in incidents:
        _check(incident, site)
    streets = {street.name: street for street in STREETS}
    chosen = [streets.get(name, STREETS[i % len(STREETS)]) for i, name in enumerate(site)]
    lane = np.array([int(d.attributes.get("lane", 1)) for d in devices])
    motorcycles = 0.65 + 0.10 * uniform(seed, "detector/motorcycles", key)
    heavy = 0.02 + 0.05 * uniform(seed, "detector/heavy", key)
    mix = np.array([motorcycles, 1 - motorcycles - heavy, heavy])
    pcu = np.array([PCU_MOTORCYCLE, PCU_CAR, PCU_HEAVY]) @ mix
    capacity = CAPACITY_PCU / pcu
    away_km = (AWAY_M[0] + (AWAY_M[1] - AWAY_M[0]) * uniform(seed, "detector/away", key)) / 1000
    return Detectors(
        seed=seed,
        key=key,
        site=site,
        free_flow_kmh=np.array([float(d.attributes.get("free_flow_kmh", 45.0)) for d in devices]),
        # Lanes out of town and further lanes carry less.
        demand=np.array([s.demand for s in chosen]) * np.where(lane == 1, 1.0, 0.8),
        capacity=capacity,
        discharge=capacity * np.array([s.bottleneck for s in chosen]),
        ahead=away_km * JAM_PCU_KM / pcu,
        motorcycles=motorcycles,
        heavy=heavy,
        pcu=pcu,
        length_m=np.array(LENGTH_M) @ mix,
        incidents=tuple(incidents),
        noise={name: roots(seed, f"traffic/{name}", key) for name in ("count", "motorcycle", "heavy", "speed")},
    )


def measure(detectors: Detectors, row: Ints, t: Floats, period_s: Floats) -> dict[str, Floats]:
    """Metrics for rows of (detector, epoch s of the period's end, period)."""
    d, tick = detectors, np.round(t * 1000).astype(np.int64)
    noise = {name: root[row] for name, root in d.noise.items()}
    lane = state(d, row, t - period_s / 2)
    count = _counts(noise["count"], tick, lane.flow * period_s / 3600, period_s)
    some = np.maximum(count, 1)
    motorcycle = _part(noise["motorcycle"], tick, count, d.motorcycles[row])
    heavy = _part(noise["heavy"], tick, count - motorcycle, d.heavy[row] / (1 - d.motorcycles[row]))
    car = count - motorcycle - heavy
    spread = 0.06 * scatter(noise["speed"], tick).clip(-3, 3) / np.sqrt(np.minimum(some, 9) / 3)
    speed = np.asarray(np.where(count > 0, lane.speed * (1 + spread), np.nan), dtype=np.float64)
    length = motorcycle * LENGTH_M[0] + car * LENGTH_M[1] + heavy * LENGTH_M[2]
    occupied = length / np.maximum(speed / 3.6, 0.1) / period_s
    # Nothing passed: the road is empty, or full of vehicles that stand.
    stands = np.where(lane.queued, lane.density * d.length_m[row] / 1000, 0.0)
    occupied = np.minimum(np.where(count > 0, occupied, stands), 1)
    return {
        "period_s": np.round(period_s, 3),
        "count": count,
        "speed_kmh": np.round(speed, 1),
        "occupancy_pct": np.asarray(np.round(100 * occupied, 2), dtype=np.float64),
        "headway_s": np.asarray(np.where(count > 0, np.round(period_s / some, 2), np.nan), dtype=np.float64),
        "count_motorcycle": motorcycle,
        "count_car": car,
        "count_heavy": heavy,
    }


def state(detectors: Detectors, row: Ints, t: Floats) -> State:
    """On the free branch of the fundamental diagram, or on the congested one while the queue reaches the detector."""
    d = detectors
    wanted, left = minutely(profile, t) * d.demand[row] * d.capacity[row], np.empty(len(t))
    queued = np.empty(len(t), dtype=np.bool_)
    begin = np.floor((t + WIB_S - NIGHT_S) / DAY_S).astype(np.int64)
    for number in np.unique(begin):
        here = np.flatnonzero(begin == number)
        day, since = _day(d, int(number)), t[here] - _begin(int(number))
        step = (since // STEP_S).astype(np.int64)
        wanted[here] *= day.swing[row[here], (since // SWING_S).astype(np.int64)]
        left[here] = day.left[row[here], step]
        before, after = day.waiting[row[here], step], day.waiting[row[here], step + 1]
        queued[here] = before + (since / STEP_S - step) * (after - before) > d.ahead[row[here]]
    flow = np.where(queued, d.discharge[row] * left, np.minimum(wanted, d.capacity[row]))
    free = d.free_flow_kmh[row]
    jammed = JAM_PCU_KM / d.pcu[row] - flow / WAVE_KMH
    density = np.where(queued, np.maximum(jammed, flow / free), flow / free)
    return State(flow, np.where(queued, flow / density, free), density, queued)


class _Day(NamedTuple):
    """Of every detector, from 03:00 to 03:00. swing: each half hour; left: each 5 min; waiting: at their edges."""

    swing: npt.NDArray[np.float32]  # better and worse days and half hours
    left: npt.NDArray[np.float32]  # share of capacity that incidents leave
    waiting: npt.NDArray[np.float32]  # vehicles in a point queue


@lru_cache(maxsize=3)  # 2.5 kB a detector and day
def _day(detectors: Detectors, number: int) -> _Day:
    d, begin = detectors, _begin(number)
    key, halves = d.key[:, np.newaxis], begin // SWING_S + np.arange(DAY_S // SWING_S)
    swing = 1 + 0.05 * normal(d.seed, "traffic/day", key, number).clip(-2, 2)
    swing = swing * (1 + 0.05 * normal(d.seed, "traffic/half", key, halves).clip(-2, 2))
    steps = np.asarray(begin + np.arange(DAY_S // STEP_S) * STEP_S, dtype=np.float64)
    wanted, left = profile(steps + STEP_S // 2), _left(d, steps)
    waiting = np.zeros((len(d), len(steps) + 1), dtype=np.float32)
    queue = np.zeros(len(d))
    for i in range(len(steps)):
        # The lane takes all up to its capacity; while a queue stands, only what the bottleneck lets through.
        served = np.where(queue > 1, d.discharge, d.capacity) * left[:, i]
        came = wanted[i] * swing[:, i * STEP_S // SWING_S] * d.demand * d.capacity
        queue = np.maximum(queue + (came - served) * STEP_S / 3600, 0.0)
        waiting[:, i + 1] = queue
    return _Day(swing.astype(np.float32), left, waiting)


def _begin(number: int) -> float:
    """03:00 WIB of a day numbered since 1970, epoch s."""
    return float(number * DAY_S - WIB_S + NIGHT_S)


def _left(detectors: Detectors, steps: Floats) -> npt.NDArray[np.float32]:
    """Share of capacity in each 5 min; of two incidents on a street the narrower counts."""
    left = np.ones((len(detectors), len(steps)), dtype=np.float32)
    for incident in detectors.incidents:
        lasted = np.minimum(incident.until, steps + STEP_S) - np.maximum(incident.since, steps)
        share = 1 - (1 - incident.capacity) * np.maximum(lasted, 0) / STEP_S
        at = [i for i, site in enumerate(detectors.site) if site == incident.site]
        left[at] = np.minimum(left[at], share)
    return left


def _check(incident: Incident, site: Sequence[str]) -> None:
    if incident.site not in site:
        raise ValueError(f"incident at {incident.site!r}: no detector has this site")
    if not incident.since < incident.until:
        raise ValueError(f"incident at {incident.site}: until {incident.until} must be after since {incident.since}")
    if not 0 <= incident.capacity <= 1:
        raise ValueError(f"incident at {incident.site}: capacity {incident.capacity} must be 0 to 1")


def _counts(root: Hashes, tick: Ints, mean: Floats, period_s: Floats) -> Floats:
    """Whole vehicles with variance 1.5 x mean; no more than a lane can carry (headway 0.8 s, 6,000 an hour)."""
    drawn = np.round(mean + np.sqrt(DISPERSION * mean) * scatter(root, tick))
    small = np.flatnonzero(mean < 12)
    drawn[small] = _small_counts(even(root[small], tick[small]), mean[small])
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


def _part(root: Hashes, tick: Ints, whole: Floats, share: Floats) -> Floats:
    """How many of `whole` belong to a class of this share (binomial, by its normal approximation)."""
    z = scatter(root, tick)
    return np.asarray(np.clip(np.round(whole * share + np.sqrt(whole * share * (1 - share)) * z), 0, whole))
