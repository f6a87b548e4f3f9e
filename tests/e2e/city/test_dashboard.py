"""The page as a person uses it: headless Chromium on the whole stack with a simulated city."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from devices.kinds import KINDS
from tests.browser import DESK, PHONE, signed_in
from tests.e2e.city.alarms import open_again
from tests.stack import Stack, until

pytestmark = pytest.mark.slow

Opened = Callable[[str, ViewportSize], AbstractContextManager[Page]]


@pytest.fixture
def opened(stack: Stack, browser: Browser) -> Opened:
    @contextmanager
    def open_page(path: str, viewport: ViewportSize) -> Iterator[Page]:
        with signed_in(browser, stack, viewport) as watched:
            watched.page.goto(path)
            yield watched.page

    return open_page


def keep_picture(page: Page, name: str) -> None:
    """For a person to look at, where SIAGA_TEST_PICTURES names a folder."""
    if folder := os.environ.get("SIAGA_TEST_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def first_unacked(page: Page) -> Locator:
    return page.locator(".action li").first


def test_the_printed_link_signs_one_browser_in_once(stack: Stack, browser: Browser) -> None:
    (link,) = re.findall(r"http://\S+/sign-in\?token=\S+", stack.said)
    with browser.new_context(viewport=DESK) as context:
        page = context.new_page()
        page.goto(link)
        expect(page.locator("nav.rail")).to_be_visible()
    with browser.new_context(viewport=DESK) as context:
        page = context.new_page()
        page.goto(link)
        expect(page.locator("h1")).to_contain_text("sudah tidak berlaku")


def test_without_a_session_the_page_asks_for_a_key(stack: Stack, browser: Browser) -> None:
    with browser.new_context(viewport=PHONE) as context:
        page = context.new_page()
        page.goto(stack.content["api_url"])
        page.get_by_role("button", name="Kunci API").click()
        page.locator("input").fill("wrong")
        page.keyboard.press("Enter")
        # Not only visible, which it is before the answer: until then Enter does nothing.
        expect(page.locator("[role=alert]").first).to_have_text("Kunci ini tidak berlaku.")
        page.locator("input").fill(stack.content["admin_key"])
        page.keyboard.press("Enter")
        expect(page.locator("nav.rail")).to_be_visible()


def test_every_device_is_on_the_map_and_values_change_without_reload(opened: Opened, stack: Stack) -> None:
    with stack.client() as client:
        devices = len(list(client.devices()))
    with opened("/", DESK) as page:
        labels = "|".join(kind.label.id for kind in KINDS.values())
        kinds = page.get_by_role("button", name=re.compile(rf"^({labels}) \d+$"))
        expect(kinds).to_have_count(len(KINDS))
        counts = [int(re.findall(r"\d+$", text)[0]) for text in kinds.all_inner_texts()]
        assert sum(counts) == devices
        main = page.locator("main")
        expect(main).to_contain_text("Buntu Pane")
        before = main.inner_text()
        page.evaluate("window.sameDocument = true")
        until(lambda: levels(main.inner_text()) != levels(before), "a level changes", 60)
        assert page.evaluate("window.sameDocument") is True
        keep_picture(page, "situasi")


def levels(text: str) -> list[str]:
    """Every level on the screen, such as 2,94."""
    return re.findall(r"\d,\d\d", text)


def test_an_alert_acknowledged_with_a_click_survives_a_reload(opened: Opened, stack: Stack) -> None:
    until(lambda: open_again(stack), "an alert that nobody looks after", 240)
    with opened("/", DESK) as page:
        row = first_unacked(page)
        expect(row).to_be_visible()
        number = row.get_attribute("data-id")
        row.get_by_role("button", name="Akui").click()
        acked = until(lambda: alert(stack, number)["acked"], "the alert is acknowledged")
        assert acked
        assert alert(stack, number)["acked_by"]
        page.reload()
        expect(page.locator("nav.rail")).to_be_visible()
        # Whatever else is open by now, this one asks for nothing any more.
        expect(page.locator(".action header")).to_be_visible()
        expect(page.locator(f".action li[data-id='{number}']")).to_have_count(0)
        page.goto(page.url.rstrip("/") + f"/peringatan?id={number}")
        expect(page.locator("main")).to_contain_text("Diakui")


def alert(stack: Stack, number: str | None) -> dict[str, object]:
    with stack.client() as client:
        answer: dict[str, object] = client.get(f"/alerts/{number}")
    return answer


def test_the_switch_changes_the_language(opened: Opened) -> None:
    with opened("/", DESK) as page:
        page.locator("header").get_by_role("button", name="English").click()
        expect(page.locator("main")).to_contain_text("Needs action")
        page.reload()
        expect(page.locator("main")).to_contain_text("Needs action")
