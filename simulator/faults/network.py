"""Faults between a device and the broker: lost, late, twice, out of order, damaged, under another's name.

Each answers for rows of (device, epoch ms of measuring); simulator/field.py puts the answers together.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from devices.kind import Bools
from devices.payload import encode
from devices.topics import is_region
from simulator.faults.fault import NEVER, Fault, Ints, Scope, SpellHours, Spells, check_range

Damage = Literal["cut", "quoted", "comma", "type", "text"]
DAMAGES: tuple[Damage, ...] = ("cut", "quoted", "comma", "type", "text")
Reports = Annotated[int, Field(ge=1, le=1000)]
TAKEN_IN_BYTES = 262_144  # SIAGA_PAYLOAD_MAX_BYTES
NEIGHBOURS = ("12.08", "12.10")


class Dropout(Fault):
    """Reports lost for good, in bursts (Gilbert 1960, Elliott 1963): enter and leave are the chances per report of
    going into and out of a burst. The defaults lose about 4 %."""

    fault: Literal["dropout"] = "dropout"
    enter: float = Field(default=0.002, gt=0, le=1)
    leave: float = Field(default=0.05, gt=0, le=1)

    def lost(self, scope: Scope, device: Ints, at_ms: Ints, bad: Bools) -> Bools:
        """Rows in order of time; `bad` holds each device's state from window to window."""
        hit = scope.hits(device, at_ms)
        u = scope.chance("turn", device, at_ms)
        lost = np.zeros(len(device), dtype=np.bool_)
        for row in np.flatnonzero(hit).tolist():
            i = device[row]
            bad[i] = u[row] >= self.leave if bad[i] else u[row] < self.enter
            lost[row] = bad[i]
        return lost


class Backfill(Spells):
    """The device is cut off for a spell (10 min to 3 days) and keeps its readings; back again, it sends them in
    arrays of per_message, oldest or newest first. spread_s: all come back within so many seconds."""

    fault: Literal["backfill"] = "backfill"
    hours: tuple[SpellHours, SpellHours] = (1 / 6, 72.0)
    order: Literal["oldest", "newest"] = "oldest"
    per_message: int = Field(default=50, ge=1, le=1000)
    spread_s: float = Field(default=300.0, ge=0, le=86_400)

    def released_ms(self, scope: Scope, device: Ints, at_ms: Ints) -> Ints:
        """When a reading taken while cut off is sent; NEVER for those sent at once."""
        begin, end = scope.spell(self, device, at_ms)
        late = (1000 * self.spread_s * scope.chance("back", device, begin)).astype(np.int64)
        return np.where(begin == NEVER, NEVER, end + late)


class ReconnectStorm(Backfill):
    """A broker or a feeder restarts: all chosen devices are cut off from from_h to until_h and come back within 30 s,
    each sending what it kept."""

    fault: Literal["reconnect_storm"] = "reconnect_storm"  # type: ignore[assignment]
    spread_s: float = Field(default=30.0, ge=0, le=86_400)


class Reorder(Fault):
    """A report overtaken by the 2 to 5 that follow it. chance: of each report (4 %)."""

    fault: Literal["reorder"] = "reorder"
    chance: float = Field(default=0.04, gt=0, le=1)
    by: tuple[Reports, Reports] = (2, 5)

    @model_validator(mode="after")
    def _rises(self) -> Self:
        check_range("by", self.by)
        return self

    def delay_ms(self, scope: Scope, device: Ints, at_ms: Ints) -> Ints:
        hit = scope.hits(device, at_ms) & (scope.chance("hit", device, at_ms) < self.chance)
        low, high = self.by
        reports = low + (scope.chance("by", device, at_ms) * (high - low + 1)).astype(np.int64)
        # Half an interval more: it arrives between two reports, not beside one.
        return np.where(hit, ((reports + 0.5) * scope.city.pace.interval_ms[device]).astype(np.int64), 0)


class Duplicate(Fault):
    """The same payload once more within within_s: a QoS 1 redelivery, two gateways. chance: of each message (1 %)."""

    fault: Literal["duplicate"] = "duplicate"
    chance: float = Field(default=0.01, gt=0, le=1)
    within_s: float = Field(default=30.0, gt=0, le=86_400)

    def again_ms(self, scope: Scope, device: Ints, at_ms: Ints) -> Ints:
        """How much later it is sent again; NEVER for those that are not."""
        hit = scope.hits(device, at_ms) & (scope.chance("hit", device, at_ms) < self.chance)
        return np.where(hit, 1 + (1000 * self.within_s * scope.chance("after", device, at_ms)).astype(np.int64), NEVER)


class _Rare(Fault):
    """A fault that befalls single reports, each with the same chance."""

    chance: float = Field(default=0.001, gt=0, le=1)

    def hit(self, scope: Scope, device: Ints, at_ms: Ints) -> Bools:
        return np.asarray(scope.hits(device, at_ms) & (scope.chance("hit", device, at_ms) < self.chance))


class Conflict(_Rare):
    """A second reading with the same time and other values, as from a gateway that asked its sensor twice."""

    fault: Literal["conflict"] = "conflict"


class Sentinel(_Rare):
    """A lost echo told as a number, as nothing, or as words. chance: of each report (0.2 %)."""

    fault: Literal["sentinel"] = "sentinel"
    chance: float = Field(default=0.002, gt=0, le=1)
    values: tuple[float | str, ...] = Field(default=(0.0, 65535.0, -9999.0, "No Sensor", "null"), min_length=1)

    def value(self, scope: Scope, device: int, at_ms: int) -> float | str | None:
        """What is told instead of the measurement; "null" means null."""
        told = self.values[int(_one(scope, "which", device, at_ms) * len(self.values))]
        return None if told == "null" else told


class Malformed(_Rare):
    """A payload that is no reading: cut off, a number in quotes, a decimal comma, a wrong type, plain text."""

    fault: Literal["malformed"] = "malformed"
    ways: tuple[Damage, ...] = Field(default=DAMAGES, min_length=1)

    def payload(self, scope: Scope, device: int, at_ms: int, fields: list[dict[str, Any]]) -> bytes:
        return damaged(self.ways[int(_one(scope, "way", device, at_ms) * len(self.ways))], fields)


class Oversized(_Rare):
    """A payload of `bytes`, more than any broker or server of ours is set to take in (256 KiB)."""

    fault: Literal["oversized"] = "oversized"
    bytes: int = Field(default=300_000, gt=TAKEN_IN_BYTES, le=1_000_000)


class UnknownDevice(_Rare):
    """A device that nobody registered sends beside a registered one."""

    fault: Literal["unknown_device"] = "unknown_device"


class WrongIdentity(_Rare):
    """A device publishes under another region than its own: `region`, or a neighbour where that is the same."""

    fault: Literal["wrong_identity"] = "wrong_identity"
    region: str = "12.08"

    @field_validator("region")
    @classmethod
    def _code(cls, region: str) -> str:
        if not is_region(region):
            raise ValueError(f"{region!r} is no Kemendagri code such as 12.09")
        return region

    def other_than(self, own: str) -> str:
        """The false region of a device registered in `own`."""
        return next(region for region in (self.region, *NEIGHBOURS) if region != own)


def damaged(way: Damage, fields: list[dict[str, Any]]) -> bytes:
    """A payload spoilt in one way."""
    whole = encode(fields[0] if len(fields) == 1 else fields)
    match way:
        case "cut":
            return whole[: max(1, len(whole) * 2 // 3)]
        case "quoted":
            name, value = _number(fields[0])
            return encode(fields[0] | {name: str(value)})
        case "comma":  # 2.69 as 2,69, which ends the value and begins a nameless one
            name, value = _number(fields[0])
            return encode(fields[0]).replace(encode({name: value})[1:-1], f'"{name}":2,69'.encode())
        case "type":
            return encode(fields[0] | {"ts": "kemarin"})
        case "text":
            return b"ERR sensor timeout"


def _number(fields: dict[str, Any]) -> tuple[str, float]:
    return next((n, v) for n, v in fields.items() if isinstance(v, float) and n not in ("ts", "seq"))


def _one(scope: Scope, what: str, device: int, at_ms: int) -> float:
    return float(scope.chance(what, np.array([device]), np.array([at_ms]))[0])
