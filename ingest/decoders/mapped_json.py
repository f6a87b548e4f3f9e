"""JSON with other names: one object, or an array of them, in fields that the configuration names.

Each needs a time of its own. The time of arrival would do for a chart, but a packet that is delivered twice would
then count twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic_core import from_json

from devices.kind import Kind
from devices.payload import Bad, Decoded
from ingest.decoders.fields import Fields, bad, checked, pick, raw


def parsed(payload: bytes) -> Any:
    """The payload as JSON; a Bad where it is none."""
    try:
        return from_json(payload, allow_inf_nan=True)
    except ValueError as broken:
        return bad(payload, f"not JSON: {broken}")


@dataclass(frozen=True, slots=True)
class MappedJson:
    fields: dict[str, Fields] = field(default_factory=dict)  # by kind

    def decode(self, kind: Kind, payload: bytes, received_at: datetime) -> Decoded:
        """Read a payload for a device of this kind."""
        document = parsed(payload)
        if isinstance(document, Bad):
            return Decoded([], [document])
        if document == []:
            return Decoded([], [bad(payload, "payload: an empty array, at least one reading is needed")])
        items, refused, parts, unknown = [], [], [], 0
        for each in document if isinstance(document, list) else [document]:
            if not isinstance(each, dict):
                refused.append(bad(each, "neither an object nor an array of objects"))
                continue
            item, unused = pick(kind, each, self.fields.get(kind.name, {}))
            unknown += unused
            found = checked(kind, item, each)
            if isinstance(found, Bad):
                refused.append(found)
            else:
                items.append(found)
                parts.append(raw(each))
        return Decoded(items, refused, unknown, parts)
