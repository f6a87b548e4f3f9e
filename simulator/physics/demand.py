"""How much traffic wants to pass over a day, a week and a year: a pure function of time.

Peaks at 07:15, 12:30 and 17:00, within the survey windows of Indonesian studies (06-08, 11-13 and 16-18). Holidays and
shared leave of 2026: SKB 3 Menteri 1497, 2 and 5 of 2025; other years have none. Fasting month 19 February to 20 March.
Heights and widths are assumed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from devices.kind import Floats
from simulator.physics.rain import DAY_S, WIB_S
from simulator.physics.weather import wib_hour


def _days(*dates: str) -> npt.NDArray[np.int64]:
    return np.array(dates, dtype="datetime64[D]").astype(np.int64)


# Days since 1970.
HOLIDAYS = _days(
    "2026-01-01", "2026-01-16", "2026-02-16", "2026-02-17", "2026-03-18", "2026-03-19", "2026-03-20", "2026-03-21",
    "2026-03-22", "2026-03-23", "2026-03-24", "2026-04-03", "2026-04-05", "2026-05-01", "2026-05-14", "2026-05-15",
    "2026-05-27", "2026-05-28", "2026-05-31", "2026-06-01", "2026-06-16", "2026-08-17", "2026-08-25", "2026-12-24",
    "2026-12-25",
)  # fmt: skip
FASTING = _days("2026-02-19", "2026-03-20")  # first and last day
LEBARAN = _days("2026-03-21", "2026-03-27")  # families visit; offices and schools come back after it


def profile(t: Floats) -> Floats:
    """Demand at epoch seconds t as a share of a working day's evening peak."""
    hour, day = wib_hour(t), np.floor((t + WIB_S) / DAY_S).astype(np.int64)
    weekday = (day + 3) % 7  # 0 is Monday: 1 January 1970 was a Thursday
    lebaran = (day >= LEBARAN[0]) & (day <= LEBARAN[1])
    free = (weekday == 6) | np.isin(day, HOLIDAYS) | lebaran
    saturday = (weekday == 5) & ~free
    fasting = (day >= FASTING[0]) & (day <= FASTING[1])

    through = 0.30 * np.clip((hour - 5.5) / 1.5, 0, 1) * np.clip((22.5 - hour) / 3, 0, 1)
    morning = np.select(  # on Saturday schools, and few offices
        [free, fasting, saturday],
        [0.25 * _bell(hour, 9.5, 1.6), 0.45 * _bell(hour, 7.6, 0.8), 0.42 * _bell(hour, 7.25, 0.8)],
        0.55 * _bell(hour, 7.25, 0.8),
    )
    midday = np.select(
        [lebaran, fasting],
        [0.45 * _bell(hour, 11.5, 2.0), 0.12 * _bell(hour, 12.5, 1.0)],
        0.25 * _bell(hour, 12.5, 1.0),
    )
    height = np.select([free, saturday], [0.45, 0.52], 0.65)
    # In the fasting month all hurry home or to the market before sunset, and are out again after prayer at night.
    evening = height * np.where(fasting, _bell(hour, 16.5, 0.9), _bell(hour, 17.0, 1.0))
    late = np.select([fasting, saturday], [0.28 * _bell(hour, 20.7, 0.8), 0.10 * _bell(hour, 19.7, 1.0)], 0.0)
    fast_is_broken = np.where(fasting, 1 - 0.6 * _bell(hour, 18.5, 0.3), 1.0)
    prayer = np.where((weekday == 4) & ~free, 1 - 0.65 * _bell(hour, 12.6, 0.45) + 0.35 * _bell(hour, 13.6, 0.4), 1.0)
    return np.asarray((0.05 + through + morning + midday + evening + late) * fast_is_broken * prayer)


def _bell(hour: Floats, centre: float, width: float) -> Floats:
    return np.asarray(np.exp(-0.5 * ((hour - centre) / width) ** 2))
