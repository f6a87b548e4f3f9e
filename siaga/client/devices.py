"""What there is: kinds and devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Unpack

from siaga.client.answers import Number, Text, Time, read
from siaga.client.plain import Plain
from siaga.client.values import Place, only, part


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    unit: str
    label: Text
    decimals: int
    rollup: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Kind:
    kind: str
    label: Text
    interval_s: float
    primary: str
    metrics: tuple[Metric, ...]
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenAlert:
    id: int
    severity: int
    acked: bool


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a device is connected, as it says itself; since when, when it said so last, how often that changed."""

    online: bool
    since: Time
    heard_at: Time
    changes: int


@dataclass(frozen=True, slots=True)
class Device:
    id: str
    kind: str
    name: str | None
    region: str | None
    district: str | None
    lat: Number
    lon: Number
    attributes: Mapping[str, Any]
    alert: OpenAlert | None
    status: str = "in_service"
    presence: Presence | None = None


@dataclass(frozen=True, slots=True)
class RowProblem:
    row: int
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Imported:
    """corrected: devices whose other places are forgotten."""

    added: int
    updated: int
    unchanged: int
    skipped: int
    errors: tuple[RowProblem, ...]
    corrected: int = 0


class DeviceCalls(Plain):
    """Kinds and the registry."""

    def kinds(self) -> list[Kind]:
        return [read(Kind, each) for each in self.items("/kinds")]

    def devices(
        self,
        *,
        kind: str | None = None,
        min_severity: int | None = None,
        limit: int | None = None,
        **place: Unpack[Place],
    ) -> Iterator[Device]:
        query = {"kind": kind, "min_severity": min_severity, "limit": limit, **only(Place, place)}
        return map(partial(read, Device), self.items("/devices", **query))

    def device(self, device_id: str) -> Device:
        return read(Device, self.get(f"/devices/{part(device_id)}"))

    def import_devices(self, fleet: str | bytes, *, skip_bad: bool = False, correct: bool = False) -> Imported:
        """Register or update devices from the text of a fleet file; repeating it changes nothing. With `correct` what
        it says has always been so, else it counts from now on."""
        body = fleet.encode() if isinstance(fleet, str) else fleet
        headers = {"Content-Type": "text/csv"}
        told = self._wire.ask(
            "POST", "/devices/import", {"skip_bad": skip_bad, "correct": correct}, body, headers, may_repeat=True
        )
        return read(Imported, told)
