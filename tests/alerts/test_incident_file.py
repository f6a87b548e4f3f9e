"""The parts of an incident file by themselves: names, cells, sums, drawings, and what a page makes of hostile names."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts import incident_file as file
from alerts.incident_file import Changes, Seal, Span
from alerts.incident_file_curve import COLUMNS, Curve
from alerts.incident_file_map import Area, Place, geojson, svg
from alerts.incident_file_page import Story, clock, page
from alerts.rule import shipped
from alerts.rules_set import Version
from devices.device import Device
from tests.alerts.timeline import gauge

T0 = datetime(2026, 11, 24, 12, tzinfo=UTC)
WIB = ZoneInfo("Asia/Jakarta")
SIAGA = next(rule for rule in shipped() if rule.id == "siaga")
SQUARE = Area("12.09.19", {"type": "Polygon", "coordinates": [[[99.5, 2.9], [99.7, 2.9], [99.7, 3.1], [99.5, 2.9]]]})


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("wl-kisaran-barat", "siaga-2026-11-24-wl-kisaran-barat-4711.zip"),
        ("$panel/PNL 07", "siaga-2026-11-24-panel-PNL-07-4711.zip"),
        ("$siaga", "siaga-2026-11-24-siaga-4711.zip"),
    ],
)
def test_a_name_says_day_subject_and_number(device: str, name: str) -> None:
    assert file.file_name(date(2026, 11, 24), device, 4711) == name


def test_the_span_begins_early_enough_for_the_rule_and_ends_now() -> None:
    slow = SIAGA.model_copy(update={"level": (SIAGA.level[0].model_copy(update={"delay_on_s": 3600.0}),)})
    now = T0 + timedelta(days=1)
    assert file.span(T0, T0 + timedelta(hours=1), None, now) == (T0 - timedelta(hours=6), T0 + timedelta(hours=3))
    assert file.span(T0, None, slow, now) == (T0 - timedelta(hours=7), now)


def test_cells_and_words() -> None:
    assert file.line(["a,b", None, True, 1.5]) == '"a,b",,true,1.5\r\n'
    assert file.quality_words(4, 1 | 64) == ("fail", "range late")
    assert file.quality_words(1, 0) == ("good", "")


def test_the_chain_depends_on_every_file_and_their_order() -> None:
    first, second = Seal(), Seal()
    for name in ("a", "b"):
        first.add(name, hashlib.sha256(name.encode()).hexdigest())
    for name in ("b", "a"):
        second.add(name, hashlib.sha256(name.encode()).hexdigest())
    assert first.sums == second.sums
    assert first.chain != second.chain
    assert first.text().splitlines()[0].endswith("  a")


def test_the_rule_is_told_anew_only_when_it_changed_on_this_device() -> None:
    def change(version: int, hour: float, hysteresis: float, **scope: str) -> Version:
        rule = SIAGA.model_copy(update={"hysteresis": hysteresis, "scope": scope})
        at = T0 + timedelta(hours=hour)
        return Version(version, rule.variant, rule.model_dump(mode="json", exclude_none=True), at, "sari", "surat")

    changes = [change(1, 1, 0.2), change(2, 3, 0.3, device="wl-other"), change(3, 5, 0.4, device="wl-silau")]
    moments = [T0 + timedelta(hours=hour) for hour in (0, 2, 4, 6)]
    found = file.in_force(Changes(changes, "siaga"), "water_level", gauge(), moments)
    told = [(each.since, each.found.version, each.found.rule.hysteresis) for each in found if each.found]
    assert told == [(moments[0], 0, 0.1), (moments[1], 1, 0.2), (moments[3], 3, 0.4)]


@pytest.mark.parametrize(
    ("rule", "kind", "found"), [("stale", "traffic", "*"), ("stale", "water_level", "water_level")]
)
def test_a_group_has_the_rule_of_its_kind_or_the_general_one(rule: str, kind: str, found: str) -> None:
    (each,) = file.in_force(Changes([], rule), kind, None, [T0])
    assert each.found
    assert each.found.rule.kind == found


def test_a_curve_keeps_lowest_and_highest_in_a_bounded_number_of_points() -> None:
    curve = Curve(Span(T0, T0 + timedelta(hours=10)))
    for second in range(36_000):
        curve.add(T0 + timedelta(seconds=second), 5.0 if second == 18_000 else 1.0)
    curve.add(T0, float("nan"))
    curve.add(T0, None)
    drawn = curve.svg({"Siaga 3": 2.0}, "m", WIB)
    points = drawn.split('points="')[1].split('"')[0].split()
    assert COLUMNS <= len(points) <= 2 * COLUMNS
    assert "5 m" in drawn
    assert "Siaga 3" in drawn
    assert "24/11 19.00" in drawn
    assert Curve(Span(T0, T0 + timedelta(hours=1))).svg({}, "m", WIB) == ""


def test_a_map_of_places_known_and_unknown() -> None:
    known, unknown = Place(gauge(), "alert"), Place(Device("pju-1", "streetlight"), "member")
    shapes = json.loads(geojson([known, unknown], [SQUARE]))
    assert [each["geometry"] and each["geometry"]["type"] for each in shapes["features"]] == ["Polygon", "Point", None]
    assert shapes["features"][1]["geometry"]["coordinates"] == [99.63, 2.97]
    assert svg([known, unknown], [SQUARE], "Silau").count("<circle") == 1
    assert "<circle" not in svg([], [], "")


def test_names_are_words_and_never_markup() -> None:
    evil = "<script>alert(1)</script>"
    alert: dict[str, Any] = {
        "id": 1, "rule": "siaga", "kind": "water_level", "metric": "level_m", "device_id": "wl-1", "device_name": evil,
        "state": "active", "worst_siaga": 1, "peak_severity": 3, "raised_at": T0.isoformat(), "acked": True,
        "detected_at": T0.isoformat(), "cleared_at": None, "acked_at": T0.isoformat(), "acked_by": evil,
        "historical": False,
    }  # fmt: skip
    event = {"event_at": T0.isoformat(), "what": "acked", "siaga": None, "to_severity": 3, "value": None, "who": evil,
             "why": evil}  # fmt: skip
    place = Place(Device("wl-1", "water_level", evil, lat=2.9, lon=99.6), "alert")
    story = Story(
        alert, [event], 3, [], 0, SIAGA.level[0], [], [], 7, Span(T0, T0), ["dipotong"], "", svg([place], [], evil),
        evil, WIB, T0,
    )  # fmt: skip
    text = page(story, Seal())
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "dan 2 kejadian lain" in text
    assert "24 Nov 2026, 19.00.00 WIB" in text
    assert clock(None, WIB) == "–"
