"""What engineers do on the screen: let refused packets in, and change a rule once a dry run has told its price."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import Watched, settle
from tests.stack import Stack

pytestmark = pytest.mark.slow

NEW, KNOWN, COMMA = "pju-baru-77", "pju-0004", "pju-0005"
READING = {"power_w": 64.1, "voltage_v": 219.8, "dimming_pct": 100}
ZONE = timedelta(hours=7)


def send(stack: Stack, device: str, times: list[datetime], **more: Any) -> None:
    """Over HTTP, one request each, as packets come."""
    with stack.client() as client:
        for at in times:
            client.ask("POST", "/readings", json=[{"device": device, "ts": at.isoformat(), **READING, **more}])


def times(newest: datetime) -> list[datetime]:
    return [newest - timedelta(minutes=15 * n) for n in (3, 2, 1)]


def detail(page: Page) -> Locator:
    return page.locator("aside.qd")


def choose(page: Page, words: str) -> None:
    page.goto("/karantina")
    settle(page)
    page.locator("section.inbox tr[data-key]").filter(has_text=words).click()


def test_an_unknown_lamp_is_claimed_registered_and_its_readings_are_seen(stack: Stack, watched: Watched) -> None:
    send(stack, NEW, times(datetime.now(UTC)))
    page = watched.page
    choose(page, NEW)
    beside = detail(page)
    expect(beside).to_contain_text("Jenis terbaca: Lampu jalan.")
    expect(beside.locator("pre mark")).to_have_text(NEW)
    expect(beside).to_contain_text("Bila didaftarkan dan diputar ulang")
    expect(beside.locator("dl dd").first).to_have_text("3")

    beside.get_by_role("button", name="Klaim").click()
    expect(page.locator("section.inbox tr.chosen")).to_contain_text("Diklaim")
    expect(beside.locator(".trail")).to_contain_text("diklaim")

    beside.get_by_role("button", name="Daftarkan alat…").click()
    form = page.locator("dialog[open]")
    form.get_by_label("Nama").fill("Lampu baru di Kisaran")
    form.get_by_label("Lintang").fill("2,9845")
    form.get_by_label("Bujur").fill("99,6308")
    form.get_by_role("button", name="Daftarkan").click()
    expect(page.locator(".toast")).to_contain_text("3 paket diputar ulang: 3 tersimpan")

    expect(page.locator("section.inbox")).not_to_contain_text(NEW)
    page.get_by_role("link", name="Selesai").click()
    expect(page.locator("section.inbox")).to_contain_text(NEW)
    page.goto(f"/perangkat/{NEW}")
    expect(page.locator(".device-head h2")).to_have_text("Lampu baru di Kisaran")
    expect(page.locator("section.values")).to_contain_text(re.compile(r"64,1"))


def test_local_time_that_was_sent_as_utc_is_shifted(stack: Stack, watched: Watched) -> None:
    begun = datetime.now(UTC).replace(microsecond=0)
    # Seconds that the simulated lamp does not report at.
    sent = [begun - timedelta(seconds=n) for n in (7, 5, 3)]
    send(stack, KNOWN, [at + ZONE for at in sent])
    page = watched.page
    choose(page, KNOWN)
    beside = detail(page)
    expect(beside).to_contain_text("Sangat mungkin waktu WIB dikirim sebagai UTC.")
    expect(beside.locator("pre mark")).to_contain_text("T")
    expect(beside.locator("dl")).to_contain_text("Masuk sebagai bacaan3")
    beside.get_by_label("Geser waktu").fill("0")
    page.keyboard.press("Tab")
    expect(beside.locator("dl")).to_contain_text("Tetap ditolak3")
    beside.get_by_label("Geser waktu").fill("-7")
    page.keyboard.press("Tab")
    beside.get_by_role("button", name="Geser −7 jam, putar ulang…").click()
    page.locator("dialog[open]").get_by_role("button", name="Putar ulang").click()
    expect(page.locator(".toast")).to_contain_text("3 paket diputar ulang: 3 tersimpan")
    with stack.client() as client:
        span = {"from": (sent[0]).isoformat(), "to": (begun + timedelta(seconds=1)).isoformat()}
        found = client.get("/readings", device=KNOWN, **span)["items"]
    assert {datetime.fromisoformat(item["ts"]) for item in found} >= set(sent)


def test_what_is_discarded_needs_a_reason_and_keeps_its_trail(stack: Stack, watched: Watched) -> None:
    send(stack, "pju-asing-1", times(datetime.now(UTC)))
    send(stack, "pju-asing-2", times(datetime.now(UTC)))
    page = watched.page
    page.goto("/karantina")
    settle(page)
    for name in ("pju-asing-1", "pju-asing-2"):
        page.locator("section.inbox tr").filter(has_text=name).get_by_role("checkbox").check()
    page.locator(".bulk").get_by_role("button", name="Buang…").click()
    form = page.locator("dialog[open]")
    form.get_by_role("button", name="Buang", exact=True).click()
    expect(form).to_be_visible()
    form.get_by_role("button", name="Alat bukan milik kita").click()
    form.get_by_role("button", name="Buang", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("6 paket dibuang.")
    page.get_by_role("link", name="Selesai").click()
    page.locator("section.inbox tr[data-key]").filter(has_text="pju-asing-1").click()
    expect(detail(page).locator(".trail")).to_contain_text("Alat bukan milik kita")


def test_the_ledger_balances_and_names_devices(watched: Watched, stack: Stack) -> None:
    send(stack, COMMA, [datetime.now(UTC)], power_w="64,1")
    page = watched.page
    page.goto("/karantina")
    settle(page)
    row = page.locator("section.inbox tr[data-key]").filter(has_text=COMMA)
    expect(row).to_contain_text("Daya bukan angka")
    row.click()
    expect(detail(page)).to_contain_text("Koma desimal dalam teks")
    expect(detail(page).locator("pre mark")).to_have_text('"64,1"')
    expect(page.locator("section.ledger")).to_contain_text("seimbang")
    expect(page.locator("section.ledger")).not_to_contain_text("tidak seimbang")
    page.get_by_role("link", name="Neraca per alat").click()
    page.locator("section.short tr[data-key]").filter(has_text=COMMA).click()
    expect(page.locator("section.one-ledger")).to_contain_text(re.compile(r"Diterima [\d.]+ = tersimpan"))


def change(page: Page, bound: str) -> None:
    page.get_by_label("Ambang (Sedang)").fill(bound)
    page.get_by_role("button", name="Jalankan simulasi").click()
    expect(page.locator("section.trial .headline")).to_be_visible()


def rule_of(stack: Stack, rule_id: str) -> dict[str, Any]:
    with stack.client() as client:
        items = client.get(f"/rules/{rule_id}")["in_force"]
    return next(item for item in items if item["kind"] == "streetlight")


def test_a_rule_is_changed_after_a_dry_run_of_exactly_this_text(stack: Stack, watched: Watched) -> None:
    page = watched.page
    page.goto("/aturan")
    settle(page)
    page.locator("section.rule-list a[href='/aturan/voltage_low?jenis=streetlight']").click()
    save = page.locator(".editor").get_by_role("button", name="Simpan")
    expect(save).to_have_attribute("title", "Belum ada yang diubah")
    page.get_by_label("Ambang (Sedang)").fill("21,x")
    expect(save).to_have_attribute("title", "Ada isian yang bukan angka")
    page.get_by_label("Ambang (Sedang)").fill("215")
    expect(page.locator(".editor")).to_contain_text("198 V")
    expect(save).to_have_attribute("title", "Simulasikan dahulu usulan ini")
    page.get_by_label("Alasan perubahan").fill("Tegangan turun sesaat")
    change(page, "216,5")
    expect(page.locator("section.trial .headline")).to_have_text(re.compile(r"^\d+ → \d+ peringatan"))
    expect(save).not_to_have_attribute("aria-disabled", "true")
    page.get_by_label("Tunda padam").fill("20")
    expect(save).to_have_attribute("title", "Simulasikan dahulu usulan ini")
    expect(page.locator("section.trial")).to_contain_text("Usulan sudah diubah sesudah simulasi ini.")
    page.get_by_role("button", name="Jalankan simulasi").click()
    expect(page.locator("section.trial .outdated")).to_have_count(0)
    save.click()
    expect(page.locator(".toast")).to_contain_text(re.compile(r"Tersimpan sebagai v\d+"))
    now = rule_of(stack, "voltage_low")
    assert (now["rule"]["level"][0]["bound"], now["rule"]["delay_off_s"]) == (216.5, 1200)
    assert now["reason"] == "Tegangan turun sesaat"
    page.get_by_role("button", name="Riwayat versi").click()
    expect(page.locator("dialog[open] .version").first).to_contain_text("Tegangan turun sesaat")


def test_another_version_saved_meanwhile_is_shown_beside_ones_own(stack: Stack, watched: Watched) -> None:
    page = watched.page
    page.goto("/aturan/voltage_high?jenis=streetlight")
    settle(page)
    change(page, "233")
    theirs = rule_of(stack, "voltage_high")["rule"]
    theirs["level"][0]["bound"] = 232
    with stack.client() as client:
        client.ask("PUT", "/rules/voltage_high", json={"rule": theirs, "reason": "Rapat kemarin"}, seen=0)
    page.get_by_label("Alasan perubahan").fill("Trafo baru")
    save = page.locator(".editor").get_by_role("button", name="Simpan")
    save.click()
    conflict = page.locator(".conflict")
    expect(conflict).to_contain_text("Rapat kemarin")
    expect(conflict.get_by_role("row").filter(has_text="Ambang")).to_contain_text("232 V233 V")
    conflict.get_by_role("button", name="Teruskan usulan saya di atasnya").click()
    expect(conflict).to_be_empty()
    save.click()
    expect(page.locator(".toast")).to_contain_text("Tersimpan sebagai")
    assert rule_of(stack, "voltage_high")["rule"]["level"][0]["bound"] == 233
    assert [re.search(r"\b412\b", error) is not None for error in watched.errors] == [True]
    watched.errors.clear()
