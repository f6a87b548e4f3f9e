"""Payloads: one JSON object or an array of them. One bad item in an array never harms the others."""

from __future__ import annotations

from collections.abc import Sequence
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
    """items hold fields as sent, also those the kind does not declare; `ts` is an aware datetime or epoch ms."""

    items: list[dict[str, Any]]
    bad: Sequence[Bad] = ()
    unknown: int = 0  # fields that a decoder has left out
    parts: Sequence[bytes] = ()  # of a foreign payload, by item: what tells it alone; none: the payload does


def decode(kind: Kind, payload: bytes) -> Decoded:
    """Read a payload for a device of this kind. Never raises on bad input: it comes back in `bad`."""
    # By its first character: a union of both would cost 1 µs a reading more.
    try:
        items = kind.many.validate_json(payload) if payload[:1] == b"[" else [kind.one.validate_json(payload)]
    except ValidationError:
        return _one_by_one(kind, payload)
    return Decoded(items) if items else _one_by_one(kind, payload)


def decode_one(kind: Kind, payload: bytes) -> dict[str, Any] | None:
    """The item of a payload that is one object and has nothing wrong; None of any other, which `decode` reads.

    Most payloads are such; without the lists around it that is 1 µs less.
    """
    if payload[:1] == b"[":
        return None
    try:
        return kind.read_one(payload)
    except ValidationError:
        return None


def unknown_fields(kind: Kind, items: Sequence[dict[str, Any]]) -> int:
    """How many fields the kind does not declare; they are counted, not fatal."""
    known = kind.wire_fields
    return sum(len(item) - len(known & item.keys()) for item in items if not item.keys() <= known)


def encode(readings: dict[str, Any] | list[dict[str, Any]]) -> bytes:
    """The payload a device sends; datetimes become RFC 3339 with their offset."""
    return to_json(readings)


def _one_by_one(kind: Kind, payload: bytes) -> Decoded:
    try:
        parsed = from_json(payload, allow_inf_nan=True)
    except ValueError as broken:
        return Decoded([], [Bad(payload, f"not JSON: {broken}"[:DETAIL_MAX])])
    if not isinstance(parsed, list):
        return Decoded([], [Bad(payload, _told(kind, parsed))])
    if not parsed:  # every packet ends as something: an empty array must not vanish
        return Decoded([], [Bad(payload, "payload: an empty array, at least one reading is needed")])
    items, bad = [], []
    for item in parsed:
        try:
            items.append(kind.one.validate_python(item))
        except ValidationError:
            bad.append(Bad(to_json(item, inf_nan_mode="constants"), _told(kind, item)))
    return Decoded(items, bad)


def _told(kind: Kind, item: Any) -> str:
    try:
        kind.one.validate_python(item)
    except ValidationError as error:
        parts = [f"{'.'.join(str(x) for x in e['loc']) or 'payload'}: {e['msg']}" for e in error.errors()[:5]]
        return "; ".join(parts)[:DETAIL_MAX]
    return "neither an object nor an array of objects"
