"""Where the sun stands: NOAA's solar equations (Global Monitoring Laboratory, solar calculator), vectorised.

Good to about 0.01 degrees between 1950 and 2050; no refraction (use -0.833 degrees for sunrise and sunset).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from devices.kind import Floats

SUNSET_DEG = -0.833


# Declination and equation of time change by less than 1e-5 degrees between two knots and what a line says of them.
KNOT_S = 600


def elevation_deg(epoch_s: npt.ArrayLike, lat: npt.ArrayLike, lon: npt.ArrayLike) -> Floats:
    """Geometric elevation of the sun's centre above the horizon, degrees.

    epoch_s: seconds since 1970 UTC; lat, lon: degrees, WGS 84, north and east positive. Shapes broadcast.
    """
    t = np.asarray(epoch_s, dtype=np.float64)
    declination, equation_of_time_min = _at(t)
    true_solar_min = (t / 60 + equation_of_time_min + 4 * np.asarray(lon, dtype=np.float64)) % 1440
    hour_angle = np.radians(true_solar_min / 4 - 180)
    phi = np.radians(np.asarray(lat, dtype=np.float64))
    sine = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(hour_angle)
    return np.asarray(np.degrees(np.arcsin(np.clip(sine, -1, 1))), dtype=np.float64)


def _at(t: Floats) -> tuple[Floats, Floats]:
    """Declination (radians) and equation of time (minutes), interpolated between knots: batches span few of them."""
    knot, which = np.unique(np.floor(t / KNOT_S), return_inverse=True)
    which = which.reshape(t.shape)
    part = t / KNOT_S - knot[which]
    before, after = _exactly(knot * KNOT_S), _exactly((knot + 1) * KNOT_S)
    declination, equation = (a[which] + part * (b - a)[which] for a, b in zip(before, after, strict=True))
    return declination, equation


def _exactly(t: Floats) -> tuple[Floats, Floats]:
    century = (t / 86_400 + 2_440_587.5 - 2_451_545) / 36_525
    mean_longitude = (280.46646 + century * (36_000.76983 + 0.0003032 * century)) % 360
    mean_anomaly = np.radians(357.52911 + century * (35_999.05029 - 0.0001537 * century))
    eccentricity = 0.016708634 - century * (0.000042037 + 0.0000001267 * century)
    centre = (
        np.sin(mean_anomaly) * (1.914602 - century * (0.004817 + 0.000014 * century))
        + np.sin(2 * mean_anomaly) * (0.019993 - 0.000101 * century)
        + np.sin(3 * mean_anomaly) * 0.000289
    )
    node = np.radians(125.04 - 1934.136 * century)
    longitude = np.radians(mean_longitude + centre - 0.00569 - 0.00478 * np.sin(node))
    seconds = 21.448 - century * (46.815 + century * (0.00059 - century * 0.001813))
    obliquity = np.radians(23 + (26 + seconds / 60) / 60 + 0.00256 * np.cos(node))
    declination = np.arcsin(np.sin(obliquity) * np.sin(longitude))

    y = np.tan(obliquity / 2) ** 2
    double = 2 * np.radians(mean_longitude)
    equation_of_time_min = 4 * np.degrees(
        y * np.sin(double)
        - 2 * eccentricity * np.sin(mean_anomaly)
        + 4 * eccentricity * y * np.sin(mean_anomaly) * np.cos(double)
        - 0.5 * y * y * np.sin(2 * double)
        - 1.25 * eccentricity**2 * np.sin(2 * mean_anomaly)
    )
    return declination, equation_of_time_min
