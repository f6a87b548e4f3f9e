"""The file of decoders: what it chooses, and what it says when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.decoders.choose import NATIVE_ONLY, DecoderError, Decoders
from tests.ingest.decoders.test_samples import CHIRPSTACK, DECODERS, THINGS


def test_topics_choose_format_and_device() -> None:
    found = DECODERS.of(CHIRPSTACK)
    assert found is not None
    assert (found.device_id, type(found.decoder).__name__, found.is_uplink) == ("wl-asahan-01", "ChirpStack", True)
    other = DECODERS.of(THINGS)
    assert other is not None
    assert (other.device_id, type(other.decoder).__name__) == ("lamp-7", "ThingsStack")
    for topic in ("siaga/v1/12.09/gauge/readings", "senml/a/b", "vendor", "", CHIRPSTACK + "/x"):
        assert DECODERS.of(topic) is None


def test_filters_have_no_trailing_hash_and_none_is_native() -> None:
    assert DECODERS.filters() == ["application/+/device/+/event/up", "v3/+/devices/+/up", "senml/+", "vendor/+/+/data"]
    assert NATIVE_ONLY.filters() == []
    assert not NATIVE_ONLY


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x", "d.toml: not TOML"),
        ("[[source]]", "d.toml: source 1: format: Field required"),
        ('[[source]]\nformat = "xml"', "d.toml: source 1: format: Input should be 'json', 'senml'"),
        ('[[source]]\nformat = "json"', "d.toml: source 1: topic: format 'json' needs one"),
        ('[[source]]\nformat = "json"\ntopic = "a/b"', "source 1: topic: 'a/b' needs one level {device}"),
        ('[[source]]\nformat = "json"\ntopic = "a/{device}/#"', "# is not supported"),
        ('[[source]]\nformat = "json"\ntopic = "siaga/v1/{device}"', "is under siaga/v1/"),
        ('[[source]]\nformat = "json"\ntopic = "+/{device}"', "the first level must be a name"),
        ('[[source]]\nformat = "chirpstack"\nrelative_time = true', "only format 'senml' has relative times"),
        ('[[source]]\nformat = "chirpstack"\ncolour = 1', "source 1: colour: Extra inputs are not permitted"),
        ('[[source]]\nformat = "chirpstack"\ndevices = { a = "b/c" }', "source 1: devices.a: 'b/c': 1 to 64"),
        ('[[source]]\nformat = "chirpstack"\n[source.fields.lamp]', "fields.lamp: no such kind; known are"),
        ('[[source]]\nformat = "chirpstack"\n[source.fields.traffic]\nlevel = "x"', "fields.traffic.level: a traffic"),
        (
            '[[source]]\nformat = "chirpstack"\n[source.fields.traffic]\nspeed_kmh = { from = "v", unit = "m" }',
            "source 1: fields.traffic.speed_kmh: unit 'm' is a length, km/h is wanted",
        ),
        (
            '[[source]]\nformat = "chirpstack"\n[source.fields.traffic]\nts = { from = "v", unit = "h" }',
            "a time is in s or ms after 1970",
        ),
    ],
)
def test_a_wrong_file_names_table_and_field(text: str, told: str) -> None:
    with pytest.raises(DecoderError) as raised:
        Decoders.from_toml(text, "d.toml")
    assert told in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DecoderError, match=r"none\.toml"):
        Decoders.from_file(str(tmp_path / "none.toml"))
