"""The city: all readings between two moments, as its devices would send them.

A pure function of fleet, seed, start and the two moments: no clock, no I/O. Cutting a span of time into windows
changes nothing, so a run that fell behind catches up with exactly what its devices had measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from devices.device import Device
from devices.kind import Floats
from simulator import gauges, lamps, traffic
from simulator.noise import uniform
from simulator.pace import schedule
from simulator.rivers import Rivers

WHOLE = frozenset({"dimming_pct", "switch_count", "count", "count_motorcycle", "count_car", "count_heavy", "rssi_dbm"})
WIB = timezone(timedelta(hours=7), "WIB")
Ints = npt.NDArray[np.int64]


class Reading(NamedTuple):
    """One reading of one device; fields are what goes on the wire."""

    device: int  # index in the fleet
    ts_ms: int
    fields: dict[str, Any]


class City:
    """Devices, their physics and their pace. start: epoch s from which reports are numbered."""

    def __init__(
        self, devices: Sequence[Device], seed: int, start: float, *, rate: float | None = None, opening: bool = True
    ) -> None:
        self.devices = tuple(devices)
        self.start_ms = round(start * 1000)
        self.pace = schedule([d.kind for d in devices], rate)
        self._first = self.pace.first(self.start_ms)
        boot = uniform(seed, "boot", np.arange(len(devices)), np.full(len(devices), self.start_ms))
        self._boot = [f"{int(u * 2**24):06x}" for u in boot]
        # Both forms of `ts` are in the field: local time with its offset, and epoch milliseconds.
        self._in_text = uniform(seed, "ts form", np.arange(len(devices))) < 0.5
        self._parts = self._made(seed, start, opening)

    def readings(self, t0_ms: int, t1_ms: int) -> list[Reading]:
        """All readings with t0_ms <= ts < t1_ms, in order of time."""
        device, report = self.pace.between(t0_ms, t1_ms)
        ts_ms = self.pace.phase_ms[device] + report * self.pace.interval_ms[device]
        seq = report - self._first[device]
        found: list[Reading] = []
        for numbers, measure in self._parts:
            row = np.searchsorted(numbers, device)
            here = (row < len(numbers)) & (numbers[np.minimum(row, len(numbers) - 1)] == device)
            if here.any():
                mine = device[here]
                columns = measure(row[here], ts_ms[here] / 1000, self.pace.interval_ms[mine] / 1000)
                found += self._rows(mine, ts_ms[here], seq[here], columns)
        found.sort(key=_when)
        return found

    def _rows(self, device: Ints, ts_ms: Ints, seq: Ints, columns: dict[str, Floats]) -> list[Reading]:
        names = ("ts", "seq", "boot", *columns)
        in_text = self._in_text[device].tolist()
        numbers, times = device.tolist(), ts_ms.tolist()
        ts = [
            datetime.fromtimestamp(ms / 1000, WIB) if text else ms
            for ms, text in zip(times, in_text, strict=True)
        ]  # fmt: skip
        boot = [self._boot[i] for i in numbers]
        rows = zip(ts, seq.tolist(), boot, *(_listed(*c) for c in columns.items()), strict=True)
        fields = [dict(zip(names, row, strict=True)) for row in rows]
        if columns.keys() >= gauges.LEVEL_OR_DISTANCE:
            for one in fields:
                for name in gauges.LEVEL_OR_DISTANCE:
                    if one[name] is None:
                        del one[name]
        return [Reading(*row) for row in zip(numbers, times, fields, strict=True)]

    def _made(self, seed: int, start: float, opening: bool) -> list[tuple[Ints, _Measure]]:
        """For each kind the numbers of its devices, ascending, and the function that measures rows of them."""
        rivers = Rivers(seed, start, opening=opening)
        kinds = np.array([d.kind for d in self.devices])
        of = {kind: np.flatnonzero(kinds == kind) for kind in ("streetlight", "water_level", "traffic")}
        listed = {kind: [self.devices[i] for i in numbers] for kind, numbers in of.items()}
        lit = lamps.lamps_of(listed["streetlight"], seed)
        wet = gauges.gauges_of(listed["water_level"], seed, rivers)
        counted = traffic.detectors_of(listed["traffic"], seed)
        measures: dict[str, _Measure] = {
            "streetlight": lambda row, t, period_s: lamps.measure(lit, row, t),
            "water_level": lambda row, t, period_s: gauges.measure(wet, row, t, period_s),
            "traffic": lambda row, t, period_s: traffic.measure(counted, row, t, period_s),
        }
        return [(of[kind], measures[kind]) for kind in of if len(of[kind])]


_Measure = Callable[[Ints, Floats, Floats], dict[str, Floats]]


def _when(reading: Reading) -> int:
    return reading.ts_ms


def _listed(name: str, column: Floats) -> list[Any]:
    """Numbers as Python objects; NaN becomes null, what is counted a whole number."""
    if name in WHOLE:
        return list(column.astype(np.int64).tolist())
    nothing = np.isnan(column)
    if not nothing.any():
        return list(column.tolist())
    return [None if x else v for v, x in zip(column.tolist(), nothing.tolist(), strict=True)]
