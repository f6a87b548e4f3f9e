"""Fields of a foreign document → fields of a kind: names, factors, offsets and units, by configuration."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import to_json

from devices.kind import Kind
from devices.payload import DETAIL_MAX, Bad
from ingest.decoders.units import Scale, scale

# Units of what every kind carries beside its metrics.
DIAGNOSTIC_UNITS = {"battery_v": "V", "rssi_dbm": "dBm", "snr_db": "dB", "uptime_s": "s"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Taken(NamedTuple):
    """Where a field comes from: a path (keys and list places, with dots), then value * factor + offset."""

    path: str
    scale: Scale = Scale(1.0)


Fields = Mapping[str, Taken]


def unit_of(kind: Kind, field: str) -> str | None:
    """The unit a number of this kind is stored in; None for texts, seq and ts."""
    metric = kind.metrics.get(field)
    return metric.unit if metric else DIAGNOSTIC_UNITS.get(field)


def into_unit(kind: Kind, field: str, unit: str) -> Scale:
    """How a value sent in this unit becomes the field's. Raises ValueError naming both units."""
    wanted = unit_of(kind, field)
    if wanted is None:
        raise ValueError(f"unit {unit!r} given, the field has none")
    return scale(unit, wanted)


def pick(kind: Kind, document: Mapping[str, Any], fields: Fields) -> tuple[dict[str, Any], int]:
    """The document in the kind's fields, and how many of its top-level fields were not used.

    What the configuration does not name is taken over where its name is one of the kind's.
    """
    item: dict[str, Any] = {}
    used: set[str] = set()
    for name, taken in fields.items():
        found = _at(document, taken.path)
        if found is not None:
            item[name] = scaled(found, taken.scale)
        used.add(taken.path if taken.path in document else taken.path.partition(".")[0])
    for name in kind.wire_fields & document.keys() - used:
        item.setdefault(name, document[name])
        used.add(name)
    return item, len(document.keys() - used)


def scaled(value: Any, by: Scale) -> Any:
    """A number in the other scale; what is no number stays, and is told of when the item is checked."""
    if by == Scale(1.0) or isinstance(value, bool) or not isinstance(value, int | float):
        return value
    try:
        return value * by.factor + by.offset
    except OverflowError:  # an integer too large for a float: the check says so
        return value


def checked(kind: Kind, item: dict[str, Any], told: Any) -> dict[str, Any] | Bad:
    """The item as a native one would be, or why not; `told` is what it came from."""
    try:
        return kind.one.validate_python(item)
    except ValidationError as error:
        lines = [f"{'.'.join(str(x) for x in e['loc']) or 'payload'}: {e['msg']}" for e in error.errors()[:5]]
        return bad(told, "; ".join(lines))


def bad(told: Any, why: str) -> Bad:
    """What could not be read, as bytes, and why."""
    return Bad(raw(told), why.replace("\x00", "�")[:DETAIL_MAX])


def raw(told: Any) -> bytes:
    """Bytes as they are, a document as JSON."""
    return told if isinstance(told, bytes) else to_json(told, inf_nan_mode="constants")


def at_epoch_s(seconds: float) -> str:
    """RFC 3339 text of seconds since 1970 UTC. Raises ValueError when no calendar has it."""
    try:
        return (_EPOCH + timedelta(seconds=seconds)).isoformat()
    except (OverflowError, ValueError):
        raise ValueError(f"{seconds!r} s after 1970 is no time") from None


def _at(document: Mapping[str, Any], path: str) -> Any:
    if path in document:  # a key may have dots in it
        return document[path]
    found: Any = document
    for key in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(key)
        elif isinstance(found, list) and key.isascii() and key.isdecimal() and len(key) < 6:
            found = found[int(key)] if int(key) < len(found) else None
        else:
            return None
    return found
