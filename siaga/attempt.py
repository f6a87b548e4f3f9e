"""What a replay would make of a quarantine entry now, by the code that ingest replays with. Nothing is stored.

What other readings would say (a conflict, a duplicate, quality checks) is not looked at.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from devices.batch import Packet
from devices.device import Device
from devices.fleet import Fleet
from devices.topics import parse_topic
from ingest.decoders.choose import DecoderError, Decoders
from ingest.intake import Limits
from ingest.replay import as_batch
from runtime.settings import Settings
from siaga import decode
from siaga.client import Client
from siaga.quarantine import PATH, QuarantineError
from storage.quarantine_replay import Waiting

NOT_SHOWN = ("events", "payload_base64", "tried")


def look(api: Client, number: int, settings: Settings, shift_s: float) -> dict[str, Any]:
    """An entry as the API shows it, and as `tried` what a replay would make of it; null where no payload is kept.

    Raises QuarantineError and SiagaError.
    """
    try:
        decoders = Decoders.from_file(settings.decoders)
    except DecoderError as error:
        raise QuarantineError(f"SIAGA_DECODERS: {error}") from None
    entry: dict[str, Any] = api.get(f"{PATH}/{number}")
    if entry["payload_base64"] is None:
        return entry | {"tried": None}
    tried = _try(entry, Fleet(_sender(api, entry["topic"], decoders)), Limits.of(settings), decoders, shift_s)
    return entry | {"tried": decode.as_json([tried])[0]}


def as_lines(looked: Mapping[str, Any]) -> Iterator[str]:
    """The same for people."""
    for name, value in looked.items():
        if name not in NOT_SHOWN and value is not None:
            yield f"{name}: {value}"
    for event in looked["events"]:
        yield "  ".join(["event:", *(str(value) for value in event.values() if value is not None)])
    if looked["tried"] is None:
        yield "no payload is kept: there is nothing to try"
        return
    yield "a replay now would make of it:"
    yield from decode.lines(looked["tried"])


def _sender(api: Client, topic: str, decoders: Decoders) -> list[Device]:
    """The device that a topic names, as it is registered; none where it is not."""
    foreign, native = decoders.of(topic), parse_topic(topic)
    device_id = foreign.device_id if foreign else native.device_id if native else None
    found = api.find(f"/devices/{device_id}") if device_id else None
    return [Device(**{name: found[name] for name in Device.__dataclass_fields__})] if found else []


def _try(entry: Mapping[str, Any], fleet: Fleet, limits: Limits, decoders: Decoders, shift_s: float) -> decode.Tried:
    payload, seen = base64.b64decode(entry["payload_base64"]), datetime.fromisoformat(entry["first_seen"])
    waiting = Waiting(
        entry["id"], entry["device_id"], entry["reason"], b"", entry["topic"], payload, seen, seen, shift_s
    )  # fmt: skip
    batch = as_batch(waiting, fleet, limits, datetime.now(UTC), decoders)
    return decode.Tried(Packet(entry["topic"], payload, seen), batch)
