"""River and tide gauges: level above the station's own datum, or the distance a radar looks down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from itertools import pairwise
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from devices.commands import Args, Command
from devices.kind import Attributes, Columns, Floats, Kind, Label, Metric, Reading
from devices.quality import Change, Flat
from devices.topics import DEVICE_ID

Number = float | None

# The fastest rise of Jakarta's gauges on 1 January 2020 was 2.7 m/h; waves and noise stay below 5 cm (docs/quality.md).
RISE = Change(per_s=3 / 3600, least=0.05, spike=0.30)
STUCK = Flat(tolerance=0.001, suspect_s=6 * 3600, fail_s=24 * 3600, step="resolution_m")


class WaterLevel(Reading):
    """One gauge at one instant; level_m may be negative: datums are local."""

    level_m: Annotated[
        Number, Metric("m", -5, 20, Label("Muka air", "Water level"), decimals=2, change=RISE, flat=STUCK)
    ] = None
    distance_m: Annotated[Number, Metric("m", 0.15, 30, Label("Jarak sensor", "Sensor distance"), decimals=3)] = None
    rain_mm: Annotated[Number, Metric("mm", 0, 50, Label("Hujan", "Rain"), "sum", 1)] = None
    temperature_c: Annotated[Number, Metric("Cel", -20, 80, Label("Suhu", "Temperature"), sign=Label("°C", "°C"))] = (
        None
    )


class WaterLevelAttributes(Attributes):
    """Siaga thresholds are inclusive lower bounds in m above datum; official only with an authority's letter.
    upstream is the id of the next gauge up the river: how long water takes from there is learned (docs/forecasts.md).
    resolution_m is the step of what is told; coarser than 1 mm, a level that stands still says nothing.
    tidal: the tide moves it, so a rise in the last hour says nothing of the next (alerts/rising.py)."""

    river: str | None = Field(default=None, max_length=64)
    upstream: str | None = Field(default=None, pattern=DEVICE_ID.pattern)
    sensor_to_datum_m: float | None = Field(default=None, ge=-50, le=100)
    siaga_3_m: float | None = Field(default=None, ge=-50, le=100)
    siaga_2_m: float | None = Field(default=None, ge=-50, le=100)
    siaga_1_m: float | None = Field(default=None, ge=-50, le=100)
    resolution_m: float | None = Field(default=None, gt=0, le=10)
    tidal: bool | None = None
    datum: str | None = Field(default=None, max_length=64)
    authority: str | None = Field(default=None, max_length=128)
    valid_from: date | None = None
    official: bool = False

    @model_validator(mode="after")
    def _levels_rise(self) -> Self:
        given = [v for v in (self.siaga_3_m, self.siaga_2_m, self.siaga_1_m) if v is not None]
        if any(low >= high for low, high in pairwise(given)):
            raise ValueError("thresholds must rise: siaga_3_m < siaga_2_m < siaga_1_m")
        return self


def _level(values: Columns, attribute: Callable[[str], Floats]) -> Mapping[str, Floats]:
    """level = sensor_to_datum - distance wherever both are known; the server never trusts a level sent beside them."""
    from_distance = attribute("sensor_to_datum_m") - values["distance_m"]
    return {"level_m": np.where(np.isnan(from_distance), values["level_m"], from_distance)}


class IntervalArgs(Args):
    """interval_s: time between two readings, s. After 35 min without a reading a gauge counts as silent."""

    interval_s: int = Field(ge=10, le=1800, json_schema_extra={"x-unit": "s"})


INTERVAL = Command(
    "interval", Label("Selang kirim", "Reporting interval"), "engineer", IntervalArgs,
    "measures and publishes this often, until it is told otherwise", {"interval_s": 60},
)  # fmt: skip


KIND = Kind(
    name="water_level",
    label=Label("Pos muka air", "Water level gauge"),
    reading=WaterLevel,
    attributes=WaterLevelAttributes,
    interval_s=600,
    primary="level_m",
    derive=_level,
    group_by=("river",),
    example={"level_m": 2.688, "rain_mm": 0.4, "temperature_c": 29.5},
    commands=(INTERVAL,),
)
