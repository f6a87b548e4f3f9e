"""Payloads: one JSON object or an array of them. One bad item in an array never harms the others."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from devices.kind import Kind

DETAIL_MAX = 500


class Bad(NamedTuple):
    """An item that could not be read: its own bytes and why, naming field and limit."""

    raw: bytes
    why: str


class Decoded(NamedTuple):
    """items hold `ts` as an aware datetime and fields as sent; unknown counts fields the kind does not declare."""

    items: list[dict[str, Any]]
    bad: list[Bad]
    unknown: int


def decode(kind: Kind, payload: bytes) -> Decoded:
    """Read a payload for a device of this kind. Never raises on bad input: it comes back in `bad`."""
    try:
        found = kind.one_or_many.validate_json(payload)
    except ValidationError:
        return _one_by_one(kind, payload)
    items = found if isinstance(found, list) else [found]
    if not items:  # every packet ends as something: an empty array must not vanish
        return Decoded([], [Bad(payload, "payload: an empty array, at least one reading is needed")], 0)
    return Decoded(items, [], _unknown(kind, items))


def encode(readings: dict[str, Any] | list[dict[str, Any]]) -> bytes:
    """The payload a device sends; datetimes become RFC 3339 with their offset."""
    return to_json(readings)


def _one_by_one(kind: Kind, payload: bytes) -> Decoded:
    try:
        parsed = from_json(payload, allow_inf_nan=True)
    except ValueError as broken:
        return Decoded([], [Bad(payload, f"not JSON: {broken}"[:DETAIL_MAX])], 0)
    if not isinstance(parsed, list):
        return Decoded([], [Bad(payload, _told(kind, parsed))], 0)
    items, bad = [], []
    for item in parsed:
        try:
            items.append(kind.one.validate_python(item))
        except ValidationError:
            bad.append(Bad(to_json(item, inf_nan_mode="constants"), _told(kind, item)))
    return Decoded(items, bad, _unknown(kind, items))


def _told(kind: Kind, item: Any) -> str:
    try:
        kind.one.validate_python(item)
    except ValidationError as error:
        parts = [f"{'.'.join(str(x) for x in e['loc']) or 'payload'}: {e['msg']}" for e in error.errors()[:5]]
        return "; ".join(parts)[:DETAIL_MAX]
    return "neither an object nor an array of objects"


def _unknown(kind: Kind, items: list[dict[str, Any]]) -> int:
    fields = kind.wire_fields
    return sum(len(item.keys() - fields) for item in items)
