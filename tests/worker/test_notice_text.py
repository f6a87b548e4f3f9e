"""The words of a notice, in both languages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.rule import Level, Sop
from storage.notices import Facts
from worker.notice_text import WORDS, Place, Story, compose, trial

RAISED = datetime(2026, 11, 23, 18, 7, tzinfo=UTC)
PLACE = Place(
    "Kabupaten Asahan", ZoneInfo("Asia/Jakarta"), "http://siaga.test:8800/", 10, RAISED + timedelta(minutes=12)
)
FACTS = Facts(
    alert_id=41, rule="siaga", kind="water_level", metric="level_m", device_id="buntu-pane", name="Buntu Pane",
    registered=True, district="12.09.07", attributes={}, members=0, severity=2, peak_severity=2, siaga=2, worst_siaga=2,
    active=True, acked_by=None, assignee=None, raised_at=RAISED, cleared_at=None, value=2.884, value_at=RAISED,
)  # fmt: skip
LAMP = {"rule": "voltage_low", "kind": "streetlight", "metric": "voltage_v", "value": 171.26, "siaga": None,
        "worst_siaga": None, "name": "PJU-7"}  # fmt: skip
OVER = {"active": False, "siaga": 4, "cleared_at": RAISED + timedelta(hours=2, minutes=10), "peak_severity": 3,
        "worst_siaga": 1, "value": 1.8}  # fmt: skip
LEVEL = Level(severity=2, siaga=2, bound=2.5, role="Sekda", sop=Sop(id="Siapkan perahu.", en="Make the boats ready."))


def said(what: Any = "raised", language: Any = "id", place: Place = PLACE, **changed: Any) -> list[str]:
    more = {name: changed.pop(name) for name in ("per_hour", "level", "why") if name in changed}
    text = compose(Story(what, [FACTS._replace(**changed)], **more), language, place)
    return [text.title, *text.body.splitlines()]


def test_a_river_rises() -> None:
    assert said(per_hour=0.5, level=LEVEL) == [
        "Buntu Pane naik ke Siaga 2",
        "Siaga 2 (Siaga)",
        "Muka air 2,88 m, +0,50 m/jam",
        "Sejak 01.07 WIB, 24 Nov 2026, 12 menit yang lalu",
        "Belum ada yang menangani",
        "Tindakan (Sekda): Siapkan perahu.",
        "Kabupaten Asahan",
        "http://siaga.test:8800/peringatan?id=41",
    ]


def test_in_english() -> None:
    assert said(language="en", per_hour=0.5, level=LEVEL, acked_by="Sari") == [
        "Buntu Pane rose to Siaga 2",
        "Siaga 2 (Siaga)",
        "Water level 2.88 m, +0.50 m/h",
        "Since 01:07 WIB, 24 Nov 2026, 12 min ago",
        "Sari is on it",
        "To do (Sekda): Make the boats ready.",
        "Kabupaten Asahan",
        "http://siaga.test:8800/peringatan?id=41",
    ]


def test_both_languages_say_everything() -> None:
    for one, other in zip(WORDS["id"], WORDS["en"], strict=True):
        assert type(one) is type(other)
        if isinstance(one, str):
            assert one.count("{}") == other.count("{}")
        elif isinstance(one, dict) and isinstance(other, dict):
            assert one.keys() == other.keys()
        else:
            assert len(one) == len(other)


@pytest.mark.parametrize(
    ("value", "per_hour", "line"),
    [
        (2.884, None, "Muka air 2,88 m"),
        (-0.504, -1.2, "Muka air −0,50 m, −1,20 m/jam"),
        (2.0, -0.0001, "Muka air 2,00 m, +0,00 m/jam"),
    ],
)
def test_numbers_are_written_as_people_here_do(value: float, per_hour: float | None, line: str) -> None:
    assert line in said(per_hour=per_hour, value=value)


@pytest.mark.parametrize(
    ("minutes", "line"),
    [
        (0, "Pukul 01.07 WIB, 24 Nov 2026"),
        (1, "Sejak 01.07 WIB, 24 Nov 2026, 1 menit yang lalu"),
        (125, "Sejak 01.07 WIB, 24 Nov 2026, 2 jam 5 menit yang lalu"),
        (60 * 49, "Sejak 01.07 WIB, 24 Nov 2026, 2 hari 1 jam yang lalu"),
    ],
)
def test_how_long_ago(minutes: int, line: str) -> None:
    assert line in said(place=PLACE._replace(now=RAISED + timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({}, "Belum ada yang menangani"),
        ({"assignee": "Rudi"}, "Ditugaskan kepada Rudi, belum dikonfirmasi"),
        ({"assignee": "Rudi", "acked_by": "Sari"}, "Ditangani oleh Sari"),
    ],
)
def test_who_is_on_it(changed: dict[str, str], line: str) -> None:
    assert line in said(**changed)


def test_a_river_is_back_to_normal() -> None:
    assert said("over", **OVER)[:4] == [
        "Buntu Pane kembali ke Siaga 4",
        "Muka air 1,80 m",
        "Berlangsung 2 jam 10 menit, terparah Siaga 1 (Awas)",
        "03.17 WIB, 24 Nov 2026",
    ]
    assert "Lasted 2 h 10 min, at worst Siaga 1 (Awas)" in said("over", "en", **OVER)


def test_a_fault_that_has_no_siaga_level() -> None:
    assert said(**LAMP)[:3] == ["PJU-7: tegangan rendah", "Keparahan: Tinggi", "Tegangan 171,3 V"]
    over = said("over", **{**OVER, **LAMP})
    assert over[0] == "PJU-7: tegangan rendah – pulih"
    assert "Berlangsung 2 jam 10 menit, terparah Kritis" in over


@pytest.mark.parametrize(
    ("what", "why", "title"),
    [
        ("raised", "back", "PJU-7: tegangan rendah – masih berlangsung"),
        ("repeat", None, "PJU-7: tegangan rendah – belum dikonfirmasi"),
        ("escalated", None, "PJU-7: tegangan rendah – eskalasi, belum dikonfirmasi"),
        ("worse", None, "PJU-7: tegangan rendah"),
    ],
)
def test_the_headline_says_why_it_comes(what: str, why: str | None, title: str) -> None:
    assert said(what, why=why, **LAMP)[0] == title


def test_several_in_one_message() -> None:
    alerts = [FACTS._replace(name=f"Pos {n}", severity=3 - n // 2, siaga=1 + n // 2) for n in range(4)]
    text = compose(Story("raised", alerts, level=LEVEL), "en", PLACE._replace(lines=2))
    assert text.title == "Pos 0 rose to Siaga 1 and 3 more"
    assert text.body.splitlines() == [
        "• Pos 0 rose to Siaga 1: Siaga 1 (Awas); Water level 2.88 m; 01:07 WIB, 24 Nov 2026",
        "• Pos 1 rose to Siaga 1: Siaga 1 (Awas); Water level 2.88 m; 01:07 WIB, 24 Nov 2026",
        "and 2 more",
        "To do (Sekda): Make the boats ready.",
        "Kabupaten Asahan",
        "http://siaga.test:8800/peringatan",
    ]


def test_a_digest() -> None:
    text = compose(Story("digest", [FACTS], gone=2), "id", PLACE)
    assert text.title == "Ringkasan jam tenang: 3 peringatan, 1 masih berlangsung"
    assert "2 sudah pulih dengan sendirinya" in text.body
    assert "nothing" not in compose(Story("digest", [], gone=2), "en", PLACE).body


def test_silence_has_no_value() -> None:
    lines = said(rule="stale", metric=None, value=None, siaga=None, severity=1)
    assert lines[:2] == ["Buntu Pane berhenti melapor", "Keparahan: Sedang"]


def test_siaga_itself_has_no_device() -> None:
    own = {"kind": "installation", "name": "$siaga", "metric": None, "value": 431.2, "siaga": None, "worst_siaga": None}
    assert said(rule="stream_silent", severity=3, **own)[:2] == ["Tidak ada data yang masuk", "Keparahan: Kritis"]
    assert said(rule="broker_full", **own)[0] == "Broker MQTT hampir penuh"
    over = {"active": False, "cleared_at": RAISED, "peak_severity": 3}
    assert said("over", rule="stream_silent", **own, **over)[0] == "Tidak ada data yang masuk – pulih"


def test_an_incident_says_how_many() -> None:
    own = {"rule": "outage", "kind": "streetlight", "name": "$panel/P-07", "metric": None, "value": None, "siaga": None}
    assert said(members=214, **own)[0] == "Panel P-07 padam: 214 lampu"
    assert said("over", "en", members=214, **OVER | own)[0] == "Panel P-07 is dark: 214 lamps – over"


def test_no_link_without_an_address() -> None:
    assert not any("http" in line for line in said(place=PLACE._replace(api_url=None)))


def test_a_kind_that_is_gone_is_still_told_of() -> None:
    assert said(kind="tidal", value=1.0)[0] == "Buntu Pane naik ke Siaga 2"


def test_a_trial_says_that_it_is_one() -> None:
    assert trial("Rudi", "id", PLACE).body.startswith("Pesan percobaan dari Siaga untuk Rudi.")
