"""The tide at the mouth of the Asahan and what of it is left upstream: a pure function of time.

Bagan Asahan is semidiurnal, 1.1 m at neap and 3.9 m at spring (Dishidros 2002): M2 = (3.9 + 1.1) / 4 and
S2 = (3.9 - 1.1) / 4 m. N2, K1 and O1 are assumed. Phases are arbitrary: this is no tide table.
"""

from __future__ import annotations

import numpy as np

from devices.kind import Floats

# name: amplitude in m, speed in degrees an hour, phase in degrees at 1970-01-01 00:00 UTC
CONSTITUENTS = {
    "M2": (1.25, 28.9841042, 53.0),
    "S2": (0.70, 30.0, 100.0),
    "N2": (0.25, 28.4397295, 27.0),
    "K1": (0.20, 15.0410686, 310.0),
    "O1": (0.10, 13.9430356, 141.0),
}
REACH_KM = 15.0  # upstream the amplitude falls by 1/e in this distance
LAG_S_PER_KM = 180.0  # half an hour in 10 km


def at_mouth(t: Floats) -> Floats:
    """Height above mean sea level in m at epoch seconds t."""
    hours = np.asarray(t, dtype=np.float64) / 3600
    height = np.zeros_like(hours)
    for amplitude, speed, phase in CONSTITUENTS.values():
        height += amplitude * np.cos(np.radians(speed * hours % 360 - phase))
    return height


def upstream(t: Floats, distance_km: float, discharge: Floats, damping_m3s: float) -> Floats:
    """Backwater in m at a distance from the mouth; a discharge of damping_m3s halves it."""
    left = np.exp(-distance_km / REACH_KM) / (1 + discharge / damping_m3s)
    return np.asarray(at_mouth(t - LAG_S_PER_KM * distance_km) * left)
