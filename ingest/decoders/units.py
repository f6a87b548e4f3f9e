"""Units of measurement: what others send (UCUM, SenML of RFC 8428 and RFC 8798) into what a metric is declared in."""

from __future__ import annotations

from typing import NamedTuple


class Scale(NamedTuple):
    """other = value * factor + offset."""

    factor: float
    offset: float = 0.0


# name → (dimension, value in the dimension's own unit). Names of both lists, as they do not contradict each other.
_UNITS: dict[str, tuple[str, Scale]] = {
    "m": ("length", Scale(1.0)),
    "km": ("length", Scale(1000.0)),
    "cm": ("length", Scale(0.01)),
    "mm": ("length", Scale(0.001)),
    "[ft_i]": ("length", Scale(0.3048)),
    "[in_i]": ("length", Scale(0.0254)),
    "m/s": ("speed", Scale(1.0)),
    "km/h": ("speed", Scale(1 / 3.6)),
    "m/h": ("speed", Scale(1 / 3600)),
    "mm/h": ("speed", Scale(1 / 3_600_000)),
    "Cel": ("temperature", Scale(1.0)),
    "K": ("temperature", Scale(1.0, -273.15)),
    "[degF]": ("temperature", Scale(5 / 9, -160 / 9)),
    "W": ("power", Scale(1.0)),
    "mW": ("power", Scale(0.001)),
    "kW": ("power", Scale(1000.0)),
    "V": ("voltage", Scale(1.0)),
    "mV": ("voltage", Scale(0.001)),
    "kV": ("voltage", Scale(1000.0)),
    "A": ("current", Scale(1.0)),
    "mA": ("current", Scale(0.001)),
    "W.h": ("energy", Scale(1.0)),
    "Wh": ("energy", Scale(1.0)),
    "kW.h": ("energy", Scale(1000.0)),
    "kWh": ("energy", Scale(1000.0)),
    "J": ("energy", Scale(1 / 3600)),
    "s": ("time", Scale(1.0)),
    "ms": ("time", Scale(0.001)),
    "min": ("time", Scale(60.0)),
    "h": ("time", Scale(3600.0)),
    "d": ("time", Scale(86_400.0)),
    "Hz": ("frequency", Scale(1.0)),
    "mHz": ("frequency", Scale(0.001)),
    "1": ("ratio", Scale(1.0)),
    "/": ("ratio", Scale(1.0)),
    "%": ("ratio", Scale(0.01)),
    "/100": ("ratio", Scale(0.01)),
    "/1000": ("ratio", Scale(0.001)),
    "%RH": ("ratio", Scale(0.01)),
    "%EL": ("ratio", Scale(0.01)),
    "count": ("count", Scale(1.0)),
    "{vehicle}": ("count", Scale(1.0)),
    "{vehicle}/h": ("rate", Scale(1.0)),
    "dB": ("gain", Scale(1.0)),
    "dBm": ("level", Scale(1.0)),
    "dBW": ("level", Scale(1.0, 30.0)),
}


def known() -> frozenset[str]:
    """All unit names understood."""
    return frozenset(_UNITS)


def scale(sent: str, wanted: str) -> Scale:
    """How to get from one unit to another. Raises ValueError naming both when that is not possible."""
    if sent == wanted or (sent, wanted) == ("count", "1"):
        return Scale(1.0)
    if sent not in _UNITS:
        raise ValueError(f"unit {sent!r} is unknown, {wanted} is wanted")
    (dimension, there), (other, back) = _UNITS[sent], _UNITS[wanted]
    if dimension != other:
        raise ValueError(f"unit {sent!r} is a {dimension}, {wanted} is wanted")
    return Scale(there.factor / back.factor, (there.offset - back.offset) / back.factor)
