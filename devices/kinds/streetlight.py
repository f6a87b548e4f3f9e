"""Streetlight controllers (PJU): names and units after OMA LwM2M objects 3416 and 3418 (uCIFI)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from devices.kind import Attributes, Kind, Label, Metric, Reading

Number = float | None


class Streetlight(Reading):
    """One lamp at one instant. Hard ranges: docs/kinds.md."""

    power_w: Annotated[Number, Metric("W", 0, 1000, Label("Daya", "Power"))] = None
    voltage_v: Annotated[Number, Metric("V", 0, 300, Label("Tegangan", "Voltage"))] = None
    current_a: Annotated[Number, Metric("A", 0, 10, Label("Arus", "Current"), decimals=3)] = None
    power_factor: Annotated[
        Number, Metric("1", -1, 1, Label("Faktor daya", "Power factor"), decimals=2, sign=Label("", ""))
    ] = None
    dimming_pct: Annotated[Number, Metric("%", 0, 100, Label("Peredupan", "Dimming"), decimals=0)] = None
    energy_wh: Annotated[
        Number, Metric("W.h", 0, 1e9, Label("Energi", "Energy"), "counter", 0, sign=Label("Wh", "Wh"))
    ] = None
    operating_h: Annotated[
        Number,
        Metric("h", 0, 1e6, Label("Jam nyala", "Operating hours"), "counter", 1, sign=Label("jam", "h")),
    ] = None
    switch_count: Annotated[
        Number,
        Metric("1", 0, 1e7, Label("Jumlah nyala-mati", "Switch count"), "counter", 0, sign=Label("kali", "times")),
    ] = None
    temperature_c: Annotated[Number, Metric("Cel", -20, 110, Label("Suhu", "Temperature"), sign=Label("°C", "°C"))] = (
        None
    )


class StreetlightAttributes(Attributes):
    """feeder and panel are the supply above the lamp; nominal_w is its full-power load in W."""

    feeder: str | None = Field(default=None, max_length=64)
    panel: str | None = Field(default=None, max_length=64)
    nominal_w: float | None = Field(default=None, gt=0, le=1000)


KIND = Kind(
    name="streetlight",
    label=Label("Lampu jalan", "Streetlight"),
    reading=Streetlight,
    attributes=StreetlightAttributes,
    interval_s=900,  # every 15 min while lit; the slower pace of 60 min by day is the stale rule's concern
    primary="power_w",
)
