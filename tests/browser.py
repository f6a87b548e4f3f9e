"""Headless Chromium of the machine, watched: what it logs as an error, and whom it asks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.servers import missing

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
# Deadlines for what is broken, not measures of speed: the first alert of a fresh city may take half a minute.
WAIT_MS = 60_000
expect.set_options(timeout=WAIT_MS)


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
