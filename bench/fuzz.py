"""Packets that nobody would send: every one must end as reading, duplicate or quarantine entry, and nothing may raise.

Seeded mutations of good topics and payloads of every decoder are put into MQTT PUBLISH packets, some of which are
damaged too, cut by the read lane and taken in as ingest does. A duplicate is a (device, ts) seen before, counted apart
as the database would. On a packet that is lost, or an error, seed and packet are printed and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from devices.batch import Batch, Packet
from devices.device import Device
from devices.fleet import Fleet
from ingest.decoders.choose import Decoders
from ingest.intake import Limits, take_in
from ingest.lane import Topics, cut_publishes

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LIMITS = Limits(payload_max_bytes=4096, array_max=50, future_max_s=300, live_window_s=900, age_max_days=3650)
CONFIG = Path(__file__).resolve().parents[1] / "deploy" / "decoders.toml"
FLEET = [
    Device("lamp-7", "streetlight", region="12.09"),
    Device("wl-asahan-01", "water_level", attributes={"sensor_to_datum_m": 8.0}),
    Device("gauge", "water_level", region="12.09"),
    Device("lane-3", "traffic"),
]
CHIRPSTACK = {
    "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
    "time": "2026-11-24T11:59:58.123456789+00:00",
    "devAddr": "00189440",
    "fCnt": 41,
    "object": {"distance": 5312, "battery": 3600},
    "rxInfo": [{"gatewayId": "0016c001f153a14c", "nsTime": "2026-11-24T11:59:58Z", "rssi": -48, "snr": 9}],
}
THINGS = {
    "end_device_ids": {"device_id": "lamp-7", "dev_addr": "00BCB929"},
    "received_at": "2026-11-24T11:59:59Z",
    "uplink_message": {
        "session_key_id": "AXA50tHUiNc2yPQEEjN5vg==",
        "f_cnt": 17,
        "decoded_payload": {"lamp": {"power": 88.5, "energy": 12.5, "level": 0.8}},
        "rx_metadata": [{"rssi": -35, "snr": 5.2}],
        "received_at": "2026-11-24T11:59:58.123456789Z",
    },
}
SENML = [
    {"bn": "urn:dev:x:", "bt": 1795521600, "bu": "m", "n": "level_m", "v": 1.5},
    {"n": "level_m", "v": 1.25, "t": -60},
    {"n": "temperature_c", "u": "K", "v": 300},
]
NATIVE = {"ts": "2026-11-24T19:00:00+07:00", "seq": 991, "boot": "a1b2", "level_m": 2.688, "power_w": 40, "count": 3}
VENDOR = [{"time": 1795521600, "veh": 12, "v_mean": 9.7, "interval": 60}]
SEEDS: list[tuple[str, object]] = [
    ("siaga/v1/12.09/gauge/readings", NATIVE),
    ("siaga/v1/12.09/lamp-7/readings", [NATIVE, NATIVE | {"seq": 992, "ts": 1795521000000}]),
    ("application/5f1b/device/24e124136b502217/event/up", CHIRPSTACK),
    ("v3/pju@ttn/devices/lamp-7/up", THINGS),
    ("senml/gauge", SENML),
    ("vendor/x/lane-3/data", VENDOR),
]
ODD = (
    None, True, False, 0, -1, 1e308, -1e-308, 2**63, 10**400, float("nan"), float("inf"), "", "0", "\x00", "�",
    "x" * 70, "2026",
    "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", [], {}, [[]], {"": 0}, 1795521600, 1795521600000,
)  # fmt: skip
TOKENS = (
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b'"',
    b"\x00",
    b"\xff",
    b"\xc3",
    b"NaN",
    b"1e999",
    b"-",
    b"\\u0000",
    b"9" * 40,
)
PER_BATCH = 2_000


class Lost(NamedTuple):
    """What went wrong, with the packet that shows it."""

    what: str
    packet: Packet | None


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--inputs", type=int, default=1_000_000, help="packets to try (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same packets (default 1)")


def run(asked: argparse.Namespace) -> int:
    """Try so many packets; prints progress and a table; 1 when one was lost or raised."""
    began, counts, lost = time.monotonic(), Counter[str](), None
    for done, (found, lost) in enumerate(rounds(asked.inputs, asked.seed), 1):
        counts += found
        if lost is not None:
            break
        if done % 25 == 0:
            told = counts["packets"]
            print(f"{told:,} packets, {told / (time.monotonic() - began):,.0f}/s", file=sys.stderr, flush=True)
    print(f"seed {asked.seed}, {time.monotonic() - began:.0f} s")
    for name, count in sorted(counts.items()):
        print(f"  {name:<40}{count:>12,}")
    if lost is None:
        return 0
    print(f"{lost.what}\n{lost.packet!r}")
    return 1


def rounds(inputs: int, seed: int) -> Iterator[tuple[Counter[str], Lost | None]]:
    """Batches of packets until so many were tried: what became of them."""
    decoders, fleet = Decoders.from_file(str(CONFIG)), Fleet(FLEET)
    chance, seen, topics = random.Random(seed), set[tuple[int, int]](), Topics()
    for start in range(0, inputs, PER_BATCH):
        many = min(PER_BATCH, inputs - start)
        sent = [_publish(chance, *_mutated(chance)) for _ in range(many)]
        found: Counter[str] = Counter(packets=many)
        packets = list(_cut(sent, topics, found))
        yield found, _take(packets, fleet, decoders, seen, found)


def _take(
    packets: Sequence[Packet], fleet: Fleet, decoders: Decoders, seen: set[tuple[int, int]], found: Counter[str]
) -> Lost | None:
    """Take a batch in; on a loss or an error find the packet."""
    try:
        batch = take_in(packets, fleet, LIMITS, decoders)
    except Exception:  # noqa: BLE001
        return _culprit(packets, fleet, decoders)
    ended = {packet.received_at for readings in batch.readings for packet in readings.packet}
    ended |= {entry.received_at for entry in batch.quarantined}  # no two packets arrive at once
    for packet in packets:
        if packet.received_at not in ended:
            return Lost("a packet vanished", packet)
    _count(batch, seen, found)
    return None


def _culprit(packets: Sequence[Packet], fleet: Fleet, decoders: Decoders) -> Lost:
    for packet in packets:
        try:
            take_in([packet], fleet, LIMITS, decoders)
        except Exception as error:  # noqa: BLE001
            return Lost(f"{type(error).__name__}: {error}", packet)
    return Lost("an error that only the whole batch shows", None)


def _count(batch: Batch, seen: set[tuple[int, int]], found: Counter[str]) -> None:
    for readings in batch.readings:
        for key in zip(readings.device.tolist(), readings.ts_us.tolist(), strict=True):
            found["duplicate or conflict" if key in seen else "reading"] += 1
            seen.add(key)
    found.update(f"quarantined {entry.reason}" for entry in batch.quarantined)


def _cut(sent: Sequence[bytes], topics: Topics, found: Counter[str]) -> Iterator[Packet]:
    """As the lane reads them. What is no PUBLISH it leaves to paho, which would close the connection."""
    at = 0
    for data in sent:
        cut = cut_publishes(data, 0, 10, 1 << 20, 1 << 20, topics)
        # What one damaged length makes of the rest of a packet may be more packets.
        found["cut by the lane"] += len(cut.topics)
        found["left to the reader below"] += not cut.topics
        for topic, payload in zip(cut.topics, cut.payloads, strict=True):
            at += 1
            yield Packet(topic, payload, NOW + timedelta(microseconds=at))


def _publish(chance: random.Random, topic: bytes, payload: bytes) -> bytes:
    """A PUBLISH of QoS 1; one of fifty is damaged in its head."""
    body = len(topic).to_bytes(2, "big") + topic + chance.randrange(1, 65536).to_bytes(2, "big") + payload
    size, digits = len(body), bytearray()
    while True:
        size, digit = divmod(size, 128)
        digits.append(digit | (128 if size else 0))
        if not size:
            break
    data = bytearray(b"\x32" + digits + body)
    if chance.random() < 0.02:
        data[chance.randrange(min(8, len(data)))] = chance.randrange(256)
    return bytes(data)


def _mutated(chance: random.Random) -> tuple[bytes, bytes]:
    topic, good = SEEDS[chance.randrange(len(SEEDS))]
    document = json.loads(json.dumps(good))
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        document = _changed(chance, document)
    payload = bytearray(_at_another_time(chance, json.dumps(document).encode()))
    for _ in range(chance.choice((0, 0, 0, 1, 3))):
        at = chance.randrange(len(payload) + 1)
        payload[at : at + chance.randrange(4)] = chance.choice(TOKENS)
    if chance.random() < 0.01:
        payload = payload * chance.randrange(1, 40)
    name = bytearray(topic.encode())
    if chance.random() < 0.05:
        name[chance.randrange(len(name))] = chance.randrange(256)
    return bytes(name), bytes(payload)


def _at_another_time(chance: random.Random, payload: bytes) -> bytes:
    """Most within the last day, so that not all are duplicates of the first."""
    at = NOW - timedelta(seconds=chance.randrange(86_400))
    text = at.strftime("%Y-%m-%dT%H:%M:%S")
    for known, told in (
        ("1795521600", str(int(at.timestamp()))),
        ("2026-11-24T11:59:58", text),
        ("2026-11-24T19:00:00+07:00", text + "Z"),
    ):
        payload = payload.replace(known.encode(), told.encode())
    return payload


def _changed(chance: random.Random, document: object) -> object:
    """One value somewhere replaced by an odd one, left out, doubled or nested; times move."""
    if isinstance(document, dict) and document:
        key = chance.choice(list(document))
        if chance.random() < 0.6:
            return document | {key: _changed(chance, document[key])}
        if chance.random() < 0.3:
            return {name: value for name, value in document.items() if name != key}
        return document | {
            chance.choice(("ts", "t", "bt", "v", "n", "seq", "boot", "fw", "x_", key)): chance.choice(ODD)
        }
    if isinstance(document, list) and document:
        at = chance.randrange(len(document))
        kept = [*document[:at], _changed(chance, document[at]), *document[at + 1 :]]
        return kept * chance.choice((1, 1, 1, 2, 30)) if chance.random() < 0.2 else kept
    if (
        isinstance(document, int | float)
        and not isinstance(document, bool)
        and abs(document) < 1e300
        and chance.random() < 0.6
    ):
        return document + chance.choice((-1, 1)) * chance.choice((0.5, 1, 60, 3600, 86400, 1e9))
    return chance.choice(ODD)
