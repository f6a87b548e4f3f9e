"""Control cabinets (panels): the meter in front of a panel's lamps, after FIWARE's StreetlightControlCabinet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

import numpy as np
from pydantic import Field

from devices.kind import Attributes, Bools, Columns, Floats, Kind, Label, Metric, Reading
from devices.quality import Change, Flat

Number = float | None

PHASES = ("r", "s", "t")
NO_SIGN = Label("", "")
# As at a lamp: mains are never still to a tenth of a volt for hours (docs/quality.md).
STUCK = Flat(tolerance=0.0, suspect_s=3 * 3600, fail_s=12 * 3600, above=50.0)
# No more than four times the connected load, in Wh a second: a tap is no broken meter. Coarse meters count in kWh.
LOAD = Change(per_s=4.0 / 3600, least=1_000.0, per="nominal_w", rises_only=True)
# Under it a phase has no mains.
MAINS_V = 50.0
# The phases together may differ from the total, and P from U I PF, by so many W or this share.
APART_W, APART_SHARE = 20.0, 0.05


def _of_phase(phase: str, unit: str, low: float, high: float, label: Label, decimals: int) -> Metric:
    sign = NO_SIGN if unit == "1" else None
    flat = STUCK if unit == "V" else None
    named = Label(f"{label.id} {phase.upper()}", f"{label.en} {phase.upper()}")
    return Metric(unit, low, high, named, decimals=decimals, sign=sign, flat=flat)


def _volts(phase: str) -> Metric:
    return _of_phase(phase, "V", 0, 300, Label("Tegangan fase", "Voltage of phase"), 1)


def _amperes(phase: str) -> Metric:
    return _of_phase(phase, "A", 0, 1_000, Label("Arus fase", "Current of phase"), 2)


def _watts(phase: str) -> Metric:
    return _of_phase(phase, "W", 0, 200_000, Label("Daya fase", "Power of phase"), 0)


def _factor(phase: str) -> Metric:
    return _of_phase(phase, "1", -1, 1, Label("Faktor daya fase", "Power factor of phase"), 2)


def _yes_no(label: Label) -> Metric:
    return Metric("1", 0, 1, label, "state", 0, sign=NO_SIGN)


class Cabinet(Reading):
    """One cabinet at one instant; of a single-phase one only phase R. Yes and no are 1 and 0. Ranges: docs/kinds.md."""

    power_w: Annotated[Number, Metric("W", 0, 500_000, Label("Daya", "Power"), decimals=0)] = None
    energy_wh: Annotated[
        Number,
        Metric("W.h", 0, 1e12, Label("Energi", "Energy"), "counter", 0, sign=Label("Wh", "Wh"), change=LOAD),
    ] = None
    # 0 with the last report before the mains are gone.
    frequency_hz: Annotated[Number, Metric("Hz", 0, 70, Label("Frekuensi", "Frequency"), decimals=2)] = None
    contactor_on: Annotated[Number, _yes_no(Label("Kontaktor menutup", "Contactor closed"))] = None
    door_open: Annotated[Number, _yes_no(Label("Pintu terbuka", "Door open"))] = None
    mains_ok: Annotated[Number, _yes_no(Label("Ada listrik PLN", "Mains present"))] = None
    voltage_r_v: Annotated[Number, _volts("r")] = None
    voltage_s_v: Annotated[Number, _volts("s")] = None
    voltage_t_v: Annotated[Number, _volts("t")] = None
    current_r_a: Annotated[Number, _amperes("r")] = None
    current_s_a: Annotated[Number, _amperes("s")] = None
    current_t_a: Annotated[Number, _amperes("t")] = None
    power_r_w: Annotated[Number, _watts("r")] = None
    power_s_w: Annotated[Number, _watts("s")] = None
    power_t_w: Annotated[Number, _watts("t")] = None
    power_factor_r: Annotated[Number, _factor("r")] = None
    power_factor_s: Annotated[Number, _factor("s")] = None
    power_factor_t: Annotated[Number, _factor("t")] = None
    voltage_min_v: Annotated[
        Number, Metric("V", 0, 300, Label("Tegangan fase terendah", "Lowest phase voltage"), derived=True)
    ] = None
    voltage_max_v: Annotated[
        Number, Metric("V", 0, 300, Label("Tegangan fase tertinggi", "Highest phase voltage"), derived=True)
    ] = None


class CabinetAttributes(Attributes):
    """panel is the name that its lamps have in theirs; nominal_w the load connected to it, in W."""

    panel: str | None = Field(default=None, max_length=64)
    nominal_w: float | None = Field(default=None, gt=0, le=500_000)


def _of_phases(values: Columns, attribute: Callable[[str], Floats]) -> Mapping[str, Floats]:
    """The extremes of the phases, so that one rule watches all; total and mains, where a meter leaves them out."""
    volts = [values[f"voltage_{phase}_v"] for phase in PHASES]
    highest = np.fmax.reduce(volts)
    fed = np.where(np.isnan(highest), np.nan, highest >= MAINS_V)
    return {
        "voltage_min_v": np.fmin.reduce(volts),
        "voltage_max_v": highest,
        "power_w": np.where(np.isnan(values["power_w"]), _sum_of_phases(values), values["power_w"]),
        "mains_ok": np.where(np.isnan(values["mains_ok"]), fed, values["mains_ok"]),
    }


def _power_apart(values: Columns, attribute: Callable[[str], Floats]) -> Mapping[str, Bools]:
    """Three phases make the total, and each is U * I * PF; without PF, as when nothing flows, U * I at most."""
    total = values["power_w"]
    found = {"phases": np.abs(total - _sum_of_phases(values)) > np.maximum(APART_W, APART_SHARE * total)}
    for phase in PHASES:
        power, factor = values[f"power_{phase}_w"], values[f"power_factor_{phase}"]
        apparent = values[f"voltage_{phase}_v"] * values[f"current_{phase}_a"]
        apart = np.where(np.isnan(factor), power - apparent, np.abs(power - apparent * np.abs(factor)))
        found[f"power_{phase}"] = apart > np.maximum(APART_W, APART_SHARE * power)
    return found


def _sum_of_phases(values: Columns) -> Floats:
    """NaN where not all three are told."""
    return np.asarray(values["power_r_w"] + values["power_s_w"] + values["power_t_w"])


KIND = Kind(
    name="cabinet",
    label=Label("Panel PJU", "Control cabinet"),
    reading=Cabinet,
    attributes=CabinetAttributes,
    interval_s=300,
    primary="power_w",
    derive=_of_phases,
    doubtful=_power_apart,
    group_by=("panel",),
    example={
        "power_w": 8_461,
        "energy_wh": 31_402_870,
        "frequency_hz": 50.02,
        "contactor_on": 1,
        "door_open": 0,
        "mains_ok": 1,
        "voltage_r_v": 226,
        "voltage_s_v": 227,
        "voltage_t_v": 225,
        "current_r_a": 13.0,
        "current_s_a": 13.0,
        "current_t_a": 13.0,
        "power_r_w": 2_820,
        "power_s_w": 2_833,
        "power_t_w": 2_808,
        "power_factor_r": 0.96,
        "power_factor_s": 0.96,
        "power_factor_t": 0.96,
    },
)
