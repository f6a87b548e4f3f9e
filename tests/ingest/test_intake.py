"""Intake: every packet ends as readings or in quarantine with a reason that names field and limit; nothing raises."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devices.batch import Batch, Packet, Quarantined, Readings
from devices.device import Device
from devices.fleet import Fleet
from devices.kinds import KINDS
from devices.quality import Reason
from ingest.intake import STRANGER, Limits, take_in
from runtime.settings import Settings

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
WIB = timezone(timedelta(hours=7))
LIMITS = Limits(payload_max_bytes=262_144, array_max=1000, future_max_s=300, live_window_s=900, age_max_days=3650)
FLEET = Fleet(
    [
        Device("lamp", "streetlight", region="12.09"),
        Device("gauge", "water_level", region="12.09"),
        Device("radar", "water_level", attributes={"sensor_to_datum_m": 8.0}),
        Device("counter", "traffic"),
        Device("old-kind", "barometer"),
    ]
)


def packet(payload: Any, device_id: str = "lamp", region: str = "12.09", at: datetime = NOW) -> Packet:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Packet(f"siaga/v1/{region}/{device_id}/readings", raw, at)


def taken(*packets: Packet, limits: Limits = LIMITS) -> Batch:
    return take_in(packets, FLEET, limits)


def refused(sent: Packet, limits: Limits = LIMITS) -> Quarantined:
    """The one entry that a packet ends as."""
    batch = taken(sent, limits=limits)
    assert not batch.readings
    (entry,) = batch.quarantined
    assert entry.topic == sent.topic
    assert entry.received_at == sent.received_at
    return entry


def stored(sent: Packet, limits: Limits = LIMITS) -> Readings:
    """The one reading that a packet ends as."""
    batch = taken(sent, limits=limits)
    assert not batch.quarantined
    (readings,) = batch.readings
    assert len(readings) == 1
    return readings


def good(**more: Any) -> dict[str, Any]:
    return {"ts": "2026-11-24T12:00:00Z", "power_w": 60.5, **more}


def raw(power_w: str) -> bytes:
    return f'{{"ts":"2026-11-24T12:00:00Z","power_w":{power_w}}}'.encode()


def test_a_reading_becomes_a_row_of_columns() -> None:
    sent = packet(
        {"ts": "2026-11-24T19:00:00+07:00", "seq": 991, "boot": "a1b2", "fw": "1.4", "level_m": 2.688, "battery_v": 3},
        "gauge",
    )
    row = stored(sent)
    assert (row.kind, row.device.tolist(), row.device_id, [p.topic for p in row.packet]) == (
        KINDS["water_level"], [1], ["gauge"], [sent.topic]
    )  # fmt: skip
    assert row.ts(0) == NOW
    assert row.ts(0).utcoffset() == timedelta(0)
    assert row.ts_us.tolist() == [round(NOW.timestamp() * 1e6)]
    assert (row.received_at(0), row.seq, row.boot, row.fw) == (NOW, [991], ["a1b2"], ["1.4"])
    assert {name: values[0] for name, values in row.numbers.items() if not np.isnan(values[0])} == {
        "level_m": 2.688, "battery_v": 3.0
    }  # fmt: skip
    assert (row.qc.tolist(), row.reason.tolist()) == ([1], [0])


@pytest.mark.parametrize(
    ("ts", "expected"),
    [
        ("2026-11-24T12:00:00Z", NOW),
        ("2026-11-24T19:00:00+07:00", NOW),
        ("2026-11-24T12:00:00.250Z", NOW + timedelta(milliseconds=250)),
        ("2026-11-24t12:00:00z", NOW),
        (1_795_521_600_000, NOW),
        (1_795_521_600_250, NOW + timedelta(milliseconds=250)),
        (1_795_521_600_000.5, NOW + timedelta(microseconds=500)),
    ],
)
def test_both_ways_to_write_a_time(ts: Any, expected: datetime) -> None:
    assert stored(packet(good(ts=ts))).ts(0) == expected


@pytest.mark.parametrize(
    ("sent", "reason", "device_id", "detail"),
    [
        (packet(good(), "nobody"), "unknown_device", STRANGER, "no device 'nobody' is registered"),
        (packet(good(), "old-kind"), "unknown_device", STRANGER, "old-kind"),
        (packet(good(), region="12.10"), "identity_mismatch", "lamp", "under region 12.10, registered in 12.09"),
        (packet(good(device_id="other")), "identity_mismatch", "lamp", "device_id is 'other', published as lamp"),
        (packet([good(device="other")]), "identity_mismatch", "lamp", "device is 'other', published as lamp"),
        (packet(b"{"), "malformed", "lamp", "not JSON: EOF while parsing"),
        (packet(b""), "malformed", "lamp", "not JSON: EOF"),
        (packet(b"\xff\xfe"), "malformed", "lamp", "not JSON"),
        (packet(7), "malformed", "lamp", "payload"),
        (packet([]), "malformed", "lamp", "empty array"),
        (packet({}), "malformed", "lamp", "ts: Field required"),
        (packet(good(ts="2026-11-24T12:00:00")), "malformed", "lamp", "ts: must be RFC 3339 with an offset"),
        (packet(good(ts=1e30)), "malformed", "lamp", "ts: must be RFC 3339"),
        (packet(good(power_w="60")), "malformed", "lamp", "power_w: Input should be a valid number"),
        (packet(good(power_w=True)), "malformed", "lamp", "power_w: Input should be a valid number"),
        (packet(raw("NaN")), "malformed", "lamp", "power_w: Input should be a finite number"),
        (packet(raw("1e999")), "malformed", "lamp", "power_w: Input should be a finite number"),
        (packet(good(power_w=10**400)), "malformed", "lamp", "power_w"),
        (packet(good(seq=2**63)), "malformed", "lamp", "seq: Input should be less than or equal to 9223372036854775"),
        (packet(good(seq=-1)), "malformed", "lamp", "seq: Input should be greater than or equal to 0"),
        (packet(good(seq=1.5)), "malformed", "lamp", "seq: Input should be a valid integer"),
        (packet(good(boot="x" * 65)), "malformed", "lamp", "boot: String should have at most 64 characters"),
        (packet(good(fw="a\x00")), "malformed", "lamp", "fw: String should match pattern"),
        (packet(good(ts="2026-11-24T12:05:01Z")), "future_timestamp", "lamp", "ts is 301 s ahead, limit 300 s"),
        (packet(good(ts="2026-11-24T12:05:00.1Z")), "future_timestamp", "lamp", "ts is 301 s ahead, limit 300 s"),
        (packet(good(ts="9999-12-31T23:59:59-23:59")), "future_timestamp", "lamp", "s ahead, limit 300 s"),
        (packet(good(ts="2016-11-25T12:00:00Z")), "too_old", "lamp", "ts is 3651 days old, limit 3650 days"),
        (packet(good(ts="0001-01-01T00:00:00+23:59")), "too_old", "lamp", "days old, limit 3650 days"),
        (packet(good(ts=0)), "too_old", "lamp", "ts is 20782 days old, limit 3650 days"),
    ],
)  # fmt: skip
def test_why_a_packet_is_refused(sent: Packet, reason: str, device_id: str, detail: str) -> None:
    entry = refused(sent)
    assert (entry.reason, entry.device_id) == (reason, device_id)
    assert detail in entry.detail
    assert entry.hour_of == NOW


@pytest.mark.parametrize(
    "topic",
    ["siaga/v1/12.09/lamp/status", "siaga/v1/12.09/lamp/readings/", "siaga/v2/12.09/lamp/readings", "", "/",
     "siaga/v1/12.09/la mp/readings", "siaga/v1/12.09/lamp/readings\n", "siaga/v1//lamp/readings", "\N{SNOWMAN}"],
)  # fmt: skip
def test_a_topic_out_of_the_grammar_is_malformed(topic: str) -> None:
    entry = refused(packet(good())._replace(topic=topic))
    assert (entry.reason, entry.device_id) == ("malformed", STRANGER)
    assert "siaga/v1/{region}/{device_id}/readings" in entry.detail


def test_a_device_without_a_region_may_publish_under_any() -> None:
    assert stored(packet({"ts": "2026-11-24T12:00:00Z", "count": 1}, "counter", region="99")).device_id == ["counter"]


def test_the_measured_skew_is_kept() -> None:
    """Local time sent as UTC, the typical fault: whoever looks can shift it back."""
    entry = refused(packet(good(ts="2026-11-24T19:00:00Z")))
    assert entry.skew_s == 7 * 3600
    assert json.loads(entry.payload)["power_w"] == 60.5


def test_the_edges_of_time() -> None:
    assert stored(packet(good(ts="2026-11-24T12:05:00Z"))).reason.tolist() == [0]
    assert stored(packet(good(ts="2026-11-24T11:45:00Z"))).reason.tolist() == [0]
    late = stored(packet(good(ts="2026-11-24T11:44:59.999999Z")))
    assert late.reason.tolist() == [Reason.LATE]
    assert late.late.tolist() == [True]
    assert late.qc.tolist() == [1]
    assert stored(packet(good(ts="2016-11-26T12:00:00Z"))).reason.tolist() == [Reason.LATE]


def test_too_large_a_payload_is_kept_up_to_the_limit() -> None:
    limits = LIMITS._replace(payload_max_bytes=1024)
    exact = good(fw="x")
    raw = json.dumps(exact).encode()
    fits = raw + b" " * (1024 - len(raw))
    assert len(stored(packet(fits), limits)) == 1
    entry = refused(packet(fits + b" "), limits)
    assert (entry.reason, entry.device_id, entry.payload) == ("too_large", "lamp", fits)
    assert entry.detail == "payload of 1025 bytes, limit 1024; kept up to the limit"
    assert refused(packet(fits + b" ", "nobody"), limits).device_id == STRANGER


@pytest.mark.parametrize("bad", [0, 1, 4], ids=lambda n: f"{n} bad")
def test_too_long_an_array_is_refused_whole(bad: int) -> None:
    limits = LIMITS._replace(array_max=10)
    items: list[Any] = [*(good() for _ in range(10 - bad)), *range(bad)]
    batch = taken(packet(items), limits=limits)
    assert sum(map(len, batch.readings)) + len(batch.quarantined) == 10
    entry = refused(packet([*items, good()]), limits)
    assert (entry.reason, entry.detail) == ("too_large", "array of 11 readings, limit 10")


def test_one_bad_item_never_harms_the_others() -> None:
    items = [good(seq=i) for i in range(8)]
    bad = [
        None,
        5,
        [],
        {},
        {"ts": "x"},
        good(power_w="1"),
        good(ts="2026-11-24T13:00:00Z"),
        good(ts="1999-01-01T00:00Z"),
    ]
    mixed = [item for pair in zip(items, bad, strict=True) for item in pair]
    batch = taken(packet(mixed), packet(good(seq=8)))
    (readings,) = batch.readings
    assert readings.seq == [*range(9)]
    assert sorted(entry.reason for entry in batch.quarantined) == ["future_timestamp", *["malformed"] * 6, "too_old"]
    # Each is kept by itself, so that replaying it brings no reading twice.
    assert all(
        len(json.loads(entry.payload) or []) in (0, 1, 2) for entry in batch.quarantined if entry.payload != b"5"
    )


def test_out_of_range_is_stored_and_flagged() -> None:
    row = stored(packet(good(power_w=1000.1, voltage_v=220)))
    assert (row.qc.tolist(), row.reason.tolist()) == ([4], [Reason.RANGE])
    assert row.numbers["power_w"].tolist() == [1000.1]
    assert row.trusted.tolist() == [False]
    assert stored(packet(good(power_w=1000))).qc.tolist() == [1]
    assert stored(packet(good(power_w=-0.1))).qc.tolist() == [4]


@pytest.mark.parametrize("item", [{}, {"power_w": None}, {"battery_v": 3.6}, {"colour": "red"}], ids=str)
def test_without_any_metric_it_is_missing(item: dict[str, Any]) -> None:
    row = stored(packet({"ts": "2026-11-24T12:00:00Z", **item}))
    assert row.qc.tolist() == [9]
    assert row.trusted.tolist() == [False]


def test_late_and_out_of_range_are_both_said() -> None:
    row = stored(packet(good(ts="2026-11-24T10:00:00Z", power_w=-1)))
    assert row.reason.tolist() == [Reason.RANGE | Reason.LATE]


def test_unknown_fields_are_counted_and_not_fatal() -> None:
    batch = taken(packet([good(colour="red", size=[1, {"a": None}]), good(flow_vph=1)]))
    assert batch.unknown_fields == 3
    assert sum(map(len, batch.readings)) == 2


def test_derived_metrics_are_computed() -> None:
    ts = "2026-11-24T12:00:00Z"
    assert stored(packet({"ts": ts, "distance_m": 5.5}, "radar")).numbers["level_m"].tolist() == [2.5]
    assert stored(packet({"ts": ts, "distance_m": 5.5, "level_m": 9}, "radar")).numbers["level_m"].tolist() == [2.5]
    assert np.isnan(stored(packet({"ts": ts, "distance_m": 5.5}, "gauge")).numbers["level_m"]).all()
    sent = {"ts": ts, "count": 12, "period_s": 60, "flow_vph": 1}
    assert stored(packet(sent, "counter")).numbers["flow_vph"].tolist() == [720]


def test_what_neighbours_rule_out_fails() -> None:
    ts = "2026-11-24T12:00:00Z"
    assert stored(packet({"ts": ts, "count": 76, "period_s": 60}, "counter")).qc.tolist() == [4]
    assert stored(packet({"ts": ts, "count": 75, "period_s": 60}, "counter")).qc.tolist() == [1]


@pytest.mark.parametrize(
    ("item", "device_id"),
    [
        ({"count": 1e308, "period_s": 1}, "counter"),
        ({"count": 1, "period_s": 1e-308}, "counter"),
        ({"count": 1e308, "period_s": 1e-308, "headway_s": 1e308}, "counter"),
        ({"distance_m": 1.7e308}, "radar"),
        ({"level_m": -1.7e308}, "gauge"),
    ],
    ids=str,
)
def test_monstrous_numbers_fail_and_stay_finite(item: dict[str, Any], device_id: str) -> None:
    """What is computed from them would be infinite, which neither JSON nor a person could use."""
    row = stored(packet({"ts": "2026-11-24T12:00:00Z", **item}, device_id))
    assert row.qc.tolist() == [4]
    assert not any(np.isinf(values).any() for values in row.numbers.values())


def test_many_packets_keep_their_order_within_a_kind() -> None:
    sent = [packet(good(seq=i)) for i in range(20)]
    sent.insert(5, packet({"ts": "2026-11-24T12:00:00Z", "level_m": 1}, "gauge"))
    sent.insert(9, packet(b"{"))
    batch = taken(*sent)
    assert {readings.kind.name: len(readings) for readings in batch.readings} == {"streetlight": 20, "water_level": 1}
    assert batch.readings[0].seq == [*range(20)]
    assert batch.size == 22


def test_the_limits_are_the_settings() -> None:
    chosen = Settings(payload_max_bytes=2048, array_max=7, future_max_s=1, live_window_s=61, age_max_days=2)
    assert Limits.of(chosen) == (2048, 7, 1, 61, 2)
    assert Limits.of(Settings()) == LIMITS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
TIME = st.one_of(
    st.datetimes(timezones=st.sampled_from((UTC, WIB))).map(datetime.isoformat),
    st.integers(-(10**20), 10**20), st.floats(), st.sampled_from(("2026-11-24T12:00:00Z", 1_795_521_600_000)), JSON,
)  # fmt: skip
NUMBER = st.one_of(st.floats(), st.integers(-(10**310), 10**310), JSON)
NAMES = st.sampled_from((*KINDS["traffic"].wire_fields, *KINDS["water_level"].wire_fields, "power_w", "x"))
ITEM = st.builds(lambda ts, rest: {**rest, "ts": ts}, TIME, st.dictionaries(NAMES, NUMBER, max_size=5)) | JSON
PAYLOAD = st.one_of(
    st.binary(max_size=40), JSON.map(lambda value: json.dumps(value).encode()),
    (ITEM | st.lists(ITEM, max_size=6)).map(lambda value: json.dumps(value).encode()),
)  # fmt: skip
TOPIC = st.one_of(
    st.builds(
        "siaga/v1/{}/{}/readings".format,
        st.sampled_from(("12.09", "12.10", "")),
        st.sampled_from(("lamp", "gauge", "radar", "counter", "old-kind", "nobody")),
    ),
    st.text(max_size=30),
)


def items_in(payload: bytes) -> int:
    """What a packet holds: the items of a JSON array that is not empty; anything else is one thing."""
    try:
        parsed = json.loads(payload)
    except (ValueError, RecursionError):
        return 1
    return len(parsed) if isinstance(parsed, list) and parsed else 1


@settings(max_examples=300, deadline=None, database=None)
@given(packets=st.lists(st.builds(Packet, TOPIC, PAYLOAD, st.just(NOW)), max_size=5))
@example(packets=[Packet("siaga/v1/12.09/lamp/readings", b"[" * 10_000, NOW)])
@example(packets=[Packet("siaga/v1/12.09/lamp/readings", b'{"ts":"2026-11-24T12:00:00Z","ts":1}', NOW)])
@example(packets=[Packet("siaga/v1/12.09/lamp/readings", b'{"ts":"2026-11-24T12:00:00Z","x":"\\ud800"}', NOW)])
def test_every_packet_ends_as_readings_or_quarantine(packets: list[Packet]) -> None:
    """Invariant 2, for any bytes on any topic; each packet by itself, and all of them together."""
    alone = [take_in([each], FLEET, LIMITS) for each in packets]
    for each, batch in zip(packets, alone, strict=True):
        assert batch.size >= 1
        whole = len(batch.quarantined) == 1 and not batch.readings
        assert whole or batch.size == items_in(each.payload)
        for entry in batch.quarantined:
            assert entry.detail
            assert entry.payload or not each.payload
        for readings in batch.readings:
            assert set(readings.qc.tolist()) <= {1, 4, 9}
            assert not any(np.isinf(values).any() for values in readings.numbers.values())
            for row in range(len(readings)):
                assert NOW - timedelta(days=3650) <= readings.ts(row) <= NOW + timedelta(seconds=300)
    together = take_in(packets, FLEET, LIMITS)
    assert together.size == sum(batch.size for batch in alone)
