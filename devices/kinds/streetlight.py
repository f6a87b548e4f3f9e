"""Streetlight controllers (PJU): names and units after OMA LwM2M objects 3416 and 3418 (uCIFI)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from devices.commands import Args, Command
from devices.kind import Attributes, Bools, Columns, Floats, Kind, Label, Metric, Reading
from devices.quality import Change, Flat, Restless

Number = float | None

# Mains are never still to a tenth of a volt for hours; below 50 V there are none (docs/quality.md).
STUCK = Flat(tolerance=0.0, suspect_s=3 * 3600, fail_s=12 * 3600, above=50.0)
# No more than twice the nominal load, in Wh a second. A lamp that draws too much is no broken meter: that is a rule's
# concern (docs/rules.md, high_power), and it could not see it if such readings were suspect.
LOAD = Change(per_s=2.0 / 3600, least=2.0, per="nominal_w", rises_only=True)
# On and off twice within an hour; the sun and the schedule switch a lamp twice a night.
SWITCHES = Restless(rise=4, within_s=3600)
# |P - U I PF| may be so many W, or this share of P.
APART_W, APART_SHARE = 2.0, 0.05


class Streetlight(Reading):
    """One lamp at one instant. Hard ranges: docs/kinds.md."""

    power_w: Annotated[Number, Metric("W", 0, 1000, Label("Daya", "Power"))] = None
    voltage_v: Annotated[Number, Metric("V", 0, 300, Label("Tegangan", "Voltage"), flat=STUCK)] = None
    current_a: Annotated[Number, Metric("A", 0, 10, Label("Arus", "Current"), decimals=3)] = None
    power_factor: Annotated[
        Number, Metric("1", -1, 1, Label("Faktor daya", "Power factor"), decimals=2, sign=Label("", ""))
    ] = None
    dimming_pct: Annotated[Number, Metric("%", 0, 100, Label("Peredupan", "Dimming"), decimals=0)] = None
    energy_wh: Annotated[
        Number,
        Metric("W.h", 0, 1e9, Label("Energi", "Energy"), "counter", 0, sign=Label("Wh", "Wh"), change=LOAD),
    ] = None
    operating_h: Annotated[
        Number,
        Metric("h", 0, 1e6, Label("Jam nyala", "Operating hours"), "counter", 1, sign=Label("jam", "h")),
    ] = None
    switch_count: Annotated[
        Number,
        Metric(
            "1",
            0,
            1e7,
            Label("Jumlah nyala-mati", "Switch count"),
            "counter",
            0,
            sign=Label("kali", "times"),
            restless=SWITCHES,
        ),
    ] = None
    temperature_c: Annotated[Number, Metric("Cel", -20, 110, Label("Suhu", "Temperature"), sign=Label("°C", "°C"))] = (
        None
    )


class StreetlightAttributes(Attributes):
    """feeder and panel are the supply above the lamp; nominal_w is its full-power load in W."""

    feeder: str | None = Field(default=None, max_length=64)
    panel: str | None = Field(default=None, max_length=64)
    nominal_w: float | None = Field(default=None, gt=0, le=1000)


def _power_apart(values: Columns, attribute: Callable[[str], Floats]) -> Mapping[str, Bools]:
    """P is U * I * PF, which are measured apart; without PF, as when nothing flows, P is U * I at most."""
    power, factor = values["power_w"], values["power_factor"]
    apparent = values["voltage_v"] * values["current_a"]
    apart = np.where(np.isnan(factor), power - apparent, np.abs(power - apparent * factor))
    return {"power": apart > np.maximum(APART_W, APART_SHARE * np.abs(power))}


class SwitchArgs(Args):
    """state: on, off, or auto: by its own schedule, at the light that this has, and nothing told before counts."""

    state: Literal["on", "off", "auto"]


class DimArgs(Args):
    """level_pct: light in % whenever it is lit, instead of its schedule; 0 is dark."""

    level_pct: float = Field(ge=0, le=100, json_schema_extra={"x-unit": "%"})


SWITCH = Command(
    "switch", Label("Saklar", "Switch"), "operator", SwitchArgs,
    "lit, or dark, until it is told otherwise; auto: back to its own schedule and light", {"state": "on"},
)  # fmt: skip
DIM = Command(
    "dim", Label("Redupkan", "Dim"), "operator", DimArgs,
    "so much light whenever it is lit, until it is told otherwise; it does not switch it on", {"level_pct": 50.0},
)  # fmt: skip


KIND = Kind(
    name="streetlight",
    label=Label("Lampu jalan", "Streetlight"),
    reading=Streetlight,
    attributes=StreetlightAttributes,
    interval_s=900,  # every 15 min while lit; the slower pace of 60 min by day is the stale rule's concern
    primary="power_w",
    doubtful=_power_apart,
    group_by=("panel", "feeder"),
    example={
        "power_w": 84.2,
        "voltage_v": 226.0,
        "current_a": 0.39,
        "power_factor": 0.95,
        "dimming_pct": 100,
        "energy_wh": 412_350,
        "operating_h": 4_210,
        "switch_count": 812,
        "temperature_c": 41.5,
    },
    commands=(SWITCH, DIM),
)
