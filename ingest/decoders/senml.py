"""SenML, JSON (RFC 8428): records are resolved, and those of one time become one reading.

A record's field is the part of its name after the last / or :, or what the configuration says for that part, for `n`
or for the whole name. Units are converted; without one a value is taken to be in the metric's.

Times below 2**28 are relative to now (4.5.3). What is delivered again has another "now" and would count twice, so
they are refused unless the source says relative_time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any, NamedTuple

from devices.kind import Kind
from devices.payload import Bad, Decoded
from ingest.decoders.fields import Fields, at_epoch_s, bad, checked, into_unit, raw, scaled, unit_of
from ingest.decoders.mapped_json import parsed

VERSION = 10
RELATIVE_BELOW = 2**28
NUMBERS = ("bt", "bv", "bs", "bver", "v", "s", "t", "ut")
TEXTS = ("bn", "bu", "n", "u", "vs", "vd")
VALUES = ("v", "vs", "vb")


class Resolved(NamedTuple):
    """A record without base fields; time is as sent, 0 where nobody said."""

    name: str
    own_name: str
    unit: str
    value: Any
    time: float

    @property
    def record(self) -> dict[str, Any]:
        """As a record of its own, which can be published again."""
        key = "vb" if isinstance(self.value, bool) else "vs" if isinstance(self.value, str) else "v"
        return {"n": self.name, "u": self.unit, key: self.value, "t": self.time}


@dataclass(frozen=True, slots=True)
class SenML:
    fields: dict[str, Fields] = field(default_factory=dict)  # by kind
    relative_time: bool = False

    def decode(self, kind: Kind, payload: bytes, received_at: datetime) -> Decoded:
        """Read a pack for a device of this kind. A pack that breaks the rules of the RFC is refused whole."""
        pack = parsed(payload)
        if isinstance(pack, Bad):
            return Decoded([], [pack])
        try:
            records = list(resolved(pack))
            if not records:
                raise ValueError("payload: no record has a value")
        except ValueError as error:
            return Decoded([], [bad(payload, str(error))])
        at_once: dict[float, list[Resolved]] = defaultdict(list)
        for record in records:
            at_once[record.time].append(record)
        items, refused, parts, unknown = [], [], [], 0
        for time, group in at_once.items():
            told = [record.record for record in group]
            try:
                item, unused = self._item(kind, group)
                item["ts"] = self._time(time, received_at)
            except ValueError as error:
                refused.append(bad(told, str(error)))
                continue
            unknown += unused
            found = checked(kind, item, told)
            if isinstance(found, Bad):
                refused.append(found)
            else:
                items.append(found)
                parts.append(raw(told))
        return Decoded(items, refused, unknown, parts)

    def _item(self, kind: Kind, group: Iterable[Resolved]) -> tuple[dict[str, Any], int]:
        item: dict[str, Any] = {}
        unknown = 0
        names = {taken.path: (name, taken.scale) for name, taken in self.fields.get(kind.name, {}).items()}
        for record in group:
            last = record.name.replace(":", "/").rpartition("/")[2]
            keys = (record.name, record.own_name, last)
            name, by = next((names[key] for key in keys if key in names), (last, None))
            if name == "ts" or name not in kind.wire_fields:
                unknown += 1
                continue
            if name in item:
                raise ValueError(f"{name}: told twice for one time")
            value = record.value
            if by is not None:
                value = scaled(value, by)
            elif record.unit and unit_of(kind, name) is not None:
                try:
                    value = scaled(value, into_unit(kind, name, record.unit))
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from None
            if name == "seq" and isinstance(value, float) and value.is_integer():
                value = int(value)
            item[name] = value
        return item, unknown

    def _time(self, time: float, received_at: datetime) -> str:
        if time >= RELATIVE_BELOW:
            return at_epoch_s(time)
        if not self.relative_time:
            raise ValueError(f"t: {time:g} is relative to now, the source does not allow it (relative_time)")
        return at_epoch_s(received_at.timestamp() + time)


def resolved(pack: Any) -> Iterator[Resolved]:
    """The records of a pack with its base fields applied (4.6). Raises ValueError naming record, field and rule."""
    if not isinstance(pack, list) or not pack:
        raise ValueError("payload: an array of at least one record is needed")
    base: dict[str, Any] = {"bn": "", "bu": "", "bt": 0, "bv": 0, "bver": VERSION}
    for number, record in enumerate(pack):
        _check(number, record)
        base |= {key: record[key] for key in base if key in record}
        if base["bver"] != VERSION:
            raise ValueError(f"record {number}: bver is {base['bver']}, {VERSION} is understood")
        value = next((record[key] for key in VALUES if key in record), None)
        if value is None:  # base fields only, a sum, or bytes: nothing to store
            continue
        if "v" in record:
            value = value + base["bv"]
        own = record.get("n", "")
        name = base["bn"] + own
        if not name:
            raise ValueError(f"record {number}: n: no name, nor a base name")
        time = float(base["bt"] + record.get("t", 0))
        yield Resolved(name, own, record.get("u", base["bu"]), value, time)


def _check(number: int, record: Any) -> None:
    if not isinstance(record, dict):
        raise ValueError(f"record {number}: an object is needed")
    for key, value in record.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if key in NUMBERS and not (is_number and abs(value) < 1e300 and isfinite(value)):
            raise ValueError(f"record {number}: {key}: a finite number is needed")
        if key in TEXTS and not isinstance(value, str):
            raise ValueError(f"record {number}: {key}: text is needed")
        if key == "vb" and not isinstance(value, bool):
            raise ValueError(f"record {number}: vb: true or false is needed")
        if key.endswith("_"):  # 4.4: must be understood
            raise ValueError(f"record {number}: {key[:64]}: must be understood, and is not")
    if sum(key in record for key in (*VALUES, "vd")) > 1:
        raise ValueError(f"record {number}: more than one of v, vs, vb, vd")
