"""Water-level gauges: what the stations send of the rivers' levels and the rain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from devices.device import Device
from devices.kind import Floats
from simulator.noise import Hashes, Wander, roots, scatter, uniform, wander
from simulator.physics.rivers import INDEX, Rivers
from simulator.physics.weather import air_c, minutely, wib_hour

Ints = npt.NDArray[np.int64]
NOISE_M = 0.0012  # of a radar on moving water
DEAD_ZONE_M = 0.25
LEVEL_OR_DISTANCE = frozenset({"level_m", "distance_m"})  # a station sends one of the two


@dataclass(frozen=True)
class Gauges:
    """Constants of every gauge, one column each. sensor_m is NaN for stations that send their level."""

    seed: int
    reach: Ints
    sensor_m: Floats
    rivers: Rivers
    wave: Wander  # waves and wind: a slow wobble
    wave_m: Floats
    noise: Hashes
    cloud: Floats  # how much sun its panel gets
    rssi_dbm: Floats
    fading: Hashes

    def __len__(self) -> int:
        return len(self.reach)


def gauges_of(devices: Sequence[Device], seed: int, rivers: Rivers) -> Gauges:
    """The constants of gauges; a gauge's id ends with its reach (wl-buntu-pane)."""
    key = np.arange(len(devices))
    heights = [d.attributes.get("sensor_to_datum_m") for d in devices]
    reach = np.array([INDEX[d.id.rpartition("wl-")[2]] for d in devices], dtype=np.int64)
    return Gauges(
        seed=seed,
        reach=reach,
        sensor_m=np.array([float("nan") if h is None else float(h) for h in heights]),
        rivers=rivers,
        wave=wander(seed, "gauge/wave", key, 90),
        wave_m=np.where(reach == INDEX["bagan-asahan"], 0.012, 0.003),  # more at the open mouth
        noise=roots(seed, "gauge/noise", key),
        cloud=0.8 + 0.2 * uniform(seed, "gauge/cloud", key),
        rssi_dbm=-88 - 14 * uniform(seed, "gauge/rssi", key),
        fading=roots(seed, "gauge/fading", key),
    )


def measure(gauges: Gauges, row: Ints, t: Floats, period_s: Floats) -> dict[str, Floats]:
    """Metrics for rows of (gauge, epoch s, time since its last report)."""
    reach = gauges.reach[row]
    level = gauges.rivers.level(reach, t)
    level = level + NOISE_M * scatter(gauges.noise[row], np.round(t * 1000))
    level = level + gauges.wave_m[row] * gauges.wave.at(row, t)
    distance = np.maximum(gauges.sensor_m[row] - level, DEAD_ZONE_M)
    air = minutely(lambda minute: air_c(gauges.seed, minute), t)
    return {
        "level_m": np.where(np.isnan(distance), np.round(level, 3), np.nan),
        "distance_m": np.round(distance, 3),
        "rain_mm": gauges.rivers.rain_mm(reach, t - period_s, t),
        "temperature_c": np.round(air + 0.5, 1),
        "battery_v": np.round(3.65 + 0.45 * gauges.cloud[row] * _charge(t), 2),
        "rssi_dbm": np.round(gauges.rssi_dbm[row] + 2.5 * scatter(gauges.fading[row], t // 10)),
    }


def _charge(t: Floats) -> Floats:
    """A lithium cell behind a small panel: empty (3.65 V) at dawn, full (4.10 V) by the afternoon."""
    hour = wib_hour(t)
    return np.where(
        (hour >= 6.5) & (hour < 15),
        np.sin(np.pi / 2 * (hour - 6.5) / 8.5),
        1 - ((hour - 15) % 24) / 15.5,
    )
