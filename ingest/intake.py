"""Packets to a batch: every packet ends as readings or as quarantine entries, and nothing raises on bad input.

Pure: the clock is in the packets, the registry and the limits are arguments.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, NamedTuple

import numpy as np

from devices.batch import Batch, Packet, Quarantined, QuarantineReason, Readings
from devices.device import Device
from devices.fleet import Fleet
from devices.kind import Floats, Kind
from devices.kinds import KINDS
from devices.payload import decode, encode
from devices.quality import Quality, Reason
from devices.topics import parse_topic
from runtime.settings import Settings

# Whoever is not registered shares one ledger line: strangers must not be able to grow a table of ours.
STRANGER = "?"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Limits(NamedTuple):
    payload_max_bytes: int
    array_max: int
    future_max_s: int
    live_window_s: int
    age_max_days: int

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        return cls(*(getattr(settings, name) for name in cls._fields))


class _Arrived(NamedTuple):
    """One decoded item and where it came from."""

    packet: Packet
    device: int
    device_id: str
    item: dict[str, Any]


def take_in(packets: Iterable[Packet], fleet: Fleet, limits: Limits) -> Batch:
    """Turn packets into a batch."""
    arrived: dict[str, list[_Arrived]] = {}
    quarantined: list[Quarantined] = []
    unknown = 0
    for packet in packets:
        device = _sender(packet, fleet, limits)
        if isinstance(device, Quarantined):
            quarantined.append(device)
            continue
        decoded = decode(KINDS[device.kind], packet.payload)
        if len(decoded.items) + len(decoded.bad) > limits.array_max:
            text = f"array of {len(decoded.items) + len(decoded.bad)} readings, limit {limits.array_max}"
            quarantined.append(_refused(packet, "too_large", device.id, text))
            continue
        unknown += decoded.unknown
        quarantined += (_refused(packet, "malformed", device.id, bad.why, bad.raw) for bad in decoded.bad)
        number = fleet.number[device.id]
        arrived.setdefault(device.kind, []).extend(_Arrived(packet, number, device.id, item) for item in decoded.items)
    readings = []
    for name, rows in arrived.items():
        timely = _in_time(rows, limits, quarantined)
        if timely:
            readings.append(_columns(KINDS[name], timely, fleet, limits))
    return Batch(readings, quarantined, unknown)


def _sender(packet: Packet, fleet: Fleet, limits: Limits) -> Device | Quarantined:
    """The registered device that sent this packet, or why it is refused whole."""
    topic = parse_topic(packet.topic)
    if topic is None:
        return _refused(packet, "malformed", STRANGER, "topic is not siaga/v1/{region}/{device_id}/readings")
    device = fleet.get(topic.device_id)
    size = len(packet.payload)
    if size > limits.payload_max_bytes:
        text = f"payload of {size} bytes, limit {limits.payload_max_bytes}; kept up to the limit"
        kept = packet.payload[: limits.payload_max_bytes]
        return _refused(packet, "too_large", device.id if device else STRANGER, text, kept)
    if device is None or device.kind not in KINDS:
        return _refused(packet, "unknown_device", STRANGER, f"no device {topic.device_id!r} is registered")
    if device.region is not None and device.region != topic.region:
        text = f"published under region {topic.region}, registered in {device.region}"
        return _refused(packet, "identity_mismatch", device.id, text)
    return device


def _refused(
    packet: Packet, reason: QuarantineReason, device_id: str, detail: str, payload: bytes | None = None
) -> Quarantined:
    raw = packet.payload if payload is None else payload
    return Quarantined(reason, device_id, packet.topic, raw, detail, packet.received_at, packet.received_at)


def _in_time(rows: list[_Arrived], limits: Limits, quarantined: list[Quarantined]) -> list[_Arrived]:
    """Rows whose clock can be believed; the others go to `quarantined` with their measured skew."""
    timely = []
    for row in rows:
        packet, ts = row.packet, row.item["ts"]
        ahead_s = (ts - packet.received_at).total_seconds()
        if ahead_s > limits.future_max_s:
            reason: QuarantineReason = "future_timestamp"
            detail = f"ts is {ceil(ahead_s)} s ahead, limit {limits.future_max_s} s"
        elif -ahead_s > limits.age_max_days * 86_400:
            reason = "too_old"
            detail = f"ts is {ceil(-ahead_s / 86_400)} days old, limit {limits.age_max_days} days"
        else:
            timely.append(row)
            continue
        quarantined.append(
            Quarantined(
                reason,
                row.device_id,
                packet.topic,
                encode(row.item),
                detail,
                packet.received_at,
                packet.received_at,
                ahead_s,
            )
        )
    return timely


def _columns(kind: Kind, rows: list[_Arrived], fleet: Fleet, limits: Limits) -> Readings:
    items = [row.item for row in rows]
    device = np.array([row.device for row in rows], dtype=np.int64)
    ts = [item["ts"].astimezone(UTC) for item in items]
    received_at = [row.packet.received_at for row in rows]
    numbers = {name: _floats(name, items) for name in kind.numbers}
    failed = np.zeros(len(rows), dtype=np.bool_)
    present = np.zeros(len(rows), dtype=np.bool_)
    # A device may send 1e308: what is computed from it is infinite, which JSON cannot say, and fails.
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        for name, value in kind.derive(numbers, lambda name: fleet.attribute(name)[device]).items():
            failed |= np.isinf(value)
            numbers[name] = np.where(np.isinf(value), np.nan, value)
        for beyond in kind.impossible(numbers).values():
            failed |= beyond
    for name, metric in kind.metrics.items():
        value = numbers[name]
        present |= ~np.isnan(value)
        failed |= (value < metric.low) | (value > metric.high)
    ts_us = np.array([(t - _EPOCH) // _MICROSECOND for t in ts], dtype=np.int64)
    received_us = np.array([(t - _EPOCH) // _MICROSECOND for t in received_at], dtype=np.int64)
    late = received_us - ts_us > limits.live_window_s * 1_000_000
    return Readings(
        kind=kind,
        device=device,
        device_id=[row.device_id for row in rows],
        topic=[row.packet.topic for row in rows],
        ts=ts,
        ts_us=ts_us,
        received_at=received_at,
        seq=[item.get("seq") for item in items],
        boot=[item.get("boot") for item in items],
        fw=[item.get("fw") for item in items],
        numbers=numbers,
        qc=np.where(failed, Quality.FAIL, np.where(present, Quality.GOOD, Quality.MISSING)).astype(np.int16),
        reason=(failed * Reason.RANGE + late * Reason.LATE).astype(np.int32),
        item=items,
    )


def _floats(name: str, items: list[dict[str, Any]]) -> Floats:
    # None becomes NaN in the conversion; absent and null are the same to us.
    return np.array([item.get(name) for item in items], dtype=np.float64)
