"""A sensor kind is one declaration: a pydantic model whose annotated fields say unit, range, labels and roll-up.

From it come payload validation, table and rollup columns, documents and the dashboard's labels.
A new kind is one new file in devices/kinds/.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired

import numpy as np
import numpy.typing as npt
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, TypeAdapter, field_validator
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypedDict

from devices.quality import Change, Flat, Restless

if TYPE_CHECKING:
    from devices.commands import Command

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Columns = Mapping[str, Floats]
Rollup = Literal["gauge", "counter", "sum", "state"]

NAME = re.compile(r"^[a-z][a-z0-9_]{0,40}$")
# Every kind has these; its own come from attributes.
GROUPINGS = ("all", "district")
SEQ_MAX = 2**63 - 1
TEXT_MAX = 64

# A pydantic model is 2.6 µs a reading, a TypedDict 1.05 µs: the model declares, the TypedDict decodes.
# Strict: no numbers in quotes. NaN, Infinity and NUL would fail the COPY of a whole batch, so they end here.
WireNumber = Annotated[float, Field(strict=True, allow_inf_nan=False)] | None
WireText = Annotated[str, Field(strict=True, max_length=TEXT_MAX, pattern=r"^[^\x00]*$")] | None
WireSeq = Annotated[int, Field(strict=True, ge=0, le=SEQ_MAX)] | None


# Epoch milliseconds of the years 1 to 9999, which a datetime can hold.
MS_MIN, MS_MAX = -62_135_596_800_000, 253_402_300_799_999


class WireTime:
    """`ts`: text becomes an aware datetime; epoch milliseconds stay a number, a datetime of them costs 1.5 µs.

    Text must be a full RFC 3339 time: pydantic alone would take "2026" in quotes for 2.026 s after 1970.
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        aware = core_schema.datetime_schema(tz_constraint="aware")
        text = core_schema.str_schema(strict=True, pattern=r"^[0-9]{4}-")
        whole = core_schema.int_schema(strict=True, ge=MS_MIN, le=MS_MAX)
        broken = core_schema.float_schema(strict=True, ge=MS_MIN, le=MS_MAX, allow_inf_nan=False)
        return core_schema.custom_error_schema(
            core_schema.union_schema(
                [core_schema.chain_schema([text, aware]), whole, broken],
                mode="left_to_right",
            ),
            custom_error_type="ts",
            custom_error_message="must be RFC 3339 with an offset (2026-11-24T19:10:00+07:00) or epoch milliseconds",
        )


@dataclass(frozen=True, slots=True)
class Label:
    """What people read: Indonesian is the master, English is complete."""

    id: str
    en: str


@dataclass(frozen=True, slots=True)
class Metric:
    """One measured quantity of a kind.

    unit is a UCUM code, sign the unit as people write it (same as unit when None). low and high bound the hard
    range: a value outside is stored, flagged 4 and kept out of aggregates and alerts. rollup says how it
    aggregates; weight names the metric that weights its average (speed by count). A derived metric is computed by
    the server and never read from the wire. decimals is what people are shown. change, flat and restless are checks
    against the readings before (docs/quality.md).
    """

    unit: str
    low: float
    high: float
    label: Label
    rollup: Rollup = "gauge"
    decimals: int = 1
    sign: Label | None = None
    weight: str | None = None
    derived: bool = False
    change: Change | None = None
    flat: Flat | None = None
    restless: Restless | None = None
    name: str = ""


class Reading(BaseModel):
    """What every kind's reading carries beside its metrics. The diagnostics are optional and never range-checked."""

    model_config = ConfigDict(frozen=True, extra="allow")

    ts: AwareDatetime
    seq: int | None = None
    boot: str | None = None
    battery_v: float | None = None
    rssi_dbm: float | None = None
    snr_db: float | None = None
    uptime_s: float | None = None
    fw: str | None = None


DIAGNOSTICS = ("battery_v", "rssi_dbm", "snr_db", "uptime_s")
TEXTS = ("boot", "fw")


class Attributes(BaseModel):
    """What a device of a kind declares about itself; kinds derive their own from it.

    gateway is the id of what it reports through: a radio gateway or concentrator that many share.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    gateway: str | None = Field(default=None, max_length=64)

    @field_validator("*", mode="before")
    @classmethod
    def _no_nul(cls, value: Any) -> Any:
        """PostgreSQL keeps no NUL in text; one would fail the import of the whole fleet."""
        if isinstance(value, str) and "\x00" in value:
            raise ValueError("has a NUL character")
        return value


def _nothing_derived(values: Columns, attribute: Callable[[str], Floats]) -> Mapping[str, Floats]:
    return {}


def _nothing_impossible(values: Columns) -> Mapping[str, Bools]:
    return {}


def _nothing_doubtful(values: Columns, attribute: Callable[[str], Floats]) -> Mapping[str, Bools]:
    return {}


@dataclass(frozen=True)
class Kind:
    """A kind of sensor.

    interval_s is the expected time between two readings; after 3 of them without one a device is stale.
    primary is the metric shown where there is room for one.
    derive(values, attribute) returns columns to set from others; attribute(name) is a device attribute per row.
    impossible(values) returns, per metric, rows whose value its neighbours rule out (beyond low and high): they fail.
    doubtful(values, attribute) returns, per test, rows whose values hardly go together: they are suspect.
    group_by names the attributes that devices are taken together by, beside their district (a panel, a river).
    example is what a healthy device could send, for documents.
    commands is what it can be told (devices/commands.py).
    """

    name: str
    label: Label
    reading: type[Reading]
    attributes: type[Attributes]
    interval_s: float
    primary: str
    derive: Callable[[Columns, Callable[[str], Floats]], Mapping[str, Floats]] = _nothing_derived
    impossible: Callable[[Columns], Mapping[str, Bools]] = _nothing_impossible
    doubtful: Callable[[Columns, Callable[[str], Floats]], Mapping[str, Bools]] = _nothing_doubtful
    group_by: tuple[str, ...] = ()
    example: Mapping[str, float] = field(default_factory=dict, hash=False)  # kinds are keys of caches
    commands: tuple[Command, ...] = ()

    def __post_init__(self) -> None:
        for name in (self.name, *self.metrics):
            if not NAME.match(name):
                raise ValueError(f"{name!r} is no name for a kind or metric: lower case, digits and _ (41 at most)")
        if self.primary not in self.metrics:
            raise ValueError(f"kind {self.name}: primary metric {self.primary!r} is not declared")
        for metric in self.metrics.values():
            if metric.weight is not None and metric.weight not in self.metrics:
                raise ValueError(f"kind {self.name}: {metric.name} is weighted by unknown {metric.weight!r}")
        for name in self.group_by:
            if name not in self.attributes.model_fields or name in ("device", *GROUPINGS):
                raise ValueError(f"kind {self.name}: {name!r} is no attribute to group by")
        if unknown := sorted(self.example.keys() - self.wire_fields):
            raise ValueError(f"kind {self.name}: the example has {unknown[0]!r}, which no payload has")

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """The declared metrics by name, in the order of declaration."""
        found = {}
        for name, declared in self.reading.model_fields.items():
            for note in declared.metadata:
                if isinstance(note, Metric):
                    found[name] = replace(note, name=name)
        return found

    @property
    def groupings(self) -> tuple[str, ...]:
        """In what ways aggregates take devices together."""
        return (*GROUPINGS, *self.group_by)

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """Columns of double precision: metrics, then diagnostics."""
        return (*self.metrics, *DIAGNOSTICS)

    @cached_property
    def wire_fields(self) -> frozenset[str]:
        """Names accepted in a payload; others are counted as unknown."""
        return frozenset({"ts", "seq", *TEXTS, *DIAGNOSTICS, *(n for n, m in self.metrics.items() if not m.derived)})

    @cached_property
    def one(self) -> TypeAdapter[dict[str, Any]]:
        """Validates one item of a payload."""
        return TypeAdapter(_wire_type(self))

    @cached_property
    def read_one(self) -> Callable[[bytes], dict[str, Any]]:
        """Reads one item of JSON as `one` does, 0.4 µs sooner: without the adapter in between."""
        read: Callable[[bytes], dict[str, Any]] = self.one.validator.validate_json
        return read

    @cached_property
    def many(self) -> TypeAdapter[list[dict[str, Any]]]:
        """Validates a payload that is an array of items."""
        return TypeAdapter(list[_wire_type(self)])  # type: ignore[arg-type,misc]


def _wire_type(kind: Kind) -> Any:
    fields: dict[str, Any] = dict.fromkeys(kind.wire_fields - {"ts", "seq", *TEXTS}, WireNumber)
    fields |= {"seq": WireSeq} | dict.fromkeys(TEXTS, WireText)
    optional = {name: NotRequired[annotation] for name, annotation in fields.items()}
    make: Any = TypedDict
    wire = make(f"{kind.name}_wire", {"ts": WireTime, **optional})
    wire.__pydantic_config__ = ConfigDict(extra="allow")
    return wire
