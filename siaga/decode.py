"""`siaga decode`: what would be stored of a sample payload, by the very code that ingest runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic_core import from_json, to_json

from devices.batch import Batch, Packet, Quarantined, Readings
from devices.device import Device, check
from devices.fleet import Fleet
from devices.kinds import KINDS
from devices.quality import Quality, Reason
from devices.topics import parse_topic, readings_topic
from ingest.decoders.choose import DecoderError, Decoders
from ingest.intake import Limits, take_in
from runtime.settings import Settings
from siaga.named_values import named_values

SAMPLE_REGION, SAMPLE_DEVICE = "12.09", "sample"


class DecodeError(Exception):
    """The sample cannot be tried; the message names the option and the cure."""


@dataclass(frozen=True, slots=True)
class Options:
    """at is when the sample arrives; None: as the file says, else now."""

    sample: Path
    kind: str
    topic: str | None = None
    config: str | None = None
    at: datetime | None = None
    attributes: Mapping[str, Any] | None = None


class Tried(NamedTuple):
    """One packet and what would become of it."""

    packet: Packet
    batch: Batch


def decode(options: Options, settings: Settings) -> list[Tried]:
    """Try each packet of the sample. Raises DecodeError."""
    if options.kind not in KINDS:
        raise DecodeError(f"--kind: {options.kind!r} is unknown; known are {', '.join(sorted(KINDS))}")
    try:
        decoders = Decoders.from_file(options.config or settings.decoders)
    except DecoderError as error:
        raise DecodeError(f"--config: {error}") from None
    limits = Limits.of(settings)
    return [
        Tried(packet, take_in([packet], _fleet(packet.topic, options, decoders), limits, decoders))
        for packet in packets(options)
    ]


def packets(options: Options) -> Iterator[Packet]:
    """The file as one payload, or, where its lines are from `mosquitto_sub -F %J` or `%j`, one packet a line.

    Raises DecodeError.
    """
    topic = options.topic or readings_topic(SAMPLE_REGION, SAMPLE_DEVICE)
    try:
        data = options.sample.read_bytes()
    except OSError as error:
        raise DecodeError(f"--sample: {error}") from None
    now = options.at or datetime.now(UTC)
    found = [_line(line) for line in data.splitlines() if line.strip()]
    told = [line for line in found if line is not None]
    if not told or len(told) < len(found):
        yield Packet(topic, data.removesuffix(b"\n"), now)
        return
    for line in told:
        payload = line["payload"]
        raw = payload.encode() if isinstance(payload, str) else to_json(payload, inf_nan_mode="constants")
        yield Packet(options.topic or line["topic"], raw, options.at or _time(line.get("tst")) or now)


def as_json(tried: list[Tried]) -> list[dict[str, Any]]:
    """One object a packet: readings, quarantined, unknown_fields."""
    return [
        {
            "topic": packet.topic,
            "received_at": packet.received_at.isoformat(),
            "readings": [row for readings in batch.readings for row in rows(readings)],
            "quarantined": [_refusal(entry) for entry in batch.quarantined],
            "unknown_fields": batch.unknown_fields,
        }
        for packet, batch in tried
    ]


def as_text(tried: list[Tried]) -> Iterator[str]:
    """The same in lines for people."""
    for number, told in enumerate(as_json(tried), 1):
        yield f"packet {number}: {told['topic']}, received {told['received_at']}"
        yield from lines(told)


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """One object of as_json in lines."""
    for row in told["readings"]:
        yield f"  reading of {row['device']} ({row['kind']}) at {row['ts']}"
        yield f"    seq {_or_dash(row['seq'])}, boot {_or_dash(row['boot'])}, fw {_or_dash(row['fw'])}"
        yield f"    qc {row['qc']} {row['quality']}{''.join(f', {name}' for name in row['reasons'])}"
        for name, value in row["values"].items():
            derived = " (derived)" if name in row["derived"] else ""
            yield f"    {name} = {value:.10g}{derived}"
    for entry in told["quarantined"]:
        yield f"  quarantined of {entry['device']}: {entry['reason']}: {entry['detail']}"
        yield f"    {entry['payload']}"
    if told["unknown_fields"]:
        yield f"  unknown fields, not stored: {told['unknown_fields']}"


def rows(readings: Readings) -> Iterator[dict[str, Any]]:
    """Readings as they would be stored; derived names what the server has computed from others."""
    for row, item in enumerate(readings.item):
        values = {name: float(column[row]) for name, column in readings.numbers.items() if not np.isnan(column[row])}
        bits = int(readings.reason[row])
        yield {
            "device": readings.device_id[row],
            "kind": readings.kind.name,
            "ts": readings.ts(row).isoformat(),
            "seq": readings.seq[row],
            "boot": readings.boot[row],
            "fw": readings.fw[row],
            "values": values,
            "derived": sorted(name for name, value in values.items() if item.get(name) != value),
            "qc": int(readings.qc[row]),
            "quality": Quality(int(readings.qc[row])).name.lower(),
            "reasons": [bit.name.lower() for bit in Reason if bits & bit and bit.name],
        }


def _fleet(topic: str, options: Options, decoders: Decoders) -> Fleet:
    """The one device that the topic names, as if it were registered. Raises DecodeError."""
    sender, native = decoders.of(topic), parse_topic(topic)
    device_id = sender.device_id if sender else native.device_id if native else SAMPLE_DEVICE
    made = check(Device(device_id, options.kind, attributes=options.attributes or {}))
    if isinstance(made, list):
        raise DecodeError("\n".join(f"{each.field}: {each.message}" for each in made))
    return Fleet([made])


def _line(line: bytes) -> dict[str, Any] | None:
    try:
        told = from_json(line, allow_inf_nan=True)
    except ValueError:
        return None
    if isinstance(told, dict) and isinstance(told.get("topic"), str) and "payload" in told:
        return told
    return None


def _time(text: Any) -> datetime | None:
    """`tst` of mosquitto_sub, 2026-11-24T19:10:00.000000+0700; None where it is something else."""
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else None


def _refusal(entry: Quarantined) -> dict[str, Any]:
    return {
        "device": entry.device_id,
        "reason": entry.reason,
        "detail": entry.detail,
        "payload": entry.payload.decode(errors="replace"),
        "skew_s": entry.skew_s,
    }


def _or_dash(value: Any) -> str:
    return "-" if value is None else str(value)


def attributes_of(given: list[str]) -> dict[str, Any]:
    """NAME=VALUE options; a value is JSON where it can be, else text. Raises DecodeError."""
    try:
        return named_values(given)
    except ValueError as error:
        raise DecodeError(f"--attribute: {error}") from None


def time_of(text: str) -> datetime:
    """--at as RFC 3339 with an offset. Raises DecodeError."""
    at = _time(text)
    if at is None:
        raise DecodeError(f"--at: {text!r} is not RFC 3339 with an offset, as 2026-11-24T19:10:00+07:00")
    return at
