"""The fault catalogue: every fault of the field by its name, as scenarios write it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simulator.faults.clock import ClockLost, ClockSkew, Reboot
from simulator.faults.network import (
    Backfill,
    Conflict,
    Dropout,
    Duplicate,
    Malformed,
    Oversized,
    ReconnectStorm,
    Reorder,
    Sentinel,
    UnknownDevice,
    WrongIdentity,
)
from simulator.faults.values import Blind, CounterReset, DatumShift, Drift, NoiseBurst, Spike, Stuck

CATALOGUE = (
    Dropout, Duplicate, Reorder, Backfill, ReconnectStorm, Spike, Stuck, Drift, DatumShift, NoiseBurst, Blind,
    Sentinel, ClockSkew, ClockLost, CounterReset, Reboot, Conflict, Malformed, Oversized, UnknownDevice, WrongIdentity,
)  # fmt: skip
AnyFault = Annotated[
    Dropout | Duplicate | Reorder | Backfill | ReconnectStorm | Spike | Stuck | Drift | DatumShift | NoiseBurst
    | Blind | Sentinel | ClockSkew | ClockLost | CounterReset | Reboot | Conflict | Malformed | Oversized
    | UnknownDevice | WrongIdentity,
    Field(discriminator="fault"),
]  # fmt: skip
