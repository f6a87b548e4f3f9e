"""Packets to a batch: every packet ends as readings or as quarantine entries, and nothing raises on bad input.

Pure: the clock is in the packets, the registry and the limits are arguments. One Python step a packet to find its
sender and decode it; everything after that is columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from math import ceil
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from devices.batch import Batch, Packet, Quarantined, QuarantineReason, Readings
from devices.fleet import Fleet
from devices.kind import Bools, Floats, Kind
from devices.kinds import KINDS
from devices.payload import DETAIL_MAX, decode, decode_one, encode, unknown_fields
from devices.quality import Quality, Reason
from devices.topics import NATIVE, parse_topic
from ingest.decoders.choose import NATIVE_ONLY, Decoders, Sender
from runtime.settings import Settings

# Whoever is not registered shares one ledger line: strangers must not be able to grow a table of ours.
STRANGER = "?"
DAY_US = 86_400 * 1_000_000
# What a reading may call its device, though the topic has said so; a gateway that mixes devices up is found by it.
NAMES = frozenset(("device", "device_id"))

Times = npt.NDArray[np.int64]


class Limits(NamedTuple):
    payload_max_bytes: int
    array_max: int
    future_max_s: int
    live_window_s: int
    age_max_days: int

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        return cls(*(getattr(settings, name) for name in cls._fields))


class _Rows:
    """Decoded items of one kind: which device told each, and in which packet."""

    def __init__(self) -> None:
        self.device: list[int] = []
        self.packet: list[Packet] = []
        self.item: list[dict[str, Any]] = []

    def only(self, kept: Bools) -> _Rows:
        rows, numbers = _Rows(), np.flatnonzero(kept).tolist()
        rows.device = [self.device[n] for n in numbers]
        rows.packet = [self.packet[n] for n in numbers]
        rows.item = [self.item[n] for n in numbers]
        return rows


def take_in(packets: Iterable[Packet], fleet: Fleet, limits: Limits, decoders: Decoders = NATIVE_ONLY) -> Batch:
    """Turn packets into a batch; what is not published under our own topics is read by the decoder of its topic."""
    arrived: dict[str, _Rows] = {}
    quarantined: list[Quarantined] = []
    unknown = 0
    senders, devices, most = fleet.senders, fleet.devices, limits.payload_max_bytes
    for packet in packets:
        number, foreign = senders.get(packet.topic), None
        if number is None or len(packet.payload) > most:
            foreign = decoders.of(packet.topic)
            sender = _sender(packet, foreign, fleet, limits)
            if isinstance(sender, Quarantined):
                quarantined.append(sender)
                continue
            number = sender
            if foreign is None:  # a device may have any number of foreign topics
                senders[packet.topic] = number
        device = devices[number]
        kind = KINDS[device.kind]
        rows = arrived.get(device.kind)
        if rows is None:
            rows = arrived[device.kind] = _Rows()
        if foreign is None:
            item = decode_one(kind, packet.payload)
            if item is not None:
                rows.device.append(number)
                rows.packet.append(packet)
                rows.item.append(item)
                continue
            decoded = decode(kind, packet.payload)
        else:
            decoded = foreign.decoder.decode(kind, packet.payload, packet.received_at)
        told = len(decoded.items) + len(decoded.bad)
        if told > limits.array_max:
            text = f"array of {told} readings, limit {limits.array_max}"
            quarantined.append(_refused(packet, "too_large", device.id, text))
            continue
        quarantined += (_refused(packet, "malformed", device.id, bad.why, bad.raw) for bad in decoded.bad)
        count = len(decoded.items)
        rows.device += [number] * count
        if decoded.parts:
            rows.packet += [packet._replace(payload=part) for part in decoded.parts]
        else:
            rows.packet += [packet] * count
        rows.item += decoded.items
        unknown += decoded.unknown
    readings = []
    for name, rows in arrived.items():
        fields = set().union(*rows.item)
        if not fields <= KINDS[name].wire_fields:
            unknown += unknown_fields(KINDS[name], rows.item)
        own = rows if fields.isdisjoint(NAMES) else _of_themselves(rows, fleet, quarantined)
        timely = _in_time(own, fleet, limits, quarantined)
        if timely is not None:
            readings.append(_columns(KINDS[name], *timely, fields, fleet, limits))
    return Batch(readings, quarantined, unknown)


def _sender(packet: Packet, foreign: Sender | None, fleet: Fleet, limits: Limits) -> int | Quarantined:
    """The number of the registered device that sent this packet, or why the packet is refused whole."""
    topic = parse_topic(packet.topic) if foreign is None else None
    if topic is not None:
        device_id = topic.device_id
    elif foreign is not None:
        device_id = foreign.device_id
    else:
        return _refused(packet, "malformed", STRANGER, "topic is not siaga/v1/{region}/{device_id}/readings")
    device = fleet.get(device_id)
    size = len(packet.payload)
    if size > limits.payload_max_bytes:
        text = f"payload of {size} bytes, limit {limits.payload_max_bytes}; kept up to the limit"
        kept = packet.payload[: limits.payload_max_bytes]
        return _refused(packet, "too_large", device.id if device else STRANGER, text, kept)
    if device is None or device.kind not in KINDS:
        return _refused(packet, "unknown_device", STRANGER, f"no device {device_id!r} is registered"[:DETAIL_MAX])
    if topic is not None and device.region is not None and device.region != topic.region:
        text = f"published under region {topic.region}, registered in {device.region}"
        return _refused(packet, "identity_mismatch", device.id, text)
    return fleet.number[device.id]


def _of_themselves(rows: _Rows, fleet: Fleet, quarantined: list[Quarantined]) -> _Rows:
    """Rows that name no other device than their topic does; others are quarantined as told by somebody else."""
    kept = np.ones(len(rows.item), dtype=np.bool_)
    for row, (number, packet, item) in enumerate(zip(rows.device, rows.packet, rows.item, strict=True)):
        device_id = fleet.ids[number]
        for field in NAMES & item.keys():
            if kept[row] and isinstance(item[field], str) and item[field] != device_id:
                kept[row] = False
                detail = f"{field} is {item[field]!r}, published as {device_id}"[:DETAIL_MAX]
                quarantined.append(_refused(packet, "identity_mismatch", device_id, detail, encode(item)))
    return rows if kept.all() else rows.only(kept)


def _refused(
    packet: Packet, reason: QuarantineReason, device_id: str, detail: str, payload: bytes | None = None
) -> Quarantined:
    raw = packet.payload if payload is None else payload
    return Quarantined(reason, device_id, packet.topic, raw, detail, packet.received_at, packet.received_at)


def _in_time(
    rows: _Rows, fleet: Fleet, limits: Limits, quarantined: list[Quarantined]
) -> tuple[_Rows, Times, Times] | None:
    """Rows whose clock can be believed, with ts and received_at in µs; others are quarantined with their skew."""
    if not rows.item:
        return None
    ts_us = _microseconds([item["ts"] for item in rows.item])
    arrivals = [packet.received_at for packet in rows.packet]
    stamps = {at: round(at.timestamp() * 1e6) for at in set(arrivals)}
    received_us = np.array(list(map(stamps.__getitem__, arrivals)), dtype=np.int64)
    ahead_us = ts_us - received_us
    future = ahead_us > limits.future_max_s * 1_000_000
    timely = ~future & (-ahead_us <= limits.age_max_days * DAY_US)
    if timely.all():
        return rows, ts_us, received_us
    for row in np.flatnonzero(~timely).tolist():
        ahead_s = ahead_us[row].item() / 1e6
        reason: QuarantineReason = "future_timestamp" if future[row] else "too_old"
        detail = (
            f"ts is {ceil(ahead_s)} s ahead, limit {limits.future_max_s} s"
            if future[row]
            else f"ts is {ceil(-ahead_s / 86_400)} days old, limit {limits.age_max_days} days"
        )
        packet, device = rows.packet[row], fleet.devices[rows.device[row]]
        raw = encode(rows.item[row]) if packet.topic.startswith(NATIVE) else packet.payload
        quarantined.append(_refused(packet, reason, device.id, detail, raw)._replace(skew_s=ahead_s))
    if not timely.any():
        return None
    return rows.only(timely), ts_us[timely], received_us[timely]


def _microseconds(times: Sequence[datetime | float]) -> Times:
    try:
        us = np.array(times, dtype=np.float64) * 1e3  # nothing but epoch milliseconds
    except TypeError:
        # timestamp() is exact to the microsecond until the year 2255.
        us = np.array([t.timestamp() * 1e6 if isinstance(t, datetime) else t * 1e3 for t in times], dtype=np.float64)
    return np.rint(us).astype(np.int64)


def _columns(
    kind: Kind, rows: _Rows, ts_us: Times, received_us: Times, fields: AbstractSet[str], fleet: Fleet, limits: Limits
) -> Readings:
    """fields: all that the items told; what they did not costs nothing."""
    items = rows.item
    device = np.array(rows.device, dtype=np.int64)
    numbers = _numbers(kind, items, fields)
    failed = np.zeros(len(items), dtype=np.bool_)
    present = np.zeros(len(items), dtype=np.bool_)
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
    late = received_us - ts_us > limits.live_window_s * 1_000_000
    return Readings(
        kind=kind,
        device=device,
        device_id=list(map(fleet.ids.__getitem__, rows.device)),
        packet=rows.packet,
        ts_us=ts_us,
        received_us=received_us,
        seq=_told("seq", items, fields),
        boot=_told("boot", items, fields),
        fw=_told("fw", items, fields),
        numbers=numbers,
        qc=np.where(failed, Quality.FAIL, np.where(present, Quality.GOOD, Quality.MISSING)).astype(np.int16),
        reason=(failed * Reason.RANGE + late * Reason.LATE).astype(np.int32),
        item=items,
    )


def _told(name: str, items: Sequence[dict[str, Any]], fields: AbstractSet[str]) -> list[Any]:
    return [item.get(name) for item in items] if name in fields else [None] * len(items)


def _numbers(kind: Kind, items: Sequence[dict[str, Any]], fields: AbstractSet[str]) -> dict[str, Floats]:
    """The columns of a kind's metrics and diagnostics. None becomes NaN: absent and null are the same to us."""
    told = [name for name in kind.numbers if name in fields]
    if len(told) > 1:
        try:
            # Devices of one kind mostly tell the same: one step in C a reading, 1.2 µs less than one a value.
            table = np.array(list(map(itemgetter(*told), items)), dtype=np.float64)
        except KeyError:
            table = np.array([[item.get(name) for name in told] for item in items], dtype=np.float64)
        columns = dict(zip(told, table.T.copy(), strict=True))
    else:
        columns = {name: np.array(_told(name, items, fields), dtype=np.float64) for name in told}
    absent = np.full(len(items), np.nan)
    return {name: columns.get(name, absent) for name in kind.numbers}
