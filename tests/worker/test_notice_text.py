"""The words of a notice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from storage.notices import Facts
from worker.notice_text import compose

WIB = ZoneInfo("Asia/Jakarta")
FACTS = Facts(
    what="worsened", to_severity=2, siaga=2, event_at=datetime(2026, 11, 23, 18, 7, tzinfo=UTC), value=2.884,
    alert_id=41, rule="siaga", kind="water_level", metric="level_m", device_id="buntu-pane", name="Buntu Pane",
)  # fmt: skip


def said(per_hour: float | None = None, api_url: str | None = "http://siaga.test:8800/", **changed: Any) -> list[str]:
    text = compose(FACTS._replace(**changed), per_hour, WIB, "Kabupaten Asahan", api_url)
    return [text.title, *text.body.splitlines()]


def test_a_river_rises() -> None:
    assert said(0.5) == [
        "Buntu Pane naik ke Siaga 2",
        "Muka air 2,88 m, +0,50 m/jam",
        "Siaga 2 (Siaga)",
        "Pukul 01.07 WIB, 24 Nov 2026",
        "Kabupaten Asahan",
        "http://siaga.test:8800/peringatan?id=41",
    ]


@pytest.mark.parametrize(
    ("value", "per_hour", "line"),
    [
        (2.884, None, "Muka air 2,88 m"),
        (-0.504, -1.2, "Muka air −0,50 m, −1,20 m/jam"),
        (2.0, -0.0001, "Muka air 2,00 m, +0,00 m/jam"),
    ],
)
def test_numbers_are_written_as_people_here_do(value: float, per_hour: float | None, line: str) -> None:
    assert line in said(per_hour, value=value)


def test_a_river_is_back_to_normal() -> None:
    lines = said(what="cleared", to_severity=None, siaga=4, value=1.8)
    assert lines[0] == "Buntu Pane kembali ke Siaga 4"
    assert "Siaga 4 (Normal)" in lines


def test_a_fault_that_has_no_siaga_level() -> None:
    lamp = {"rule": "voltage_low", "kind": "streetlight", "metric": "voltage_v", "value": 171.26, "siaga": None}
    assert said(name="PJU-7", **lamp)[:3] == ["PJU-7: tegangan rendah", "Tegangan 171,3 V", "Keparahan: Tinggi"]
    over = said(name="PJU-7", what="cleared", to_severity=None, **lamp)
    assert over[0] == "PJU-7: tegangan rendah – pulih"
    assert not any(line.startswith("Keparahan") for line in over)


def test_silence_has_no_value() -> None:
    lines = said(rule="stale", metric=None, value=None, siaga=None, to_severity=1)
    assert lines[:2] == ["Buntu Pane berhenti melapor", "Keparahan: Sedang"]


def test_siaga_itself_has_no_device() -> None:
    own = {"kind": "installation", "name": "$siaga", "metric": None, "value": 431.2, "siaga": None, "to_severity": 3}
    assert said(rule="stream_silent", **own)[:2] == ["Tidak ada data yang masuk", "Keparahan: Kritis"]
    assert said(rule="broker_full", **own)[0] == "Broker MQTT hampir penuh"
    over = said(rule="stream_silent", **own | {"what": "cleared", "to_severity": None})
    assert over[0] == "Tidak ada data yang masuk – pulih"


def test_no_link_without_an_address() -> None:
    assert not any("http" in line for line in said(api_url=None))


def test_a_kind_that_is_gone_is_still_told_of() -> None:
    assert said(kind="tidal", value=1.0)[0] == "Buntu Pane naik ke Siaga 2"
