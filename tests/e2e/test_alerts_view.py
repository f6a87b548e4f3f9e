"""Peringatan as an operator works with it, while a river rises and a panel trips: by keyboard and by thumb."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests.browser import DESK, PHONE, settle, signed_in
from tests.pictures import PLAYED_S, SCENARIO, is_bad, playing
from tests.stack import Stack, until

pytestmark = pytest.mark.slow

Opened = Callable[..., AbstractContextManager[Page]]
REASON = "Sedang diperbaiki"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("alerts")


@pytest.fixture(scope="module")
def quiet(folder: Path) -> Iterator[Stack]:
    """A stack on which nothing has happened yet."""
    stack = Stack(folder / "data", "--no-simulator")
    try:
        stack.start()
        yield stack
        assert stack.stop() == 0
    finally:
        stack.close()


@contextmanager
def page_on(stack: Stack, browser: Browser, path: str, viewport: ViewportSize = DESK) -> Iterator[Page]:
    """A page of a signed-in person; at its end nothing may have gone wrong on it."""
    with signed_in(browser, stack, viewport) as watched:
        watched.page.goto(path)
        settle(watched.page)
        yield watched.page


@pytest.fixture(scope="module")
def night(folder: Path) -> Path:
    """That of the pictures, but all rivers rise: by day lamps without power miss nothing yet, and it is a flood of
    alerts at any hour."""
    text = SCENARIO.read_text(encoding="utf-8")
    wide = folder / "night.toml"
    wide.write_text(text.replace("radius_km = 14", "radius_km = 40"), encoding="utf-8")
    return wide


@pytest.fixture(scope="module")
def arrived(quiet: Stack, browser: Browser, folder: Path, night: Path) -> Iterator[dict[str, str]]:
    """What a page that was open all the time has said, while the night began."""
    told: dict[str, str] = {}
    with page_on(quiet, browser, "/peringatan") as page, playing(quiet, folder, night):
        told["before"] = page.locator(".al").inner_text()
        page.evaluate("window.sameDocument = true")
        expect(page.locator(".al-row", has_text="naik ke Siaga").first).to_be_visible(timeout=PLAYED_S * 1000)
        expect(page.locator(".al-row", has_text=re.compile(r"Panel P-01.* padam")).first).to_be_visible()
        expect(page.locator(".surge")).to_be_visible()
        expect(page.locator(".surge")).to_contain_text("insiden")
        told["groups"] = page.locator(".al-group").first.inner_text()
        told["surge"] = page.locator(".surge").inner_text()
        assert page.evaluate("window.sameDocument") is True
        until(lambda: is_bad(quiet), "everything stands", PLAYED_S, poll_s=1)
        # Two that stay as they are: others worsen as the river rises.
        expect(page.locator(".al-row", has_text="naik cepat").nth(1)).to_be_visible(timeout=PLAYED_S * 1000)
        yield told


@pytest.fixture
def opened(arrived: dict[str, str], quiet: Stack, browser: Browser) -> Opened:
    del arrived  # the night has begun
    return lambda path, viewport=DESK: page_on(quiet, browser, path, viewport)


def alert(stack: Stack, number: str | None) -> dict[str, Any]:
    with stack.client() as client:
        answer: dict[str, Any] = client.get(f"/alerts/{number}")
    return answer


def choose(page: Page, row: Locator) -> str:
    """Select a row and wait for its detail; its number. Rows move as alerts come, so the number is what is kept."""
    number = row.get_attribute("data-id")
    assert number
    page.locator(f".al-row[data-id='{number}']").click()
    expect(page.locator(f".al-row[data-id='{number}']")).to_have_attribute("aria-selected", "true")
    expect(page.locator(".detail .tl li").first).to_be_visible()
    return number


def unacked(page: Page, text: str | re.Pattern[str]) -> Locator:
    return page.locator(".al-row:not(.outlined)", has_text=text).first


def test_the_flood_arrives_live(arrived: dict[str, str]) -> None:
    assert "Tidak ada peringatan terbuka." in arrived["before"]
    # A panel with 214 lamps is one incident, and the list says so.
    assert arrived["groups"].startswith("Insiden")
    assert re.search(r"\d+ peringatan dalam 1 jam → \d+ insiden \+ \d+ tunggal", arrived["surge"])
    assert re.search(r"\d+ dalam 1 menit", arrived["surge"])


def test_acknowledged_by_keyboard_and_taken_back(opened: Opened, quiet: Stack) -> None:
    with opened("/") as page:
        page.keyboard.press("n")  # from any view to the next that nobody looks after
        expect(page.locator("main > .view.alerts")).to_be_visible()
        row = page.locator(".al-row[aria-selected=true]")
        number = row.get_attribute("data-id")
        expect(page.locator(".detail .ack")).to_be_enabled()
        page.keyboard.press("a")
        expect(page.locator(".toast")).to_contain_text(re.compile(r"Diakui \d\d\.\d\d oleh"))
        expect(page.locator(".toast .undo")).to_contain_text("Batalkan")
        assert alert(quiet, number)["acked"]
        page.keyboard.press("z")
        expect(page.locator(".toast")).to_contain_text("Pengakuan ditarik")
        after = alert(quiet, number)
        assert not after["acked"]
        assert [each["what"] for each in after["history"]][-2:] == ["acked", "unacked"]
        expect(page.locator(".detail .tl")).to_contain_text("Pengakuan ditarik")


def test_shelved_with_a_reason_listed_and_brought_back(opened: Opened, quiet: Stack) -> None:
    with opened("/peringatan") as page:
        number = choose(page, unacked(page, "naik cepat"))
        page.keyboard.press("t")
        dialog = page.locator("dialog[open]")
        dialog.get_by_role("radio", name=re.compile("^4 jam")).check()
        expect(dialog).to_contain_text(re.compile(r"Kembali berbunyi pukul .*\d\d\.\d\d, atau segera bila"))
        dialog.get_by_role("button", name=re.compile("Tunda sampai")).click()
        expect(dialog).to_be_visible()  # not without a reason
        assert alert(quiet, number)["shelved_until"] is None
        dialog.get_by_role("button", name=REASON).click()
        dialog.get_by_role("button", name=re.compile("Tunda sampai")).click()
        expect(page.locator(".toast")).to_contain_text("Ditunda sampai")
        expect(page.locator(f".al-row[data-id='{number}']")).to_have_count(0)
        assert alert(quiet, number)["shelved_why"] == REASON
        page.get_by_role("link", name=re.compile(r"^Ditunda ?\d")).last.click()
        row = page.locator(f".al-row[data-id='{number}']")
        expect(row).to_contain_text(REASON)
        expect(row.get_by_role("img", name=re.compile("ditunda"))).to_be_visible()
        row.click()
        page.get_by_role("button", name="Akhiri penundaan").click()
        expect(row).to_have_count(0)
        assert alert(quiet, number)["shelved_until"] is None


def test_marked_rows_are_acted_on_together_and_what_is_refused_is_told(opened: Opened, quiet: Stack) -> None:
    with opened("/peringatan") as page:
        rows = page.locator(".al-row", has_text="naik cepat")
        expect(rows.nth(1)).to_be_visible()
        first = choose(page, rows.first)
        page.keyboard.press("x")
        expect(page.locator(".marked-bar")).to_contain_text("1 ditandai")
        page.keyboard.press("j")
        second = page.locator(".al-row[aria-selected=true]").get_attribute("data-id")
        page.keyboard.press("Shift+X")
        expect(page.locator(".marked-bar")).to_contain_text("2 ditandai")
        # Somebody else changes one of them while this page does not hear of it: it is not acted on unseen.
        page.evaluate("import('/assets/live.js').then(live => live.disconnect())")
        with quiet.client() as client:
            client.ask(
                "POST", f"/alerts/{first}/comment", json={"comment": "di lokasi"}, seen=alert(quiet, first)["version"]
            )
        page.keyboard.press("o")
        dialog = page.locator("dialog[open]")
        dialog.get_by_label("Kepada").fill("Tim PJU")
        page.keyboard.press("Enter")
        expect(page.locator(".marked-bar .refused li")).to_have_count(1)
        expect(page.locator(".marked-bar")).to_contain_text("1 ditolak, masih ditandai")
        assert alert(quiet, second)["assignee"] == "Tim PJU"
        assert alert(quiet, first)["assignee"] is None
        page.keyboard.press("z")
        until(lambda: alert(quiet, second)["assignee"] is None, "the assignment is taken back")
        page.keyboard.press("Escape")  # the toast, then the marks
        page.keyboard.press("Escape")
        expect(page.locator(".marked-bar")).to_be_hidden()


def test_an_incident_is_one_row_that_unfolds(opened: Opened, quiet: Stack) -> None:
    with opened("/peringatan") as page:
        incident = page.locator(".al-row", has_text=re.compile(r"Panel P-01.* padam")).first
        number = choose(page, incident)
        expect(incident.get_by_role("img", name=re.compile("^Insiden, "))).to_be_visible()
        expect(page.locator(".detail .incident")).to_contain_text(re.compile(r"\d+ alat pernah di bawahnya"))
        expect(page.locator(".detail .ack")).to_contain_text(re.compile(r"\d+"))
        page.keyboard.press("ArrowRight")
        expect(page.locator(".al-member", has_text="tanpa listrik").first).to_be_visible()
        if alert(quiet, number)["members"] > 4:  # by day lamps without power are not missed yet
            expect(page.locator(".al-member", has_text="lagi di Ditekan")).to_be_visible()
        page.keyboard.press("ArrowLeft")
        expect(page.locator(".al-member")).to_have_count(0)


def test_a_step_of_the_procedure_is_ticked_on_the_record(opened: Opened, quiet: Stack) -> None:
    with opened("/peringatan") as page:
        number = choose(page, page.locator(".al-row", has_text=re.compile("naik ke Siaga.[23]")).first)
        expect(page.locator(".detail")).to_contain_text("penanggung jawab")
        expect(page.locator(".detail .chart canvas")).to_be_visible()
        step = page.locator(".detail .sop li").first
        step.get_by_role("checkbox").click()
        expect(step).to_contain_text(re.compile(r"\d\d\.\d\d"))
        expect(step.get_by_role("checkbox")).to_be_disabled()
        assert alert(quiet, number)["history"][-1]["why"].startswith("SOP ✓ ")
        file = page.get_by_role("link", name="Berkas kejadian").get_attribute("href")
        assert file == f"/api/v1/alerts/{number}/file"


def test_the_order_holds_while_somebody_works_in_the_list(opened: Opened) -> None:
    with opened("/peringatan") as page:
        rows = page.locator(".al-row")
        number = choose(page, unacked(page, re.compile(r"naik cepat|naik ke Siaga")))
        page.locator(f".al-row[data-id='{number}']").focus()
        page.keyboard.press("j")
        page.keyboard.press("k")
        before = rows.evaluate_all("rows => rows.map(row => row.dataset.id)")
        page.keyboard.press("a")
        expect(page.locator(f".al-row[data-id='{number}']")).to_have_class(re.compile("outlined"))
        after = rows.evaluate_all("rows => rows.map(row => row.dataset.id)")
        assert [each for each in after if each in before] == before
        page.keyboard.press("z")
        expect(page.locator(f".al-row[data-id='{number}']")).not_to_have_class(re.compile("outlined"))


def test_the_state_of_the_sound_stands_in_words(opened: Opened) -> None:
    with opened("/peringatan") as page:
        sound = page.locator(".top .sound")
        expect(sound).to_contain_text("Bunyi mati")
        sound.click()
        expect(sound).to_contain_text(re.compile("Berbunyi: (Kritis|Tinggi)"))
        page.keyboard.press("m")
        expect(sound).to_contain_text(re.compile(r"Bisu [45]:\d\d"))
        expect(page.locator(".al-row:not(.outlined)").first).to_be_visible()  # nothing was acknowledged by it
        page.keyboard.press("m")
        expect(sound).to_contain_text("Berbunyi")
        page.reload()  # a shift goes on, but a browser wants to be touched first
        expect(sound).to_contain_text(re.compile("Bunyi mati – klik|Berbunyi"))
        page.locator("body").click(position={"x": 700, "y": 880})
        expect(sound).to_contain_text("Berbunyi")


def test_the_connection_is_lost_and_regained(opened: Opened, quiet: Stack) -> None:
    content = quiet.content
    host = urlsplit(content["api_url"]).netloc
    with opened("/peringatan") as page:
        choose(page, page.locator(".al-row").first)
        expect(page.locator(".top .stream")).to_contain_text("Langsung")
        # As when the network is away: the stream ends, and nothing can be asked.
        page.evaluate(
            """() => {
              const { fetch } = window;
              window.restore = () => { window.fetch = fetch; };
              window.fetch = () => Promise.reject(new TypeError("away"));
              return import("/assets/live.js").then((live) => {
                const { EventSource } = window;
                window.EventSource = class extends EventTarget { readyState = 0; close() {} };
                live.connect();
                window.EventSource = EventSource;
              });
            }"""
        )
        banner = page.locator(".banner.strong")
        expect(banner).to_contain_text("Data langsung terputus")
        expect(page.locator(".detail .ack")).to_have_attribute("aria-disabled", "true")
        page.keyboard.press("a")
        expect(page.locator(".toast")).to_contain_text("Tidak bisa selama terputus")
        page.evaluate("restore()")
        banner.get_by_role("button", name="Sambungkan sekarang").click()
        expect(page.locator(".banner")).to_contain_text("Lengkap.")
        expect(page.locator(".detail .ack")).not_to_have_attribute("aria-disabled", "true")
        assert urlsplit(page.url).netloc == host


def test_by_thumb_from_a_notice_to_done(opened: Opened, quiet: Stack) -> None:
    with opened("/peringatan", PHONE) as page:
        row = unacked(page, re.compile(r"menuju|diperkirakan|naik"))
        number = row.get_attribute("data-id")
        # No action in the row: an acknowledgement is never a slip of the thumb.
        expect(page.locator(".al-row .ack")).to_have_count(0)
        page.goto(f"/peringatan?id={number}")
        button = page.locator(".detail .ack")
        expect(button).to_be_enabled()
        expect(button).to_be_visible()  # it is enabled before its alert has come
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 56
        assert box["y"] + box["height"] <= PHONE["height"]
        button.click()
        expect(page.locator(".toast")).to_contain_text("Diakui")
        page.locator(".toast .undo").click()
        until(lambda: not alert(quiet, number)["acked"], "the acknowledgement is taken back")
        page.get_by_role("button", name="Tunda…").click()
        sheet = page.locator("dialog.sheet[open]")
        expect(sheet).to_contain_text("Alasan")
        sheet.get_by_role("button", name="Batal").click()
        page.locator(".detail .back").click()
        expect(page.locator(".al-row").first).to_be_visible()


def test_every_tab_has_an_address_and_something_to_say(opened: Opened) -> None:
    with opened("/peringatan?tab=ditekan") as page:
        expect(page.locator(".al-row", has_text="oleh Panel P-01").first).to_be_visible()
        for tab, words in (
            ("di-luar-layanan", "Tidak ada perawatan"),
            ("kpi", "peringatan per operator per jam"),
            ("riwayat", re.compile(r"\w+")),
        ):
            page.locator(f"nav.segments a[href='/peringatan?tab={tab}']").click()
            settle(page)
            expect(page.locator("main")).to_contain_text(words)
            assert page.url.endswith(f"tab={tab}")
        page.go_back()
        expect(page.locator("nav.segments a[aria-current]")).to_have_text("KPI")
        expect(page.locator(".actors li").first).to_contain_text(re.compile(r"\d"))


def test_in_a_surge_the_situation_lists_incidents(opened: Opened) -> None:
    with opened("/") as page:
        action = page.locator(".action")
        expect(action.locator("li", has_text=re.compile(r"Panel P-01.* padam"))).to_have_count(1)
        expect(action.get_by_role("img", name=re.compile("^Insiden, ")).first).to_be_visible()
