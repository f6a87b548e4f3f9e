"""Traffic detectors: vehicles counted over a period per lane; `ts` is the end of the period."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

import numpy as np
from pydantic import Field

from devices.kind import Attributes, Bools, Columns, Floats, Kind, Label, Metric, Reading

Number = float | None
VEHICLES = Label("kend", "veh")

# Motorcycles ride abreast, so headways under 1 s are real; 0.8 s bounds the count of one lane.
LEAST_HEADWAY_S = 0.8


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


KIND = Kind(
    name="traffic",
    label=Label("Lalu lintas", "Traffic"),
    reading=Traffic,
    attributes=TrafficAttributes,
    interval_s=300,
    primary="speed_kmh",
    derive=_flow,
    impossible=_beyond_period,
)
