"""Payload decoding: what devices send, what they should not send, and that nothing of it ever raises."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devices.kind import SEQ_MAX, TEXT_MAX
from devices.kinds import KINDS
from devices.payload import DETAIL_MAX, decode, encode, unknown_fields

WATER, LAMP, ROAD = KINDS["water_level"], KINDS["streetlight"], KINDS["traffic"]
TS = "2026-11-24T19:10:00+07:00"
AT = datetime(2026, 11, 24, 12, 10, tzinfo=UTC)
WIB = timezone(timedelta(hours=7))


def payload(text: str) -> bytes:
    """One object with a good ts and these further members, in JSON as written."""
    return f'{{"ts": "{TS}", {text}}}'.encode() if text else f'{{"ts": "{TS}"}}'.encode()


def refused(body: bytes, *told: str, kind=WATER) -> None:
    """The payload is one bad item, and why it is says all of `told`."""
    found = decode(kind, body)
    assert found.items == []
    assert [bad.raw for bad in found.bad] == [body]
    for words in told:
        assert words in found.bad[0].why


class TestGood:
    def test_the_example_of_the_design(self) -> None:
        body = b'{"ts": "2026-11-24T19:10:00+07:00", "seq": 991, "boot": "a1b2", "level_m": 2.688, "rain_mm": 0.4}'
        found = decode(WATER, body)
        assert found.items == [{"ts": AT, "seq": 991, "boot": "a1b2", "level_m": 2.688, "rain_mm": 0.4}]
        assert (list(found.bad), unknown_fields(WATER, found.items)) == ([], 0)

    def test_an_array_keeps_its_order(self) -> None:
        body = json.dumps([{"ts": TS, "seq": n} for n in (3, 1, 2)]).encode()
        assert [item["seq"] for item in decode(WATER, body).items] == [3, 1, 2]

    def test_a_reading_with_nothing_but_its_time(self) -> None:
        assert decode(WATER, payload("")).items == [{"ts": AT}]

    @pytest.mark.parametrize(
        ("text", "at"),
        [
            ('"2026-11-24T19:10:00+07:00"', AT),
            ('"2026-11-24T12:10:00Z"', AT),
            ('"2026-11-24T12:10:00.250Z"', AT + timedelta(milliseconds=250)),
            ('"2026-11-24t12:10:00z"', AT),
            ('"2026-11-24T02:40:00-09:30"', AT),
            (str(round(AT.timestamp() * 1000)), AT),
            (f"{AT.timestamp() * 1000 + 250:.0f}", AT + timedelta(milliseconds=250)),
            (f"{AT.timestamp() * 1000:.1f}", AT),
            ("0", datetime(1970, 1, 1, tzinfo=UTC)),
        ],
    )
    def test_times(self, text: str, at: datetime) -> None:
        (item,) = decode(WATER, f'{{"ts": {text}}}'.encode()).items
        ts = item.pop("ts")
        assert (ts if text.startswith('"') else datetime.fromtimestamp(ts / 1000, UTC)) == at
        assert item == {}

    def test_whole_numbers_null_and_the_largest_seq(self) -> None:
        found = decode(WATER, payload(f'"level_m": 2, "rain_mm": null, "seq": {SEQ_MAX}'))
        assert found.items == [{"ts": AT, "level_m": 2, "rain_mm": None, "seq": SEQ_MAX}]

    def test_out_of_range_is_no_matter_of_decoding(self) -> None:
        assert decode(WATER, payload('"level_m": 1234.5')).items[0]["level_m"] == 1234.5


class TestRefused:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ('"2026-11-24T19:10:00"', "offset"),
            ('"2026-11-24"', "offset"),
            ('"2026"', "RFC 3339"),
            ('"1732450200000"', "RFC 3339"),
            ('"24/11/2026 19:10"', "RFC 3339"),
            ('"2026-02-30T00:00:00Z"', "RFC 3339"),
            ("true", "ts"),
            ("null", "ts"),
            ("[]", "ts"),
            ("NaN", "ts"),
            ("Infinity", "ts"),
            ("1e300", "ts"),
            ("-1e18", "ts"),
            ('""', "ts"),
        ],
    )
    def test_times_that_are_none_or_have_no_offset(self, text: str, told: str) -> None:
        refused(f'{{"ts": {text}}}'.encode(), "ts", told)

    def test_no_time_at_all(self) -> None:
        refused(b'{"level_m": 1}', "ts", "required")

    @pytest.mark.parametrize(
        "text",
        ["NaN", "Infinity", "-Infinity", "1e999", '"2.69"', '"2,69"', '"No Sensor"', "true", "false", "[2.69]", "{}"],
    )
    @pytest.mark.parametrize("field", ["level_m", "battery_v"])
    def test_values_that_are_no_finite_numbers(self, field: str, text: str) -> None:
        refused(payload(f'"{field}": {text}'), f"{field}: ")

    @pytest.mark.parametrize("text", ["1234567890123456789012", str(SEQ_MAX + 1), "-1", "1.0", "true", '"7"'])
    def test_seq_that_no_column_holds(self, text: str) -> None:
        refused(payload(f'"seq": {text}'), "seq: ")

    def test_seq_names_its_limit(self) -> None:
        refused(payload('"seq": 1234567890123456789012'), str(SEQ_MAX))

    @pytest.mark.parametrize("field", ["boot", "fw"])
    @pytest.mark.parametrize("text", ['"a\\u0000b"', '"\\u0000"', "12", "true", f'"{"x" * (TEXT_MAX + 1)}"'])
    def test_texts_with_nul_too_long_or_no_text(self, field: str, text: str) -> None:
        refused(payload(f'"{field}": {text}'), f"{field}: ")

    def test_a_text_too_long_names_its_limit(self) -> None:
        refused(payload(f'"boot": "{"x" * 65}"'), "64")

    @pytest.mark.parametrize(
        "body",
        [b"", b" ", b"null", b"7", b'"x"', b"true", b"{", b'{"ts":', b"[", b"[{}", b"\xff\xfe\x00", b"\x00" * 9,
         b'{"level_m": 2,69}', b"{'ts': 1}", b"\xef\xbb\xbf{}", b'{"ts": "\xff"}'],
    )  # fmt: skip
    def test_what_is_no_json_object(self, body: bytes) -> None:
        refused(body)

    def test_an_empty_array_does_not_vanish(self) -> None:
        """Every packet ends as readings or in quarantine; this one would have ended as neither."""
        refused(b"[]", "empty")
        refused(b" [ ] ", "empty")

    def test_all_wrong_fields_are_named(self) -> None:
        refused(payload('"level_m": "a", "rain_mm": true, "seq": -1'), "level_m: ", "rain_mm: ", "seq: ")

    @pytest.mark.parametrize("body", [b"[" * 100_000, b'{"x":' * 100_000, b"[" * 90 + b"]" * 90])
    def test_deep_json(self, body: bytes) -> None:
        assert len(decode(WATER, body).bad) == 1

    def test_the_reason_is_never_long(self) -> None:
        body = payload(", ".join(f'"{field}": "{"x" * 900}"' for field in ("level_m", "rain_mm", "temperature_c")))
        assert 0 < len(decode(WATER, body).bad[0].why) <= DETAIL_MAX


class TestArrays:
    def test_bad_items_never_harm_good_ones(self) -> None:
        good = [{"ts": TS, "seq": n, "level_m": n / 10} for n in range(4)]
        bad = [{"ts": TS, "level_m": "2,69"}, 7, None, {"level_m": 1}, [], {"ts": TS, "seq": 10**22}]
        mixed = [good[0], bad[0], bad[1], good[1], bad[2], bad[3], good[2], bad[4], bad[5], good[3]]
        found = decode(WATER, json.dumps(mixed).encode())
        assert [(item["seq"], item["level_m"]) for item in found.items] == [(0, 0), (1, 0.1), (2, 0.2), (3, 0.3)]
        assert [json.loads(b.raw) for b in found.bad] == bad
        assert all(b.why for b in found.bad)

    def test_nan_in_one_item_is_that_items_own_trouble(self) -> None:
        body = f'[{{"ts": "{TS}", "level_m": NaN}}, {{"ts": "{TS}", "level_m": 1.5}}]'.encode()
        found = decode(WATER, body)
        assert [item["level_m"] for item in found.items] == [1.5]
        assert b"NaN" in found.bad[0].raw

    def test_an_array_in_an_array_is_no_reading(self) -> None:
        found = decode(WATER, f'[[{{"ts": "{TS}"}}], {{"ts": "{TS}"}}]'.encode())
        assert (len(found.items), len(found.bad)) == (1, 1)

    def test_a_huge_array_is_read_whole(self) -> None:
        one = f'{{"ts": "{TS}", "level_m": 1}}'
        assert len(decode(WATER, f"[{','.join([one] * 20_000)}]".encode()).items) == 20_000

    def test_a_huge_array_with_one_bad_item_loses_that_one(self) -> None:
        one = f'{{"ts": "{TS}", "level_m": 1}}'
        found = decode(WATER, f"[{','.join([one] * 5_000)}, {{}}, {','.join([one] * 5_000)}]".encode())
        assert (len(found.items), len(found.bad)) == (10_000, 1)


class TestUnknownFields:
    def test_are_counted_and_not_fatal(self) -> None:
        body = json.dumps([{"ts": TS, "level_m": 1, "lvl": 2, "x": {"y": [None]}}, {"ts": TS, "depth": "?"}]).encode()
        found = decode(WATER, body)
        assert (len(found.items), list(found.bad), unknown_fields(WATER, found.items)) == (2, [], 3)

    def test_another_kinds_metric_is_unknown(self) -> None:
        assert unknown_fields(WATER, decode(WATER, payload('"power_w": 60')).items) == 1
        assert unknown_fields(LAMP, decode(LAMP, payload('"power_w": 60')).items) == 0

    def test_a_derived_metric_is_unknown_on_the_wire(self) -> None:
        assert unknown_fields(ROAD, decode(ROAD, payload('"flow_vph": "many"')).items) == 1

    def test_those_of_bad_items_do_not_count(self) -> None:
        assert unknown_fields(WATER, decode(WATER, payload('"level_m": "x", "lvl": 2')).items) == 0

    def test_may_hold_what_a_known_field_may_not(self) -> None:
        found = decode(WATER, payload('"lvl": NaN, "big": 1e999, "n": 1234567890123456789012'))
        assert (len(found.items), unknown_fields(WATER, found.items)) == (1, 3)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(["ts", "seq", "boot", "fw", "level_m", "distance_m", "battery_v", "lvl"])
objects = st.dictionaries(names, json_values | st.just(TS), max_size=5)


@given(st.binary(max_size=200))
@example(b"[" * 5000)
@example(b'{"ts": ' + b"9" * 5000 + b"}")
def test_decoding_any_bytes_never_raises(body: bytes) -> None:
    found = decode(WATER, body)
    assert found.items or found.bad


@given(st.lists(objects, min_size=1, max_size=4))
def test_decoding_any_json_never_raises_and_accounts_for_every_item(items: list[dict[str, Any]]) -> None:
    found = decode(WATER, json.dumps(items).encode())
    assert len(found.items) + len(found.bad) == len(items)


@given(objects, objects)
def test_an_item_fares_in_company_as_it_fares_alone(one: dict[str, Any], other: dict[str, Any]) -> None:
    alone = [decode(WATER, json.dumps(item).encode()) for item in (one, other)]
    together = decode(WATER, json.dumps([one, other]).encode())
    assert repr(together.items) == repr(alone[0].items + alone[1].items)  # by repr, as NaN is not equal to itself
    assert [b.why for b in together.bad] == [b.why for found in alone for b in found.bad]
    assert len(together.items) == sum(len(found.items) for found in alone)


finite = st.floats(allow_nan=False, allow_infinity=False)
zones = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
times = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=zones)  # noqa: DTZ001
texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=TEXT_MAX)
readings = st.fixed_dictionaries(
    {"ts": times},
    optional={
        "seq": st.integers(0, SEQ_MAX),
        "boot": texts,
        "fw": st.none() | texts,
        "level_m": st.none() | finite,
        "rain_mm": finite,
        "battery_v": finite,
        "lvl": finite,
    },
)


@given(readings)
def test_what_is_encoded_is_decoded(reading: dict[str, Any]) -> None:
    found = decode(WATER, encode(reading))
    assert found.items == [reading]
    assert found.items[0]["ts"].utcoffset() == reading["ts"].utcoffset()


@given(st.lists(readings, min_size=1, max_size=5))
def test_what_is_encoded_as_an_array_is_decoded(many: list[dict[str, Any]]) -> None:
    assert decode(WATER, encode(many)).items == many


def test_times_are_encoded_with_their_offset() -> None:
    assert json.loads(encode({"ts": AT.astimezone(WIB)})) == {"ts": TS}
