"""The city: all readings between two moments, as its devices would measure them.

A pure function of fleet, seed, start and the two moments: no clock, no I/O. Cutting a span of time into windows
changes nothing, so a run that fell behind catches up with exactly what its devices had measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from devices.device import Device
from devices.kind import Floats
from simulator.noise import uniform
from simulator.pace import FIELD_PACE_S, Schedule, schedule
from simulator.physics import cabinets, gauges, lamps, traffic
from simulator.physics.lamp_faults import Failure
from simulator.physics.lamp_told import Switch
from simulator.physics.rain import Storm
from simulator.physics.rivers import Rivers
from simulator.physics.traffic import Incident

WHOLE = frozenset(
    {
        "dimming_pct", "switch_count", "count", "count_motorcycle", "count_car", "count_heavy", "rssi_dbm",
        "contactor_on", "door_open", "mains_ok",
    }
)  # fmt: skip
WIB = timezone(timedelta(hours=7), "WIB")
Ints = npt.NDArray[np.int64]
Texts = npt.NDArray[np.object_]


class Reading(NamedTuple):
    """One reading of one device; fields are what goes on the wire."""

    device: int  # index in the fleet
    ts_ms: int
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Block:
    """Readings of one kind as columns of the same length. A NaN is null on the wire."""

    kind: str
    device: Ints  # index in the fleet
    ts_ms: Ints
    seq: Ints
    boot: Texts
    columns: dict[str, Floats]

    def __len__(self) -> int:
        return len(self.device)


@dataclass(frozen=True)
class Happenings:
    """What happens to the city beside its everyday life. seeded: the weather of the seed as well.

    faulty_share of the lamps has had a fault since before the start.
    """

    opening: bool = True
    seeded: bool = True
    faulty_share: float = lamps.FAULTY_SHARE
    storms: tuple[Storm, ...] = ()
    failures: tuple[Failure, ...] = ()
    incidents: tuple[Incident, ...] = ()
    at_cabinets: cabinets.Happens = cabinets.NOTHING


class City:
    """Devices, their physics and their pace. start: epoch s from which reports are numbered.

    rate: messages a second of all devices; seconds: interval of each kind instead. Raises RateError.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        seed: int,
        start: float,
        *,
        rate: float | None = None,
        seconds: Mapping[str, float] | None = None,
        happenings: Happenings | None = None,
    ) -> None:
        self.devices = tuple(devices)
        self.seed = seed
        self._begin(round(start * 1000), schedule([d.kind for d in devices], rate, seconds))
        # Both forms of `ts` are in the field: local time with its offset, and epoch milliseconds.
        self.tells_local_time: list[bool] = (uniform(seed, "ts form", np.arange(len(devices))) < 0.5).tolist()
        self._parts = self._made(seed, start, happenings or Happenings())

    def _begin(self, start_ms: int, pace: Schedule) -> None:
        self.start_ms, self.pace = start_ms, pace
        self._first = pace.first(start_ms)
        self.boot: Texts = boot_ids(self.seed, np.arange(len(self.devices)), np.full(len(self.devices), start_ms))

    def repaced(self, start_ms: int, seconds: Mapping[str, float]) -> City:
        """The same city and the same physics, reporting from another start at another pace."""
        other = copy(self)
        other._begin(start_ms, schedule([d.kind for d in self.devices], None, seconds))  # noqa: SLF001
        return other

    def switch(self, device: int, at_ms: int, to: Switch) -> bool:
        """Tell a lamp (number in the fleet) to be on, off, or as its schedule has it; whether it obeys.

        at_ms: no earlier than what has been asked for already.
        """
        lamp = self._lamp_of[device]
        if self._lit.told.may(lamp):
            self._lit.told.switch(lamp, at_ms / 1000, to)
        return self._lit.told.may(lamp)

    def dim(self, device: int, at_ms: int, light: float) -> bool:
        """The same for its light, 0 to 1, whenever it is lit."""
        lamp = self._lamp_of[device]
        if self._lit.told.may(lamp):
            self._lit.told.dim(lamp, at_ms / 1000, light)
        return self._lit.told.may(lamp)

    def report_every(self, device: int, interval_s: float) -> None:
        """Let a device report at another pace from what is asked for next on."""
        self.pace.interval_ms[device] = round(interval_s * 1000)
        self.pace.phase_ms[device] %= self.pace.interval_ms[device]

    def readings(self, t0_ms: int, t1_ms: int) -> list[Reading]:
        """All readings with t0_ms <= ts < t1_ms, in order of time."""
        found = [
            Reading(device, ts_ms, fields)
            for block in self.blocks(t0_ms, t1_ms)
            for device, ts_ms, fields in zip(
                block.device.tolist(), block.ts_ms.tolist(), self.fields(block), strict=True
            )
        ]
        found.sort(key=_when)
        return found

    def blocks(self, t0_ms: int, t1_ms: int) -> list[Block]:
        """The same as columns, one block a kind; within a block by device."""
        device, report = self.pace.between(t0_ms, t1_ms)
        ts_ms = self.pace.phase_ms[device] + report * self.pace.interval_ms[device]
        return self.measured(device, ts_ms, report - self._first[device], self.boot[device])

    def measured(self, device: Ints, ts_ms: Ints, seq: Ints, boot: Texts) -> list[Block]:
        """What these devices measure at these times, one block for each kind among them."""
        found = []
        for kind, numbers, measure in self._parts:
            row = np.searchsorted(numbers, device)
            here = np.flatnonzero(numbers[np.minimum(row, len(numbers) - 1)] == device)
            if len(here):
                mine = device[here]
                columns = measure(row[here], ts_ms[here] / 1000, self.pace.interval_ms[mine] / 1000)
                found.append(Block(kind, mine, ts_ms[here], seq[here], boot[here], columns))
        return found

    def fields(self, block: Block) -> list[dict[str, Any]]:
        """What goes on the wire, row by row."""
        local = self.tells_local_time
        ts = [
            datetime.fromtimestamp(ms / 1000, WIB) if local[i] else ms
            for i, ms in zip(block.device.tolist(), block.ts_ms.tolist(), strict=True)
        ]  # fmt: skip
        names = ("ts", "seq", "boot", *block.columns)
        columns = (_listed(*named) for named in block.columns.items())
        rows = zip(ts, block.seq.tolist(), block.boot.tolist(), *columns, strict=True)
        fields = [dict(zip(names, row, strict=True)) for row in rows]
        if block.columns.keys() >= gauges.LEVEL_OR_DISTANCE:
            for one in fields:
                for name in gauges.LEVEL_OR_DISTANCE:
                    if one[name] is None:
                        del one[name]
        return fields

    def _made(self, seed: int, start: float, here: Happenings) -> list[tuple[str, Ints, _Measure]]:
        """For each kind the numbers of its devices, ascending, and the function that measures rows of them."""
        kinds = np.array([d.kind for d in self.devices])
        of = {kind: np.flatnonzero(kinds == kind) for kind in FIELD_PACE_S}
        listed = {kind: [self.devices[i] for i in numbers] for kind, numbers in of.items()}
        lit = lamps.lamps_of(listed["streetlight"], seed, faulty_share=here.faulty_share, failures=here.failures)
        self._lit, self._lamp_of = lit, {int(number): row for row, number in enumerate(of["streetlight"])}
        rivers = Rivers(seed, start, opening=here.opening, storms=here.storms, seeded=here.seeded)
        wet = gauges.gauges_of(listed["water_level"], seed, rivers)
        counted = traffic.detectors_of(listed["traffic"], seed, incidents=here.incidents)
        fed = cabinets.cabinets_of(listed["cabinet"], listed["streetlight"], lit, seed, here.at_cabinets)
        measures: dict[str, _Measure] = {
            "streetlight": lambda row, t, period_s: lamps.measure(lit, row, t),
            "water_level": lambda row, t, period_s: gauges.measure(wet, row, t, period_s),
            "traffic": lambda row, t, period_s: traffic.measure(counted, row, t, period_s),
            "cabinet": lambda row, t, period_s: cabinets.measure(fed, row, t),
        }
        return [(kind, numbers, measures[kind]) for kind, numbers in of.items() if len(numbers)]


_Measure = Callable[[Ints, Floats, Floats], dict[str, Floats]]


def boot_ids(seed: int, device: Ints, at_ms: Ints) -> Texts:
    """Ids of the boots that these devices began at these times: six hexadecimal digits."""
    ids = (uniform(seed, "boot", device, at_ms) * 2**24).astype(np.int64)
    return np.array([f"{number:06x}" for number in ids.tolist()], dtype=np.object_)


def _when(reading: Reading) -> int:
    return reading.ts_ms


def _listed(name: str, column: Floats) -> list[Any]:
    """Numbers as Python objects; NaN becomes null, what is counted a whole number."""
    nothing = np.isnan(column)
    if not nothing.any():
        return list((column.astype(np.int64) if name in WHOLE else column).tolist())
    number: Callable[[float], float] = int if name in WHOLE else float
    return [None if x else number(v) for v, x in zip(column.tolist(), nothing.tolist(), strict=True)]
