"""Water-level gauges: what the stations send of the rivers' levels and the rain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from devices.device import Device
from devices.kind import Floats
from simulator.noise import normal, smooth, uniform
from simulator.rivers import INDEX, Rivers
from simulator.weather import air_c, wib_hour

Ints = npt.NDArray[np.int64]
NOISE_M = 0.0012  # of a radar on moving water
DEAD_ZONE_M = 0.25
LEVEL_OR_DISTANCE = frozenset({"level_m", "distance_m"})  # a station sends one of the two


@dataclass(frozen=True)
class Gauges:
    """Constants of every gauge, one column each. sensor_m is NaN for stations that send their level."""

    seed: int
    key: Ints
    reach: Ints
    sensor_m: Floats
    rivers: Rivers

    def __len__(self) -> int:
        return len(self.key)


def gauges_of(devices: Sequence[Device], seed: int, rivers: Rivers) -> Gauges:
    """The constants of gauges; a gauge's id names its reach (wl-buntu-pane)."""
    heights = [d.attributes.get("sensor_to_datum_m") for d in devices]
    return Gauges(
        seed,
        np.arange(len(devices)),
        np.array([INDEX[d.id.removeprefix("wl-")] for d in devices], dtype=np.int64),
        np.array([float("nan") if h is None else float(h) for h in heights]),
        rivers,
    )


def measure(gauges: Gauges, row: Ints, t: Floats, period_s: Floats) -> dict[str, Floats]:
    """Metrics for rows of (gauge, epoch s, time since its last report)."""
    reach, key = gauges.reach[row], gauges.key[row]
    level = gauges.rivers.level(reach, t)
    level = level + NOISE_M * normal(gauges.seed, "gauge/noise", key, np.round(t * 1000))
    # Waves and wind: a slow wobble of some millimetres, more at the open mouth.
    level = level + np.where(reach == INDEX["bagan-asahan"], 0.012, 0.003) * smooth(
        gauges.seed, "gauge/wave", key, t, 90
    )
    distance = np.maximum(gauges.sensor_m[row] - level, DEAD_ZONE_M)
    return {
        "level_m": np.where(np.isnan(distance), np.round(level, 3), np.nan),
        "distance_m": np.round(distance, 3),
        "rain_mm": gauges.rivers.rain_mm(reach, t - period_s, t),
        "temperature_c": np.round(air_c(gauges.seed, t) + 0.5, 1),
        "battery_v": np.round(_battery_v(gauges.seed, key, t), 2),
        "rssi_dbm": np.round(-88 - 14 * uniform(gauges.seed, "gauge/rssi", key) + 2.5 * normal(
            gauges.seed, "gauge/fading", key, t // 10
        )),
    }  # fmt: skip


def _battery_v(seed: int, key: Ints, t: Floats) -> Floats:
    """A lithium cell behind a small panel: 3.65 V at dawn, full at 4.10 V by the afternoon, slowly down at night."""
    hour = wib_hour(t)
    charge = np.where(
        (hour >= 6.5) & (hour < 15),
        np.sin(np.pi / 2 * (hour - 6.5) / 8.5),
        1 - ((hour - 15) % 24) / 15.5,
    )
    cloud = 0.8 + 0.2 * uniform(seed, "gauge/cloud", key)
    return np.asarray(3.65 + 0.45 * cloud * charge)
