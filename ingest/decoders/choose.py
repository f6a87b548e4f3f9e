"""Which decoder reads a topic, and which device it is from: sources in a TOML file (docs/decoders.md)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from devices.kind import Kind
from devices.kinds import KINDS
from devices.payload import Decoded
from devices.topics import NATIVE, is_device_id
from ingest.decoders import chirpstack, things_stack
from ingest.decoders.chirpstack import ChirpStack
from ingest.decoders.fields import Fields, Taken, into_unit
from ingest.decoders.mapped_json import MappedJson
from ingest.decoders.senml import SenML
from ingest.decoders.things_stack import ThingsStack
from ingest.decoders.units import Scale

Format = Literal["json", "senml", "chirpstack", "things_stack"]

# Where a network server publishes unless told otherwise.
TOPICS = {"chirpstack": chirpstack.TOPIC, "things_stack": things_stack.TOPIC}
DEVICE = "{device}"
TOPIC_MAX = 65_535


class DecoderError(Exception):
    """The file of decoders is wrong; the message names file, table and field."""


class Decoder(Protocol):
    def decode(self, kind: Kind, payload: bytes, received_at: datetime) -> Decoded:
        """Read a payload for a device of this kind. Never raises on bad input: it comes back in `bad`."""
        ...


class Sender(NamedTuple):
    """Who published, how to read it, and whether two copies of one frame may tell different times."""

    device_id: str
    decoder: Decoder
    is_uplink: bool


class _FieldTable(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True, allow_inf_nan=False, strict=True)

    path: str = Field(alias="from", min_length=1, max_length=256)
    factor: float = 1.0
    offset: float = 0.0
    unit: str | None = None


class _SourceTable(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    format: Format
    topic: str | None = Field(default=None, max_length=TOPIC_MAX)
    id_case: Literal["as_is", "lower", "upper"] = "as_is"
    devices: dict[str, str] = {}
    fields: dict[str, dict[str, str | _FieldTable]] = {}
    relative_time: bool = False


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    source: list[_SourceTable] = []


@dataclass(frozen=True, slots=True)
class Source:
    """Topics of one pattern: levels as in MQTT, one of them {device}."""

    levels: tuple[str, ...]
    id_case: str
    devices: Mapping[str, str]
    decoder: Decoder
    is_uplink: bool

    @property
    def filter(self) -> str:
        return "/".join("+" if level == DEVICE else level for level in self.levels)

    def sender(self, levels: Sequence[str]) -> Sender | None:
        """Who published under these levels; None where they are not of this source."""
        if len(levels) != len(self.levels):
            return None
        name = ""
        for wanted, level in zip(self.levels, levels, strict=True):
            if wanted == DEVICE:
                name = level
            elif wanted not in ("+", level):
                return None
        name = _cased(name, self.id_case)
        return Sender(self.devices.get(name, name), self.decoder, self.is_uplink)


@dataclass(frozen=True, slots=True)
class Decoders:
    """All sources, asked in the order of the file. Without any only the native format is read."""

    sources: tuple[Source, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.sources)

    @classmethod
    def from_toml(cls, text: str, name: str = "decoders.toml") -> Decoders:
        """Read a configuration; `name` is what messages call it. Raises DecoderError naming table and field."""
        try:
            tables = _File.model_validate(tomllib.loads(text)).source
        except tomllib.TOMLDecodeError as error:
            raise DecoderError(f"{name}: not TOML: {error}") from None
        except ValidationError as error:
            raise DecoderError("\n".join(f"{name}: {_place(e['loc'])}: {e['msg']}" for e in error.errors())) from None
        return cls(tuple(_source(f"{name}: source {n}", table) for n, table in enumerate(tables, 1)))

    @classmethod
    def from_file(cls, path: str | None) -> Decoders:
        """Read the file of SIAGA_DECODERS; None is native only. Raises DecoderError."""
        if path is None:
            return cls()
        try:
            return cls.from_toml(Path(path).read_text(encoding="utf-8"), path)
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise DecoderError(f"{path}: {error}") from None

    def of(self, topic: str) -> Sender | None:
        """Who published under this topic; None where no source has it, as with our own topics."""
        if not self.sources or topic.startswith(NATIVE):
            return None
        levels = topic.split("/")
        return next((found for source in self.sources if (found := source.sender(levels))), None)

    def filters(self) -> list[str]:
        """What ingest subscribes to beside our own topics."""
        return list(dict.fromkeys(source.filter for source in self.sources))


def _source(place: str, table: _SourceTable) -> Source:
    topic = table.topic or TOPICS.get(table.format)
    if topic is None:
        raise DecoderError(f"{place}: topic: format {table.format!r} needs one, with a level {DEVICE}")
    levels = tuple(topic.split("/"))
    if levels.count(DEVICE) != 1:
        raise DecoderError(f"{place}: topic: {topic!r} needs one level {DEVICE}")
    if any(("+" in level and level != "+") or "#" in level or "\x00" in level for level in levels):
        raise DecoderError(f"{place}: topic: {topic!r}: + alone stands for one level, # is not supported")
    if topic.startswith(NATIVE):
        raise DecoderError(f"{place}: topic: {topic!r} is under {NATIVE}, which has the native format")
    if levels[0] in ("+", DEVICE):
        raise DecoderError(f"{place}: topic: {topic!r}: the first level must be a name, or our own topics match too")
    if table.relative_time and table.format != "senml":
        raise DecoderError(f"{place}: relative_time: only format 'senml' has relative times")
    devices = {}
    for name, device_id in table.devices.items():
        if not is_device_id(device_id):
            raise DecoderError(f"{place}: devices.{name}: {device_id!r}: 1 to 64 letters, digits, _ or -")
        devices[_cased(name, table.id_case)] = device_id
    fields = {kind: _fields(f"{place}: fields.{kind}", kind, table.fields[kind]) for kind in table.fields}
    decoder: Decoder
    match table.format:
        case "json":
            decoder = MappedJson(fields)
        case "senml":
            decoder = SenML(fields, table.relative_time)
        case "chirpstack":
            decoder = ChirpStack(fields)
        case "things_stack":
            decoder = ThingsStack(fields)
    return Source(levels, table.id_case, devices, decoder, table.format in TOPICS)


def _fields(place: str, kind_name: str, table: Mapping[str, str | _FieldTable]) -> Fields:
    kind = KINDS.get(kind_name)
    if kind is None:
        raise DecoderError(f"{place}: no such kind; known are {', '.join(sorted(KINDS))}")
    fields = {}
    for name, given in table.items():
        if name not in kind.wire_fields:
            known = ", ".join(sorted(kind.wire_fields))
            raise DecoderError(f"{place}.{name}: a {kind_name} has no such field; it has {known}")
        try:
            fields[name] = Taken(given) if isinstance(given, str) else Taken(given.path, _scale(kind, name, given))
        except ValueError as error:
            raise DecoderError(f"{place}.{name}: {error}") from None
    return fields


def _scale(kind: Kind, name: str, given: _FieldTable) -> Scale:
    """First factor and offset, then from the unit given to the metric's."""
    own = Scale(given.factor, given.offset)
    if given.unit is None:
        return own
    if name == "ts":  # numbers are milliseconds on the wire
        if given.unit not in ("s", "ms"):
            raise ValueError(f"unit {given.unit!r}: a time is in s or ms after 1970, or text")
        unit = Scale(1000.0 if given.unit == "s" else 1.0)
    else:
        unit = into_unit(kind, name, given.unit)
    return Scale(own.factor * unit.factor, own.offset * unit.factor + unit.offset)


def _cased(name: str, case: str) -> str:
    return name.lower() if case == "lower" else name.upper() if case == "upper" else name


def _place(loc: tuple[int | str, ...]) -> str:
    """source 2: fields.traffic.count.unit, counted from one as people do."""
    if len(loc) > 1 and loc[0] == "source" and isinstance(loc[1], int):
        return f"source {loc[1] + 1}: {'.'.join(str(part) for part in loc[2:]) or 'table'}"
    return ".".join(str(part) for part in loc)


NATIVE_ONLY = Decoders()
