"""River levels as a cascade: rain on catchments, runoff, routing downstream, tide from below.

Runoff follows the Nakayasu unit hydrograph (HSS Nakayasu, the Indonesian design method) and a slow linear reservoir;
waves travel as through two linear reservoirs, which delays and flattens them; stage is Q = a * (h - h0) ** b.
Areas, lengths and ratings are assumed: none are published for the Silau, Piasa and Asahan. They are chosen so that a
flood of the Silau behaves as published ones do: first rise 2 to 2.5 h after the rain begins (BPBD Asahan, June 2020),
0.3 to 1.7 m/h at its steepest (Jakarta, January 2020), recession 3 to 5 times slower, 2 to 4 h from gauge to gauge with
0.7 to 0.9 of the rise left (Wear). The lower Asahan is slower and stays high for days.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from devices.kind import Floats
from simulator.asahan import GAUGES
from simulator.physics import tide
from simulator.physics.rain import DAY_S, WIB_S, Storm, cumulative_mm, tipped_mm
from simulator.physics.rain import storms as random_storms

STEP_S = 300
STEPS = DAY_S // STEP_S
KERNEL_DAYS = 10  # a storm is forgotten after this
SLOW_SHARE, SLOW_K_S = 0.15, 48 * 3600.0

# The opening: the upper Silau comes to Siaga 2 this long after the start of a run.
OPENING_CROSSES_S = 40.0
OPENING = Storm(begin=0.0, duration_s=6.5 * 3600, depth_mm=91.0, lat=2.80, lon=99.31, radius_km=14.0, runoff=0.60)
QUIET_BEFORE_S, QUIET_AFTER_S = 4 * DAY_S, 10 * 3600


class Reach(NamedTuple):
    """What makes the discharge at a gauge: its own catchment, and gauges upstream with their travel time in h."""

    area_km2: float
    length_km: float
    lat: float
    lon: float
    base_m3s: float
    a: float
    h0: float
    b: float
    upstream: tuple[tuple[str, float], ...] = ()
    tide_km: float | None = None
    damping_m3s: float = 1.0


# Upstream before downstream.
REACHES = {
    "buntu-pane": Reach(500, 60, 2.79, 99.39, 22, 36, 0.0, 1.8),
    "tinggi-raja": Reach(150, 28, 2.77, 99.49, 7, 17, 0.0, 1.8),
    "kisaran-barat": Reach(150, 25, 2.90, 99.53, 6, 27, 0.0, 2.2, (("buntu-pane", 3.0), ("tinggi-raja", 3.0))),
    "bandar-pulau": Reach(600, 50, 2.58, 99.30, 110, 58, 0.0, 1.8),
    "pulau-rakyat": Reach(400, 45, 2.68, 99.55, 20, 36, 0.0, 1.8, (("bandar-pulau", 5.0),), 70.0, 400.0),
    "simpang-empat": Reach(250, 35, 2.85, 99.72, 15, 88, 0.0, 1.8, (("pulau-rakyat", 4.0),), 25.0, 500.0),
    # The mouth is wide: rivers hardly raise it. h0 is mean sea level above the gauge's datum.
    "bagan-asahan": Reach(
        50, 15, 2.98, 99.82, 2, 6000, 1.55, 1.0, (("simpang-empat", 2.0), ("kisaran-barat", 4.0)), 0.0, 8000.0
    ),
}
INDEX = {key: i for i, key in enumerate(REACHES)}
SITES = {site.key: site for site in GAUGES}
_LAT, _LON = (np.array([getattr(SITES[key], name) for key in REACHES]) for name in ("lat", "lon"))


class Rivers:
    """Levels and rain of all gauges at any time, the same for the same seed and start.

    Computed a day at a time and kept for a few days: a run of weeks needs no more memory than one of an hour.
    """

    def __init__(
        self,
        seed: int,
        start: float,
        *,
        opening: bool = True,
        storms: Sequence[Storm] = (),
        seeded: bool = True,
    ) -> None:
        """start: epoch s. opening: with the storm of the opening. storms: more of them. seeded: with random ones."""
        self._seed = seed
        self._storms = tuple(storms)
        self._seeded = seeded
        self._runoff = {key: _runoff_kernel(r.area_km2, r.length_km) for key, r in REACHES.items()}
        self._routing = {hours: _routing_kernel(hours) for r in REACHES.values() for _, hours in r.upstream}
        self._days: dict[int, Floats] = {}
        self._start: float | None = None
        self._opening: Storm | None = None
        if opening:
            self._start = start
            self._opening = self._placed(start)

    def level(self, reach: npt.NDArray[np.int64], t: Floats) -> Floats:
        """Level in m above station datum for rows of (index of reach, epoch s)."""
        out = np.empty(len(t))
        days = np.floor(t / DAY_S).astype(np.int64)
        for day in np.unique(days):
            here = days == day
            x = (t[here] - day * DAY_S) / STEP_S
            i = x.astype(np.int64)
            table = self._day(int(day))
            out[here] = table[reach[here], i] * (1 - (x - i)) + table[reach[here], i + 1] * (x - i)
        return out

    def rain_mm(self, reach: npt.NDArray[np.int64], since: Floats, until: Floats) -> Floats:
        """What tipping buckets at the gauges counted between two times, row by row."""
        out = np.zeros(len(until))
        if not len(until):
            return out
        first, last = float(since.min()), float(until.max())
        for storm in self._falling(first, last):
            if storm.begin >= last or storm.begin + storm.duration_s <= first:
                continue
            # Each storm fills the bucket anew, so that how time is cut cannot shift its tips.
            depth = (
                cumulative_mm([storm], _LAT[reach], _LON[reach], until),
                cumulative_mm([storm], _LAT[reach], _LON[reach], since),
            )
            out += tipped_mm(depth[1], depth[0])
        return np.round(out, 1)

    def _falling(self, since: float, until: float) -> list[Storm]:
        """The storms that may matter between two times (epoch s), those of the evening before included."""
        found = list(self._storms)
        if self._seeded:
            evenings = random_storms(self._seed, int((since + WIB_S) // DAY_S) - 1, int((until + WIB_S) // DAY_S))
            quiet = (self._start - QUIET_BEFORE_S, self._start + QUIET_AFTER_S) if self._start is not None else (0, 0)
            found += [s for s in evenings if not quiet[0] < s.begin < quiet[1]]
        return found if self._opening is None else [*found, self._opening]

    def _day(self, day: int) -> Floats:
        if day not in self._days:
            if len(self._days) >= 4:
                del self._days[min(self._days)]
            self._days[day] = self._computed(day)
        return self._days[day]

    def _computed(self, day: int) -> Floats:
        """Levels of all gauges through one UTC day, one column more so that every time has a right neighbour."""
        before = (KERNEL_DAYS + 2) * STEPS
        t = np.asarray((day * STEPS + np.arange(-before, STEPS + 1)) * float(STEP_S), dtype=np.float64)
        falling = self._falling(float(t[0]), float(t[-1]))
        discharge: dict[str, Floats] = {}
        levels = np.empty((len(REACHES), STEPS + 1))
        for key, reach in REACHES.items():
            rain = np.diff(cumulative_mm(falling, reach.lat, reach.lon, t, runoff=True), prepend=0.0)
            rain[0] = 0.0
            flow: Floats = reach.base_m3s + _convolved(rain, self._runoff[key])
            for source, hours in reach.upstream:
                base = discharge[source][0]
                flow = flow + base + _convolved(discharge[source] - base, self._routing[hours])
            discharge[key] = flow
            levels[INDEX[key]] = _stage(reach, t[before:], flow[before:])
        return levels

    def _placed(self, start: float) -> Storm:
        """The opening storm, moved so that Buntu Pane crosses Siaga 2 OPENING_CROSSES_S after the start."""
        target, at = SITES["buntu-pane"].bounds[1], np.array([start + OPENING_CROSSES_S])
        bp = np.array([INDEX["buntu-pane"]])
        # First guess, then Newton steps on the rising limb: later rain means a lower level now.
        begin = start - 6.0 * 3600
        for _ in range(12):
            self._opening = OPENING._replace(begin=begin)
            self._days.clear()
            now, later = float(self.level(bp, at)[0]), float(self.level(bp, at + 600)[0])
            rate = max((later - now) / 600, 0.1 / 3600)
            begin -= float(np.clip((target - now) / rate, -3600, 3600))
        self._days.clear()
        return OPENING._replace(begin=begin)


def nakayasu(area_km2: float, length_km: float, hours: Floats) -> Floats:
    """Discharge in m3/s at `hours` after 1 mm of effective rain on the catchment (HSS Nakayasu).

    Tr = 0.5 Tg and alpha = 3 of the ranges the method leaves open (0.5 to 1, 1.5 to 3): quick to rise, slow to fall.
    """
    lag = time_lag_h(length_km)
    peak = lag + 0.8 * 0.5 * lag
    t03 = 3.0 * lag
    highest = area_km2 / (3.6 * (0.3 * peak + t03))
    rising = np.clip(hours / peak, 0, 1) ** 2.4
    after = hours - peak
    falling = np.select(
        [after <= t03, after <= 2.5 * t03],
        [0.3 ** (after / t03), 0.3 ** ((after + 0.5 * t03) / (1.5 * t03))],
        0.3 ** ((after + 1.5 * t03) / (2 * t03)),
    )
    return np.asarray(highest * np.where(after < 0, rising, falling))


def time_lag_h(length_km: float) -> float:
    """Tg, hours from rain to flood peak by the length of the main river (HSS Nakayasu)."""
    return 0.4 + 0.058 * length_km if length_km > 15 else 0.21 * length_km**0.7


def _runoff_kernel(area_km2: float, length_km: float) -> Floats:
    """m3/s per mm fallen in one step: quick by Nakayasu, slow by a linear reservoir, scaled to keep the volume."""
    hours = (np.arange(KERNEL_DAYS * STEPS) + 0.5) * STEP_S / 3600
    quick = nakayasu(area_km2, length_km, hours)
    slow = np.exp(-hours * 3600 / SLOW_K_S) - np.exp(-hours / 3)
    shape = (1 - SLOW_SHARE) * quick / quick.sum() + SLOW_SHARE * slow / slow.sum()
    return np.asarray(shape * area_km2 * 1000 / STEP_S)


def _routing_kernel(lag_h: float) -> Floats:
    """Two linear reservoirs in series behind a pure delay of 40 %: a share of each step's inflow per later step."""
    hours = np.arange(DAY_S * 2 // STEP_S) * STEP_S / 3600
    k = 0.6 * lag_h / 2
    x = np.maximum(hours - 0.4 * lag_h, 0) / k
    shape = x * np.exp(-x)
    return np.asarray(shape / shape.sum())


def _convolved(series: Floats, kernel: Floats) -> Floats:
    size = 1 << (len(series) + len(kernel) - 1).bit_length()
    product = np.fft.rfft(series, size) * np.fft.rfft(kernel, size)
    return np.asarray(np.fft.irfft(product, size)[: len(series)])


def _stage(reach: Reach, t: Floats, flow: Floats) -> Floats:
    level = reach.h0 + (np.maximum(flow, 0.0) / reach.a) ** (1 / reach.b)
    if reach.tide_km is not None:
        level = level + tide.upstream(t, reach.tide_km, np.maximum(flow, 0.0), reach.damping_m3s)
    return np.asarray(level)
