"""Nights at Kisaran, numbered from noon to noon: when the sun sets and rises, and when clouds bring dusk forward."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from devices.kind import Floats
from devices.sun import SUNSET_DEG, elevation_deg
from simulator.asahan import CENTRE
from simulator.noise import uniform
from simulator.physics.rain import DAY_S, WIB_S

FIRST_NOON = 1_577_854_800  # noon WIB of 1 January 2020
NIGHTS = 366 * 30
CLOUDY_SHARE, CLOUD_S = 0.4, 900.0  # of evenings, and how much earlier a photocell switches under the darkest cloud
Ints = npt.NDArray[np.int64]


class Nights(NamedTuple):
    """dusk_s, dawn_s: seconds after the noon of each night. before_s: seconds of all nights before each."""

    dusk_s: Floats
    dawn_s: Floats
    before_s: Floats


def night_of(t: Floats) -> tuple[Ints, Floats]:
    """Number of the night and seconds since its noon. Raises ValueError outside the calendar."""
    night = np.floor((t - FIRST_NOON) / DAY_S).astype(np.int64)
    if night.size and (night.min() < 0 or night.max() >= NIGHTS):
        raise ValueError("the simulator's calendar reaches from January 2020 to 2049")
    return night, t - FIRST_NOON - night * float(DAY_S)


@lru_cache(maxsize=4)
def nights(seed: int) -> Nights:
    """Dusk and dawn as a photocell in Kisaran sees them: sunset, earlier under cloud, and sunrise."""
    cloud = (uniform(seed, "night/cloud", np.arange(NIGHTS)) - (1 - CLOUDY_SHARE)) / CLOUDY_SHARE
    dusk = sunset() - CLOUD_S * cloud.clip(0, 1)
    return Nights(dusk, sunrise(), np.concatenate([[0.0], np.cumsum(sunrise() - dusk)])[:-1])


@cache
def sunset() -> Floats:
    """Sunset (-0.833 degrees), seconds after the noon of each night."""
    return _crossing(6.3 * 3600, -1)


@cache
def sunrise() -> Floats:
    """The sunrise that ends each night, seconds after its noon."""
    return _crossing(18.3 * 3600, 1)


def _crossing(guess_s: float, sign: int) -> Floats:
    """When the sun crosses the horizon: near the equator it moves 0.24 degrees a minute, four steps find it to 1 s."""
    noon = FIRST_NOON + np.arange(NIGHTS) * float(DAY_S)
    s = np.full(NIGHTS, guess_s)
    for _ in range(4):
        s += (SUNSET_DEG - elevation_deg(noon + s, *CENTRE)) / (sign * 0.24 / 60)
    return s


assert (FIRST_NOON + WIB_S) % DAY_S == DAY_S // 2
