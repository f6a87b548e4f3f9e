"""Air temperature over the lowlands of Asahan: a pure function of seed and time."""

from __future__ import annotations

import numpy as np

from devices.kind import Floats
from simulator.noise import smooth
from simulator.rain import DAY_S, WIB_S


def wib_hour(t: Floats) -> Floats:
    """Hour of the local day, 0 <= h < 24."""
    return np.asarray((t + WIB_S) % DAY_S / 3600)


def air_c(seed: int, t: Floats) -> Floats:
    """24 to 32 Cel, warmest about 14:00, coolest before dawn; a cloudy day is up to 2 Cel cooler."""
    hour = wib_hour(t)
    daily = np.where(
        (hour >= 5.5) & (hour < 14),
        -np.cos(np.pi * (hour - 5.5) / 8.5),
        np.cos(np.pi * ((hour - 14) % 24) / 15.5),
    )
    return np.asarray(28 + 4 * daily + 0.7 * smooth(seed, "air", np.zeros(1), t, 6 * 3600))
