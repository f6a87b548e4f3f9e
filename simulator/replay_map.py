"""The replay map: a TOML file that says which columns of somebody's CSV are device, time and metrics.

Checked when it is read; every error names the file, the field and what it may be. The format: docs/simulator.md.
"""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from devices.kinds import KINDS
from devices.topics import DEVICE_ID, REGION, is_device_id

EPOCHS = {"epoch_s": 1.0, "epoch_ms": 0.001}


class MapError(Exception):
    """The map cannot be used; the message names the field."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DeviceColumn(_Table):
    """Where a row's device is named. template makes ids for names without an entry; {slug} is the name in a-z0-9-."""

    column: str
    template: str | None = None

    @field_validator("template")
    @classmethod
    def _one_place(cls, template: str | None) -> str | None:
        if template is not None and not is_device_id(template.replace("{slug}", "x")):
            raise ValueError("may hold letters, digits, _, - and {slug}")
        return template


class TimeColumn(_Table):
    """format: `iso`, `epoch_s`, `epoch_ms` or a strptime pattern. zone: of times that carry none."""

    column: str
    format: str = "iso"
    zone: str = "Asia/Jakarta"

    @field_validator("zone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"unknown time zone {name!r}; use an IANA name such as Asia/Jakarta") from None
        return name


class NumberColumn(_Table):
    """value = cell * scale + offset, rounded to 6 decimals. An empty cell is no value."""

    column: str
    scale: float = 1.0
    offset: float = 0.0


class TextColumn(_Table):
    column: str


class PlaceColumns(_Table):
    """Columns with the device's coordinates in degrees; its first row counts."""

    lat: str
    lon: str


# In this order: pydantic would read true as 1.0 and a date as text.
Plain = bool | Annotated[int, Field(strict=True)] | Annotated[float, Field(strict=True)] | date | str
Source = TextColumn | Plain


class DeviceEntry(_Table):
    """What is known of one device: match is its name in the file, without blanks around it."""

    match: str
    id: Annotated[str, Field(pattern=DEVICE_ID.pattern)]
    name: str | None = None
    district: Annotated[str, Field(pattern=REGION.pattern)] | None = None
    lat: float | None = None
    lon: float | None = None
    attributes: dict[str, Source] = {}


class ReplayMap(_Table):
    """The whole map."""

    region: Annotated[str, Field(pattern=REGION.pattern)]
    kind: str
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    device: DeviceColumn
    ts: TimeColumn
    metrics: Annotated[dict[str, NumberColumn], Field(min_length=1)]
    place: PlaceColumns | None = None
    attributes: dict[str, Source] = {}
    devices: tuple[DeviceEntry, ...] = ()

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        kind = KINDS.get(self.kind)
        if kind is None:
            raise ValueError(f"kind {self.kind!r} is unknown; known are {', '.join(sorted(KINDS))}")
        known = kind.wire_fields - {"ts", "seq", "boot", "fw"}
        for name in self.metrics:
            if name not in known:
                raise ValueError(f"metrics.{name}: {self.kind} has no such metric; it has {', '.join(sorted(known))}")
        attributes = {name for entry in self.devices for name in entry.attributes} | set(self.attributes)
        for name in attributes - kind.attributes.model_fields.keys():
            has = ", ".join(kind.attributes.model_fields)
            raise ValueError(f"attribute {name!r}: {self.kind} has no such attribute; it has {has}")
        for field in ("match", "id"):
            listed = [getattr(entry, field) for entry in self.devices]
            twice = {value for value in listed if listed.count(value) > 1}
            if twice:
                raise ValueError(f"devices: {field} {', '.join(map(repr, sorted(twice)))} is there twice")
        return self

    @property
    def columns(self) -> set[str]:
        """Every column of the CSV that this map reads."""
        named = [self.device.column, self.ts.column, *(m.column for m in self.metrics.values())]
        named += [self.place.lat, self.place.lon] if self.place else []
        sources = [*self.attributes.values(), *(v for entry in self.devices for v in entry.attributes.values())]
        return {*named, *(s.column for s in sources if isinstance(s, TextColumn))}


def read_map(path: Path) -> ReplayMap:
    """Read and check a map. Raises MapError."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MapError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MapError(f"{path}: not TOML: {error}") from None
    try:
        return ReplayMap.model_validate(raw)
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(map(str, e['loc'])) or 'map'}: {e['msg']}" for e in error.errors()]
        raise MapError("\n".join(lines)) from None
