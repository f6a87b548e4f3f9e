"""Samples of each format become the readings that people would expect of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from chirpstack_api.integration import integration_pb2
from google.protobuf import json_format

from devices.batch import Packet, Readings
from devices.device import Device
from devices.fleet import Fleet
from ingest.decoders.choose import Decoders
from ingest.intake import STRANGER, Limits, take_in

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LIMITS = Limits(payload_max_bytes=262_144, array_max=1000, future_max_s=300, live_window_s=900, age_max_days=3650)
EXAMPLE = Path(__file__).resolve().parents[3] / "deploy" / "decoders.toml"
DECODERS = Decoders.from_file(str(EXAMPLE))
FLEET = Fleet(
    [
        Device("wl-asahan-01", "water_level", region="12.09", attributes={"sensor_to_datum_m": 8.0}),
        Device("lamp-7", "streetlight"),
        Device("gauge", "water_level"),
        Device("lane-3", "traffic"),
    ]
)
CHIRPSTACK = "application/5f1b/device/24E124136B502217/event/up"
THINGS = "v3/pju@ttn/devices/lamp-7/up"


def stored(topic: str, payload: Any, count: int = 1) -> Readings:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    batch = take_in([Packet(topic, raw, NOW)], FLEET, LIMITS, DECODERS)
    assert not batch.quarantined
    (readings,) = batch.readings
    assert len(readings) == count
    return readings


def refused(topic: str, payload: Any) -> tuple[str, str, str]:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    batch = take_in([Packet(topic, raw, NOW)], FLEET, LIMITS, DECODERS)
    assert not batch.readings
    (entry,) = batch.quarantined
    return entry.device_id, entry.reason, entry.detail


def uplink(defaults: bool = False, **changes: Any) -> bytes:
    """An event as the server's MQTT integration marshals it: camelCase, default values left out, or not."""
    event = integration_pb2.UplinkEvent(dev_addr="00189440", f_cnt=41, f_port=2, dr=2, data=b"\x01\x02")
    event.deduplication_id = "3ac7e3c4-4401-4b8d-9386-a5c902f9202d"
    event.time.FromDatetime(NOW - timedelta(seconds=2))
    event.device_info.dev_eui = "24e124136b502217"
    event.object.update({"distance": 5312, "battery": 3600, "tilt": 2})
    for gateway, rssi, snr in (("0016c001f153a14c", -97, 5.5), ("0016c001f153a14d", -48, 9.0)):
        heard = event.rx_info.add(gateway_id=gateway, rssi=rssi, snr=snr)
        heard.ns_time.FromDatetime(NOW - timedelta(seconds=1))
    for name, value in changes.items():
        setattr(event, name, value)
    text = json_format.MessageToJson(event, always_print_fields_with_no_presence=defaults)
    return text.encode()


def things(**changes: Any) -> dict[str, Any]:
    """An uplink message after the Data Formats page."""
    message: dict[str, Any] = {
        "session_key_id": "AXA50tHUiNc2yPQEEjN5vg==",
        "f_port": 1,
        "f_cnt": 17,
        "frm_payload": "gkHe",
        "decoded_payload": {"lamp": {"power": 88.5, "energy": 12.5, "level": 0.8}, "voltage_v": 221},
        "rx_metadata": [
            {
                "gateway_ids": {"gateway_id": "gtw1", "eui": "9C5C8E00001A05C4"},
                "time": "2026-11-24T11:59:57.000Z",
                "timestamp": 2463457000,
                "rssi": -35,
                "channel_rssi": -35,
                "snr": 5.2,
                "uplink_token": "ChIKEA",
            }
        ],
        "settings": {"data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 7}}, "frequency": "923200000"},
        "received_at": "2026-11-24T11:59:58.123456789Z",
        "consumed_airtime": "0.056576s",
        "network_ids": {"net_id": "000013", "tenant_id": "ttn", "cluster_id": "au1"},
    }
    return {
        "end_device_ids": {
            "device_id": "lamp-7",
            "application_ids": {"application_id": "pju"},
            "dev_eui": "0004A30B001C0530",
            "join_eui": "800000000000000C",
            "dev_addr": "00BCB929",
        },
        "correlation_ids": ["as:up:01E0WZGT6Y7657CPFPE5WEYDSQ"],
        "received_at": "2026-11-24T11:59:59.5Z",
        "uplink_message": message | changes,
    }


def test_a_chirpstack_uplink() -> None:
    row = stored(CHIRPSTACK, uplink())
    assert row.device_id == ["wl-asahan-01"]
    assert row.ts(0) == NOW - timedelta(seconds=2)
    assert (row.seq, row.boot) == ([41], ["00189440"])
    assert row.numbers["distance_m"][0] == pytest.approx(5.312)
    assert row.numbers["level_m"][0] == pytest.approx(2.688)
    assert row.numbers["battery_v"][0] == pytest.approx(3.6)
    assert (row.numbers["rssi_dbm"][0], row.numbers["snr_db"][0]) == (-48, 9)


@pytest.mark.parametrize("defaults", [False, True])
def test_the_first_frame_after_a_join_has_the_counter_0(defaults: bool) -> None:
    assert stored(CHIRPSTACK, uplink(defaults, f_cnt=0)).seq == [0]
    message = things()
    if not defaults:
        del message["uplink_message"]["f_cnt"]
    assert stored(THINGS, message).seq == ([17] if defaults else [0])


def test_a_things_stack_uplink() -> None:
    row = stored(THINGS, things())
    assert row.device_id == ["lamp-7"]
    assert row.ts(0) == datetime(2026, 11, 24, 11, 59, 58, 123456, tzinfo=UTC)
    assert (row.seq, row.boot) == ([17], ["AXA50tHUiNc2yPQEEjN5vg=="])
    values = {name: column[0] for name, column in row.numbers.items()}
    assert (values["power_w"], values["energy_wh"], values["voltage_v"]) == (88.5, 12_500, 221)
    assert values["dimming_pct"] == pytest.approx(80)
    assert (values["rssi_dbm"], values["snr_db"]) == (-35, 5.2)


def test_json_with_other_names() -> None:
    sent = [{"time": 1795521600 + n, "veh": 12, "v_mean": 10, "interval": 60, "lane": 3} for n in (0, -60)]
    assert datetime.fromtimestamp(1795521600, UTC) == NOW
    raw = json.dumps(sent).encode()
    batch = take_in([Packet("vendor/x/lane-3/data", raw, NOW)], FLEET, LIMITS, DECODERS)
    (rows,) = batch.readings
    assert [rows.ts(0), rows.ts(1)] == [NOW, NOW - timedelta(minutes=1)]
    assert rows.numbers["speed_kmh"].tolist() == pytest.approx([36, 36])
    assert rows.numbers["flow_vph"].tolist() == [720, 720]
    assert batch.unknown_fields == 2


@pytest.mark.parametrize(
    ("topic", "payload", "device", "why"),
    [
        (CHIRPSTACK, uplink(dev_addr="x" * 65), "wl-asahan-01", "boot: String should have at most 64 characters"),
        (CHIRPSTACK, b'{"object": {"distance": 1}}', "wl-asahan-01", "ts: Field required"),
        (CHIRPSTACK, b'{"time": "2026-11-24T12:00:00Z"}', "wl-asahan-01", "object: no decoded values"),
        (CHIRPSTACK, b"[1]", "wl-asahan-01", "payload: not an uplink event"),
        (THINGS, {"join_accept": {}}, "lamp-7", "uplink_message: an object is needed"),
        (THINGS, things() | {"simulated": True}, "lamp-7", "simulated"),
        (THINGS, things(decoded_payload={"power_w": "12"}), "lamp-7", "power_w: Input should be a valid number"),
        ("vendor/x/lane-3/data", {"veh": 3}, "lane-3", "ts: Field required"),
        ("vendor/x/lane-3/data", [], "lane-3", "payload: an empty array"),
        ("vendor/x/lane-3/data", b"\xff", "lane-3", "not JSON"),
        ("vendor/x/lane-3/data", [3], "lane-3", "neither an object"),
    ],
)
def test_what_cannot_be_read_says_why(topic: str, payload: Any, device: str, why: str) -> None:
    device_id, reason, detail = refused(topic, payload)
    assert (device_id, reason) == (device, "malformed")
    assert why in detail


def test_a_device_that_is_not_registered() -> None:
    assert refused("senml/nobody", b"[]")[:2] == (STRANGER, "unknown_device")


def test_a_topic_of_no_source() -> None:
    assert refused("application/1/device/x/event/join", b"{}")[1] == "malformed"


def test_what_is_quarantined_can_be_published_again() -> None:
    early = uplink()
    batch = take_in([Packet(CHIRPSTACK, early, NOW - timedelta(hours=7))], FLEET, LIMITS, DECODERS)
    (entry,) = batch.quarantined
    assert (entry.reason, entry.topic, entry.payload) == ("future_timestamp", CHIRPSTACK, early)
    assert stored(entry.topic, entry.payload).seq == [41]


@pytest.mark.parametrize(
    ("topic", "pack"),
    [
        (
            "senml/gauge",
            [
                {"bn": "g:", "bt": NOW.timestamp(), "bu": "m", "n": "level_m", "v": 1.5},
                {"n": "level_m", "v": 1.75, "t": 25_200},
            ],
        ),
        (
            "vendor/x/lane-3/data",
            [{"time": NOW.timestamp(), "veh": 1, "interval": 60}, {"time": NOW.timestamp() + 25_200, "veh": 2}],
        ),
    ],
)
def test_of_a_pack_only_the_refused_reading_is_published_again(topic: str, pack: Any) -> None:
    batch = take_in([Packet(topic, json.dumps(pack).encode(), NOW)], FLEET, LIMITS, DECODERS)
    assert [len(readings) for readings in batch.readings] == [1]
    (entry,) = batch.quarantined
    assert (entry.reason, entry.skew_s) == ("future_timestamp", 25_200)
    again = take_in([Packet(topic, entry.payload, NOW + timedelta(hours=7))], FLEET, LIMITS, DECODERS)
    (readings,) = again.readings
    assert [readings.ts(0), len(readings)] == [NOW + timedelta(hours=7), 1]
