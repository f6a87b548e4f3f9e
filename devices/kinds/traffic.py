"""Traffic detectors: vehicles counted over a period per lane; `ts` is the end of the period."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

import numpy as np
from pydantic import Field

from devices.kind import Attributes, Bools, Columns, Floats, Kind, Label, Metric, Reading
from devices.quality import Change, Flat

Number = float | None
VEHICLES = Label("kend", "veh")

# Motorcycles ride abreast, so headways under 1 s are real; 0.8 s bounds the count of one lane.
LEAST_HEADWAY_S = 0.8

# A queue dissolves within minutes, but not by more than this; a lane is never the same for two hours (docs/quality.md).
SURGE = Change(per_s=40 / 900, least=40.0, spike=40.0)
STUCK = Flat(tolerance=0.0, suspect_s=2 * 3600, fail_s=12 * 3600, samples=8)
# Effective length of a vehicle in m, where enough of them passed to say.
SHORTEST_M, LONGEST_M, ENOUGH, ENOUGH_PCT = 1.5, 15.0, 3, 0.5


class Traffic(Reading):
    """One lane over one period. speed_kmh is null when nothing passed."""

    period_s: Annotated[Number, Metric("s", 1, 86_400, Label("Periode", "Period"), decimals=0)] = None
    count: Annotated[
        Number, Metric("{vehicle}", 0, 108_000, Label("Kendaraan", "Vehicles"), "sum", 0, sign=VEHICLES)
    ] = None
    speed_kmh: Annotated[
        Number,
        Metric(
            "km/h",
            0,
            200,
            Label("Kecepatan", "Speed"),
            decimals=0,
            sign=Label("km/jam", "km/h"),
            weight="count",
            change=SURGE,
            flat=STUCK,
        ),
    ] = None
    occupancy_pct: Annotated[Number, Metric("%", 0, 100, Label("Keterisian", "Occupancy"))] = None
    headway_s: Annotated[Number, Metric("s", 0, 86_400, Label("Selang kendaraan", "Headway"))] = None
    count_motorcycle: Annotated[
        Number, Metric("{vehicle}", 0, 108_000, Label("Sepeda motor", "Motorcycles"), "sum", 0, sign=VEHICLES)
    ] = None
    count_car: Annotated[Number, Metric("{vehicle}", 0, 108_000, Label("Mobil", "Cars"), "sum", 0, sign=VEHICLES)] = (
        None
    )
    count_heavy: Annotated[
        Number,
        Metric("{vehicle}", 0, 108_000, Label("Kendaraan berat", "Heavy vehicles"), "sum", 0, sign=VEHICLES),
    ] = None
    flow_vph: Annotated[
        Number,
        Metric(
            "{vehicle}/h",
            0,
            6_000,
            Label("Arus", "Flow"),
            decimals=0,
            sign=Label("kend/jam", "veh/h"),
            derived=True,
        ),
    ] = None


class TrafficAttributes(Attributes):
    """free_flow_kmh is the 85th percentile of speed on the empty road."""

    site: str | None = Field(default=None, max_length=64)
    lane: int | None = Field(default=None, ge=1, le=20)
    direction: str | None = Field(default=None, max_length=32)
    free_flow_kmh: float | None = Field(default=None, gt=0, le=200)


def _flow(values: Columns, attribute: Callable[[str], Floats]) -> Mapping[str, Floats]:
    """flow_vph = 3600 * count / period_s."""
    period = np.where(values["period_s"] > 0, values["period_s"], np.nan)
    return {"flow_vph": 3600 * values["count"] / period}


def _beyond_period(values: Columns) -> Mapping[str, Bools]:
    """More vehicles than the period holds, or a headway longer than it."""
    most = np.ceil(values["period_s"] / LEAST_HEADWAY_S)
    return {"count": values["count"] > most, "headway_s": values["headway_s"] > values["period_s"]}


def _inconsistent(values: Columns, attribute: Callable[[str], Floats]) -> Mapping[str, Bools]:
    """Classes that do not add up, a speed of nothing, vehicles far too short or too long.

    A vehicle's effective length is occupancy * speed / flow. A detector that knows no speed or no classes is not asked.
    """
    count, speed, occupancy = values["count"], values["speed_kmh"], values["occupancy_pct"]
    classes = values["count_motorcycle"] + values["count_car"] + values["count_heavy"]
    length_m = occupancy / 100 * 1000 * speed / values["flow_vph"]
    known = (count >= ENOUGH) & (occupancy >= ENOUGH_PCT)
    return {
        "classes": np.abs(classes - count) > 0,
        "speed": (count == 0) & (speed > 0),
        "length": known & ((length_m < SHORTEST_M) | (length_m > LONGEST_M)),
    }


KIND = Kind(
    name="traffic",
    label=Label("Lalu lintas", "Traffic"),
    reading=Traffic,
    attributes=TrafficAttributes,
    interval_s=300,
    primary="speed_kmh",
    derive=_flow,
    impossible=_beyond_period,
    doubtful=_inconsistent,
    group_by=("site",),
    example={
        "period_s": 300,
        "count": 42,
        "speed_kmh": 38,
        "occupancy_pct": 9.5,
        "headway_s": 7.1,
        "count_motorcycle": 31,
        "count_car": 9,
        "count_heavy": 2,
    },
)
