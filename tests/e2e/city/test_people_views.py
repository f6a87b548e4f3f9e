"""Signing in, handing a shift over, the wall, and admin, as people do it in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import DESK, Watched, settle, watched_page
from tests.e2e.city.alarms import acknowledge_all, open_again
from tests.stack import Stack, until
from tests.whole import only_whole

pytestmark = pytest.mark.slow

PASSWORD = "sungai-silau-2026"
WALL = {"width": 1920, "height": 1080}
Opened = Callable[..., AbstractContextManager[Watched]]


@pytest.fixture(scope="module", autouse=True)
def people(stack: Stack) -> None:
    for name in ("sari", "dedi"):
        asked(stack, "POST", "users", {"name": name, "role": "operator", "password": PASSWORD})


@pytest.fixture
def opened(stack: Stack, browser: Browser) -> Opened:
    return lambda viewport=DESK: watched_page(browser, stack.content["api_url"], viewport)


def asked(stack: Stack, method: str, path: str, body: Any = None) -> Any:
    """What the API answers an admin."""
    with stack.client() as client:
        return client.ask(method, f"/{path}", json=body)


def sign_in(page: Page, name: str) -> None:
    page.goto("/")
    page.get_by_label("Nama").fill(name)
    page.get_by_label("Sandi").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("nav.rail")).to_be_visible()


def test_a_wrong_password_is_said_and_the_right_one_lets_in(opened: Opened) -> None:
    with opened() as watched:
        page = watched.page
        page.goto("/sungai")
        page.get_by_label("Nama").fill("sari")
        page.get_by_label("Sandi").fill("not hers at all")
        page.keyboard.press("Enter")
        expect(page.locator(".problem")).to_have_text("Nama atau sandi salah.")
        page.get_by_label("Sandi").fill(PASSWORD)
        page.keyboard.press("Enter")
        # Where one wanted to go.
        expect(page.locator("nav.rail a[aria-current]")).to_contain_text("Sungai")
        expect(page.locator(".person-name")).to_have_text("sari")
        # Before anybody is signed in /me answers 401, and so does a wrong password.
        assert all("401" in error for error in watched.errors), watched.errors
        watched.errors.clear()
        page.goto("/admin")
        expect(page.locator(".facts")).to_contain_text("sari")
        page.get_by_role("link", name="Orang").click()
        expect(page.locator("main")).to_contain_text("Perlu hak admin")


def test_a_shift_is_handed_over_and_signed_by_both(stack: Stack, opened: Opened) -> None:
    until(lambda: open_again(stack), "an alert that nobody looks after", 240)
    with opened() as giving, opened() as taking:
        for watched, name in ((giving, "sari"), (taking, "dedi")):
            sign_in(watched.page, name)
            watched.errors.clear()  # the 401 of before
            watched.page.goto("/serah-terima?id=baru")
            settle(watched.page)
        page = giving.page
        expect(page.locator(".paper")).to_contain_text("Keadaan sungai")
        page.get_by_label("Catatan piket").fill("02.10 Camat Setia Janji dihubungi.")
        page.reload()
        expect(page.get_by_label("Catatan piket")).to_have_value("02.10 Camat Setia Janji dihubungi.")
        page.get_by_role("button", name="Saya menyerahkan").click()
        expect(page.get_by_label("Menyerahkan")).to_contain_text(re.compile(r"sari.*ditandatangani \d\d\.\d\d"))
        # Not by the same hand, and not while anything waits.
        own = page.get_by_label("Menerima").get_by_role("button")
        expect(own).to_have_attribute("aria-disabled", "true")

        page = taking.page
        page.goto("/serah-terima")
        expect(page.locator(".written")).to_contain_text("02.10 Camat Setia Janji dihubungi.")
        take = page.get_by_role("button", name="Saya menerima")
        expect(take).to_be_visible()

        def is_taken() -> bool:
            # The city lives on: an alert that comes between the two asks for one more round.
            acknowledge_all(stack)
            expect(take.or_(page.get_by_label("Menerima").get_by_text("ditandatangani"))).to_be_visible()
            if take.count() and take.get_attribute("aria-disabled") is None:
                take.click()
            return bool(asked(stack, "GET", "handover?limit=1")["items"][0]["state"] == "taken")

        until(is_taken, "the shift is taken over", 120, poll_s=1)
        expect(page.get_by_label("Menerima")).to_contain_text(re.compile(r"dedi.*ditandatangani"))
        # A refusal of the server while an alert came is no fault of the page.
        taking.errors[:] = [error for error in taking.errors if "409" not in error]
    row = asked(stack, "GET", "handover?limit=1")["items"][0]
    assert (row["given_by"], row["taken_by"], row["reason"]) == ("sari", "dedi", None)


def test_what_is_unacknowledged_is_in_the_way_of_the_second_signature(stack: Stack, opened: Opened) -> None:
    until(lambda: asked(stack, "GET", "alerts/counts")["open"], "an open alert", 120)
    asked(stack, "POST", "handover", {"notes": ""})
    with opened() as watched:
        page = watched.page
        page.request.post("/api/v1/session", data={"key": stack.content["admin_key"]})

        def as_if_open(route: Any) -> None:
            answer = route.fetch()
            told = answer.json()
            alert = told["draft"]["open"]["items"][0]
            route.fulfill(response=answer, json={**told, "given_by": "sari", "unacknowledged": [alert]})

        page.route(re.compile(r"/api/v1/handover/\d+$"), as_if_open)
        page.goto("/serah-terima")
        take = page.get_by_role("button", name="Saya menerima")
        expect(take).to_have_attribute("aria-disabled", "true")
        expect(take).to_have_attribute("title", "Akui dulu 1 peringatan:")
        expect(page.get_by_label("Menerima").get_by_role("link")).to_have_attribute(
            "href", re.compile(r"/peringatan\?id=\d+")
        )


def test_the_document_is_what_is_printed(stack: Stack, opened: Opened) -> None:
    with opened() as watched:
        page = watched.page
        page.request.post("/api/v1/session", data={"key": stack.content["admin_key"]})
        page.goto("/serah-terima?id=baru")
        settle(page)
        page.get_by_label("Catatan piket").fill("Perahu di Kisaran.\n" * 30)
        page.emulate_media(media="print")
        for away in ("nav.rail", "header.top", ".print", ".notes textarea"):
            expect(page.locator(away)).to_be_hidden()
        expect(page.locator(".printed")).to_be_visible()
        expect(page.get_by_label("Menerima")).to_be_visible()
        # Nothing is cut at the edge of a screen: the page is as long as the document.
        assert page.evaluate("document.documentElement.scrollHeight > 1000")
        assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_a_wall_needs_no_hand(stack: Stack, opened: Opened) -> None:
    made = asked(stack, "POST", "keys", {"name": "dinding", "role": "viewer", "days": 3, "own": False})
    with opened(WALL) as watched:
        page = watched.page
        page.goto(f"/dinding?tema=gelap&kunci={made['key']}")
        expect(page.locator(".wall h1")).to_have_text("Kabupaten Asahan")
        assert urlsplit(page.url).query == "tema=gelap"
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        expect(page.locator(".situation-page tbody tr").first).to_contain_text(re.compile(r"\d,\d\d"))
        expect(page.locator(".ends")).to_contain_text("Kunci dinding ini berakhir")
        expect(page.locator("footer")).to_contain_text(re.compile("hanya lihat.*(tetap di sini|berganti ke)"))
        expect(page.locator("nav.rail, header.top")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
        for name, holds in (("lampu", "Panel malam ini"), ("sungai", "12 jam terakhir")):
            page.goto(f"/dinding?halaman={name}")
            expect(page.locator(".room")).to_contain_text(holds)
        expect(page.locator(".lane svg[role=img]").first).to_be_visible()

        asked(stack, "DELETE", f"keys/{made['id']}")
        page.reload()
        expect(page.locator("main")).to_contain_text("Kunci dinding ini tidak berlaku lagi.")
        expect(page.locator("input, button")).to_have_count(0)
        assert all("401" in error for error in watched.errors), watched.errors
        watched.errors.clear()


@only_whole
def test_a_wall_stays_on_the_situation_until_somebody_acknowledges(stack: Stack, opened: Opened) -> None:
    with opened(WALL) as watched:
        page = watched.page
        page.request.post("/api/v1/session", data={"key": stack.content["admin_key"]})
        page.goto("/dinding")
        expect(page.locator(".situation-page")).to_be_visible()
        until(lambda: asked(stack, "GET", "alerts/counts")["open"], "an open alert", 120)
        page.reload()
        expect(page.locator(".situation-page tbody tr").first).to_be_visible()
        # Whatever this city has raised: as if nobody had acknowledged it, and it were high.
        page.evaluate("""() => import("/assets/store.js").then(({ state, changed }) => {
            for (const alert of state.alerts.values()) Object.assign(alert, { acked: false, severity: 2 });
            changed("alerts");
        })""")
        expect(page.locator("footer")).to_contain_text("tetap di sini")
        page.reload()

        def turns() -> bool:
            acknowledge_all(stack)
            return page.locator(".lamps-page").count() > 0

        until(turns, "the wall turns to the lamps", 180, poll_s=1)
        expect(page.locator("footer")).to_contain_text("berganti ke Sungai dalam")


def test_an_admin_adds_somebody_and_makes_a_key_that_is_shown_once(stack: Stack, opened: Opened) -> None:
    with opened() as watched:
        page = watched.page
        page.request.post("/api/v1/session", data={"key": stack.content["admin_key"]})
        page.goto("/admin")
        expect(page.locator(".people")).to_contain_text("sari")
        page.get_by_role("button", name="Tambah orang").click()
        form = page.locator("dialog[open]")
        form.get_by_label("Nama").fill("tuti")
        form.get_by_label("Hak").select_option("engineer")
        form.get_by_label(re.compile("^Sandi")).fill(PASSWORD)
        form.get_by_role("button", name="Tambah orang").click()
        row = page.locator(".people tr", has_text="tuti")
        expect(row).to_contain_text("teknisi")
        row.get_by_role("button", name="Ubah tuti").click()
        form.get_by_label("boleh masuk").uncheck()
        form.get_by_role("button", name="Simpan").click()
        expect(row).to_contain_text("dinonaktifkan")

        page.goto("/admin?tab=kunci")
        page.get_by_role("button", name="Buat kunci").click()
        form.get_by_label("Nama kunci").fill("gateway-kisaran")
        form.get_by_role("button", name="Buat kunci").click()
        once = page.locator("dialog[open]", has_text="tampil sekali ini saja")
        key = once.locator("code").first.inner_text()
        expect(once.locator("code").nth(1)).to_contain_text("/dinding?kunci=")
        headers = {"Authorization": f"Bearer {key}"}
        me = httpx.get(f"{stack.content['api_url']}/api/v1/me", headers=headers, timeout=30)
        assert me.json()["role"] == "viewer"
        page.keyboard.press("Escape")
        row = page.locator(".api-keys tr", has_text="gateway-kisaran")
        row.get_by_role("button", name="Cabut gateway-kisaran").click()
        form.get_by_role("button", name="Cabut").click()
        expect(row).to_contain_text("dicabut")
        assert httpx.get(f"{stack.content['api_url']}/api/v1/me", headers=headers, timeout=30).status_code == 401

        page.goto("/admin?tab=audit")
        lines = page.locator(".audit tbody tr")
        expect(lines.filter(has_text="kunci dicabut").first).to_contain_text("gateway-kisaran")
        page.get_by_label("Tindakan").select_option("user")
        expect(lines.filter(has_text="kunci dicabut")).to_have_count(0)
        expect(lines.filter(has_text="orang diubah").first).to_contain_text("tuti")
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV").click()
        text = download.value.path().read_text()
        assert "user.changed,tuti" in text
        assert "key.revoked" not in text
