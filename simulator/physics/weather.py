"""Air temperature over the lowlands of Asahan: a pure function of seed and time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from devices.kind import Floats
from simulator.noise import wander
from simulator.physics.rain import DAY_S, WIB_S


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
    everywhere = np.zeros(len(t), dtype=np.int64)
    return np.asarray(28 + 4 * daily + 0.7 * wander(seed, "air", [0], 6 * 3600).at(everywhere, t))


def minutely(curve: Callable[[Floats], Floats], t: Floats) -> Floats:
    """A slow curve of time, straight between whole minutes: worked out once a minute and not once a row.

    The minutes are those of the clock, so the value at t does not depend on what else is asked.
    """
    minute = np.floor(t / 60)
    first, last = (minute.min(), minute.max() + 1) if len(t) else (0.0, 0.0)
    if last - first > len(t):  # few rows far apart
        before, after = curve(minute * 60), curve((minute + 1) * 60)
    else:
        table = curve(np.arange(first, last + 1) * 60)
        i = (minute - first).astype(np.int64)
        before, after = table[i], table[i + 1]
    return np.asarray(before + (t / 60 - minute) * (after - before))
