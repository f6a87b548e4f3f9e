"""Rivers, streetlights and traffic as a person looks at them, and what a device's page can do: on the whole stack."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser import Watched, settle
from tests.stack import Stack

pytestmark = pytest.mark.slow

GAUGE = "wl-buntu-pane"
MINUTE = timedelta(minutes=1)
SAID = """
INSERT INTO forecast (device_id, as_of, siaga, made_at, bound_m, level_m, slope_m_h, points, basis, stage, expected_at,
    earliest, latest, until, holds, outcome, error, reached_at)
VALUES (%(device)s, %(at)s, %(siaga)s, %(at)s, %(bound)s, 1.0, 0.4, 7, 'own', 'warning', %(at)s + interval '1 h',
    %(at)s + interval '45 min', %(at)s + interval '90 min', %(at)s + interval '6 h', false, %(outcome)s,
    %(error)s, %(reached)s)
"""


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page


def ids(stack: Stack, kind: str) -> list[str]:
    with stack.client() as client:
        return [item["id"] for item in client.items("/devices", kind=kind)]


def groups(stack: Stack, path: str, **query: Any) -> list[dict[str, Any]]:
    with stack.client() as client:
        found: list[dict[str, Any]] = client.get(path, **query)["items"]
        return found


def test_every_gauge_is_a_lane_on_one_time_axis(page: Page, stack: Stack) -> None:
    gauges = ids(stack, "water_level")
    page.goto("/sungai")
    settle(page)
    lanes = page.locator(".lane")
    expect(lanes).to_have_count(len(gauges))
    expect(page.locator(".lane canvas")).to_have_count(len(gauges))
    names = page.locator(".lane .name").all_inner_texts()
    # Upstream on top.
    assert names.index("Buntu Pane") < names.index("Kisaran Barat")
    # All plots begin and end at the same place, whatever stands at their sides.
    edges = {
        (round(box["x"]), round(box["width"]))
        for box in (plot.bounding_box() for plot in page.locator(".lane .u-over").all())
        if box
    }
    assert len(edges) == 1
    expect(lanes.first.get_by_role("img", name=re.compile("Muka air, 12 jam: terendah"))).to_be_visible()
    page.get_by_role("button", name="6 jam").click()
    expect(lanes.first.get_by_role("img", name=re.compile("6 jam"))).to_be_visible()
    page.get_by_role("button", name=re.compile("^Silau 2$")).click()
    expect(lanes).to_have_count(2)
    page.reload()
    expect(lanes).to_have_count(2)
    assert "rentang=6h" in page.url
    settle(page)
    page.keyboard.press("j")
    expect(page.locator(".lane .name").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".view.device")).to_be_visible()


def test_what_was_forecast_is_judged_by_what_came(page: Page, stack: Stack) -> None:
    now = datetime.now(UTC)
    with stack.connect() as db:
        db.execute("DELETE FROM forecast")  # what the city of the simulator has brought so far
        for n in range(1, 7):
            at = now - n * timedelta(days=2)
            # Five within the interval, one earlier than that.
            reached = at + (30 if n == 6 else 50 + n) * MINUTE
            values = {
                "device": GAUGE,
                "at": at,
                "siaga": 3,
                "bound": 2.0,
                "outcome": "hit",
                "error": 0.0,
                "reached": reached,
            }
            db.execute(SAID, values)
        db.execute(SAID, values | {"at": now - timedelta(days=20), "outcome": "false", "error": None, "reached": None})
    page.goto("/sungai")
    score = page.locator("section.score")
    expect(score).to_contain_text("5 dari 6")
    dots = score.get_by_role("img", name=re.compile("6 perkiraan.*: 5 dalam rentang, 1 lebih cepat, 0 lebih lambat"))
    expect(dots).to_be_visible()
    expect(score).to_contain_text(re.compile(r"memuat kenyataan 83,3% kali: 5 dari 6"))
    expect(page.locator("section.rain tbody tr")).to_have_count(len(ids(stack, "water_level")))


def test_panels_have_their_night_and_their_energy(page: Page, stack: Stack) -> None:
    panels = groups(stack, "/streetlights/night")
    page.goto("/lampu")
    settle(page)
    rows = page.locator(".groups tbody tr")
    expect(rows).to_have_count(len(panels))
    expect(rows.locator("svg.strip[role=img]")).to_have_count(len(panels))
    expect(rows.first).to_contain_text(panels[0]["group"])
    expect(page.locator("section.energy").get_by_role("img", name=re.compile(r"Energi per hari"))).to_be_visible()
    link = page.locator("section.energy a[download]")
    told = page.request.get(str(link.get_attribute("href"))).text()
    assert told.lstrip("\ufeff").splitlines()[0].startswith("group;")
    assert panels[0]["group"] in told
    page.get_by_role("link", name="Penyulang").click()
    expect(page.locator(".groups tbody tr")).to_have_count(len(groups(stack, "/streetlights/night", by="feeder")))
    page.get_by_role("link", name="Siang").click()
    expect(page.locator(".groups .night-axis")).to_contain_text("06.00")
    assert {"per=penyulang", "bagian=siang"} <= set(urlsplit(page.url).query.split("&"))


def test_a_lamp_is_found_among_all_and_opened_by_keys(page: Page, stack: Stack) -> None:
    lamps = ids(stack, "streetlight")
    page.goto("/lampu?per=lampu")
    settle(page)
    expect(page.get_by_role("grid", name="Lampu")).to_have_attribute("aria-rowcount", str(len(lamps) + 1))
    page.keyboard.press("/")
    page.keyboard.type(lamps[3])
    expect(page.locator(".lv-row")).to_have_count(1)
    page.locator(".lv-row").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".view.device")).to_be_visible()
    assert page.url.endswith(lamps[3])


def test_a_road_against_its_usual_speed(page: Page, stack: Stack) -> None:
    sites = groups(stack, "/traffic/now")
    page.goto("/lalu-lintas")
    settle(page)
    rows = page.locator(".roads tbody tr")
    expect(rows).to_have_count(len(sites))
    expect(rows.locator("svg.bullet[role=img]")).to_have_count(len(sites))
    last = rows.nth(len(sites) - 1)
    name = last.locator(".name").inner_text()
    last.click()
    expect(last).to_have_attribute("aria-current", "true")
    expect(page.locator(".site-today h2")).to_have_text(name)
    expect(
        page.locator(".site-cloud").get_by_role("img", name=re.compile("titik kecepatan terhadap arus"))
    ).to_be_visible()
    page.get_by_role("link", name="Profil hari").click()
    expect(page.locator(".lane canvas")).to_have_count(2)
    expect(page.get_by_label("Ruas", exact=True)).to_have_value(name)
    page.get_by_role("link", name="Minggu").click()
    expect(page.locator(".week tbody tr")).to_have_count(7)


def test_work_on_a_device_is_begun_with_a_reason_and_ended(page: Page, stack: Stack) -> None:
    page.goto(f"/perangkat/{GAUGE}")
    settle(page)
    expect(page.locator("section.ledger")).to_contain_text(
        re.compile(r"Diterima [\d.]+ = tersimpan [\d.]+ \+ duplikat")
    )
    page.get_by_role("button", name="Perawatan…").click()
    form = page.get_by_role("dialog", name="Perawatan")
    form.get_by_label("4 jam", exact=True).check()
    form.get_by_label("Alasan").fill("membersihkan sensor")
    form.get_by_role("button", name="Mulai perawatan").click()
    strip = page.locator(".window-strip")
    expect(strip).to_contain_text(re.compile(r"Perawatan sampai .*, tetap merekam.*membersihkan sensor"))
    (window,) = groups(stack, "/windows", state="standing")
    assert (window["scope"], window["name"], window["reason"]) == ("device", GAUGE, "membersihkan sensor")
    strip.get_by_role("button", name="Akhiri").click()
    expect(strip).to_be_hidden()
    assert groups(stack, "/windows", state="standing") == []


def test_a_gauge_is_compared_with_the_one_upstream(page: Page) -> None:
    page.goto("/perangkat/wl-kisaran-barat")
    settle(page)
    page.get_by_label("Bandingkan").select_option(label="Hulu: Silau di Buntu Pane")
    expect(page.locator(".chart-legend")).to_contain_text("Silau di Buntu Pane")
    assert f"banding={GAUGE}" in page.url
    page.reload()
    expect(page.locator(".chart-legend")).to_contain_text("Silau di Buntu Pane")
