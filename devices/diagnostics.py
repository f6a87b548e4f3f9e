"""What a device tells about itself beside its metrics, as every kind takes it: units and labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from devices.kind import Label


class Diagnostic(NamedTuple):
    """unit is a UCUM code, sign the unit as people write it; example is a value that means no harm."""

    unit: str
    sign: Label
    label: Label
    decimals: int
    example: float


# By the names of devices.kind.DIAGNOSTICS. Never range-checked.
WORDS: Mapping[str, Diagnostic] = {
    "battery_v": Diagnostic("V", Label("V", "V"), Label("Baterai", "Battery"), 2, 3.71),
    "rssi_dbm": Diagnostic("dB[mW]", Label("dBm", "dBm"), Label("Kuat sinyal", "Signal strength"), 0, -97),
    "snr_db": Diagnostic("dB", Label("dB", "dB"), Label("Rasio sinyal-derau", "Signal-to-noise ratio"), 1, 7.5),
    "uptime_s": Diagnostic("s", Label("dtk", "s"), Label("Lama menyala", "Uptime"), 0, 86_400),
}
