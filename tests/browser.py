"""Headless Chromium of the machine, watched: what it logs as an error, and whom it asks. And which views there are."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from tests.servers import missing
from tests.stack import Stack

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
DESK: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
# Deadlines for what is broken, not measures of speed: the first alert of a fresh city may take half a minute.
WAIT_MS = 60_000
expect.set_options(timeout=WAIT_MS)


TABLE = Path(__file__).resolve().parents[1] / "api" / "dashboard" / "views" / "table.js"
# What stands for the last part of an address, in a city that `siaga up` has made.
EXAMPLES = {"/perangkat/:id": "/perangkat/wl-buntu-pane", "/aturan/:id": "/aturan/lamp_out"}


@dataclass(frozen=True)
class View:
    """A line of the dashboard's table of views."""

    name: str
    path: str
    bare: bool = False  # without the rail

    @property
    def address(self) -> str:
        return EXAMPLES[self.path] if ":" in self.path else self.path


def views() -> list[View]:
    """Every view there is, named by its address."""
    lines = re.findall(r'^\s*\{ page: "[\w-]+", path: "([^"]+)"(.*)', TABLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert lines, f"no view in {TABLE}"
    return [View(path.strip("/").replace("/:", "-") or "situasi", path, "bare: true" in rest) for path, rest in lines]


def settle(page: Page) -> None:
    """Wait until the view is there and waits for nothing more."""
    expect(page.locator("main > .view")).to_be_visible()
    expect(page.locator("main [aria-busy=true]:visible, main .skeleton:visible, main .waiting:visible")).to_have_count(
        0
    )


def change_language(page: Page, language: str) -> None:
    """As the switch does, without loading the page again."""
    page.evaluate("language => import('/assets/prefs.js').then(prefs => prefs.setLanguage(language))", language)
    expect(page.locator("html")).to_have_attribute("lang", language)
    settle(page)


@contextmanager
def chromium() -> Iterator[Browser]:
    program = os.environ.get("SIAGA_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        missing("chromium", "apt-get install chromium, or name one by SIAGA_TEST_CHROMIUM")
        raise AssertionError("unreachable")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*FLAGS])
        yield browser
        browser.close()


class Watched:
    """A page and what must not happen on it: errors, and requests that leave the machine."""

    def __init__(self, context: BrowserContext, host: str) -> None:
        self.page: Page = context.new_page()
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)

        def asked(url: str) -> None:
            parts = urlsplit(url)
            if parts.scheme not in ("data", "blob") and parts.netloc != host:
                self.elsewhere.append(url)

        self.page.on("request", lambda request: asked(request.url))


@contextmanager
def signed_in(browser: Browser, stack: Stack, viewport: ViewportSize = DESK) -> Iterator[Watched]:
    """A page of somebody who may do everything; at its end nothing may have gone wrong on it."""
    content = stack.content
    with watched_page(browser, content["api_url"], viewport) as watched:
        watched.page.request.post("/api/v1/session", data={"key": content["admin_key"]})
        yield watched


@contextmanager
def watched_page(browser: Browser, address: str, viewport: ViewportSize = DESK) -> Iterator[Watched]:
    """A page of nobody yet, in a browser of its own."""
    with browser.new_context(viewport=viewport, color_scheme="light", base_url=address) as context:
        context.set_default_timeout(WAIT_MS)
        watched = Watched(context, urlsplit(address).netloc)
        yield watched
        assert (watched.errors, watched.elsewhere) == ([], [])
