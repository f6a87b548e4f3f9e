"""Every view there is: by day and by night, on desk and phone, in both languages, for those who see and who do not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Request, Route, ViewportSize, expect

from tests.browser import DESK, PHONE, View, Watched, change_language, settle, views
from tests.e2e.city.alarms import open_again
from tests.servers import missing
from tests.stack import Stack, until
from tests.typescript import AXE, CURE

pytestmark = pytest.mark.slow

# Scripts and style sheets of one view as they travel, with uPlot and Leaflet (docs/performance.md).
BUDGET_BYTES = 120_000
VIEWS = views()
LANGUAGES = ("id", "en")
SIZES = (DESK, PHONE)
AXE_RUN = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  const where = (nodes) => nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" ");
  return violations.map(({ id, nodes }) => `${id}: ${where(nodes)}`);
}"""

PLACES = """import("/assets/views/table.js").then(({ PAGES }) =>
  PAGES.map(({ path, key, name }) => [path, key ?? null, name[0]]))"""


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.exists():
        missing("axe-core", CURE)
    return AXE.read_text(encoding="utf-8")


def is_wider(page: Page) -> bool:
    """Whether the page scrolls sideways."""
    wide: bool = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    return wide


def by_day(page: Page, size: ViewportSize) -> None:
    page.set_viewport_size(size)
    page.emulate_media(color_scheme="light")


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_view_is_for_everybody_and_within_its_bytes(watched: Watched, axe: str, view: View) -> None:
    page = watched.page
    asked: list[Request] = []
    page.on("requestfinished", lambda request: asked.append(request))  # noqa: PLW0108 - playwright cannot wrap a built-in
    page.goto(view.address)
    settle(page)
    problems = [*too_large(view, asked)]
    page.evaluate(axe)
    for size in SIZES:
        by_day(page, size)
        for language in LANGUAGES:
            change_language(page, language)
            expect(page.locator("main")).not_to_be_empty()
            where = f"{size['width']} px, {language}"
            if is_wider(page):
                problems.append(f"{where}: scrolls sideways")
            # What axe looks for is the same in both languages; tests/docs/test_words.py holds that no text is missing.
            for scheme in ("light", "dark") if language == LANGUAGES[0] else ():
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                settle(page)
                problems += [f"{where}, {scheme}: {found}" for found in page.evaluate(AXE_RUN)]
    assert not problems, "\n".join(problems)


def too_large(view: View, asked: list[Request]) -> Iterator[str]:
    """Whether scripts and style sheets of a first visit are more than they may be."""
    files = [request for request in asked if request.resource_type in ("script", "stylesheet")]
    sent = {urlsplit(request.url).path: request.sizes()["responseBodySize"] for request in files}
    print(f"{view.path}: {sum(sent.values()) / 1000:.0f} kB in {len(sent)} files")
    assert sent
    if sum(sent.values()) > BUDGET_BYTES:
        yield f"{sum(sent.values())} bytes: {sorted(sent.items(), key=lambda item: -item[1])[:8]}"


def test_an_address_without_a_view_says_so(watched: Watched) -> None:
    watched.page.goto("/sungai/a/b")
    expect(watched.page.locator("main")).to_contain_text("Tidak ada halaman di alamat ini.")
    expect(watched.page.locator("nav.rail a[aria-current]")).to_have_count(0)


def test_the_rail_and_the_keys_lead_to_every_page(watched: Watched) -> None:
    page = watched.page
    page.goto("/")
    settle(page)
    places = page.evaluate(PLACES)
    assert {path for path, _, _ in places} == {view.path for view in VIEWS if ":" not in view.path and not view.bare}
    keys = [key for _, key, _ in places if key]
    assert len(keys) == len(set(keys))
    for path, key, name in places:
        page.goto("/perangkat")
        settle(page)
        page.locator("nav.rail").get_by_role("link", name=name).click()
        expect(page.locator("nav.rail a[aria-current]")).to_contain_text(name)
        assert urlsplit(page.url).path == path
        page.keyboard.press("g")
        page.keyboard.press("d")
        expect(page.locator("main > .view.devices")).to_be_visible()
        if key:
            page.keyboard.press("g")
            page.keyboard.press(key)
            expect(page.locator("nav.rail a[aria-current]")).to_contain_text(name)
    page.keyboard.press("?")
    for _, _, name in places:
        expect(page.locator("dialog[open]")).to_contain_text(name)


def test_a_panel_that_fails_says_why_and_when_and_comes_back(watched: Watched) -> None:
    page = watched.page
    page.route("**/api/v1/alerts?*device=*", lambda route: route.fulfill(status=503, json={"detail": "too busy"}))
    page.goto("/perangkat/wl-buntu-pane")
    panel = page.locator("section.its")
    expect(panel).to_contain_text("tidak bisa dimuat")
    expect(panel).to_contain_text(re.compile(r"Server menjawab 503, akan dicoba lagi pukul \d\d\.\d\d\.\d\d"))
    expect(panel).to_contain_text("too busy")
    # The rest of the page lives on.
    expect(page.locator("section.values")).to_contain_text(re.compile(r"\d,\d\d"))
    page.unroute_all()
    panel.get_by_role("button", name="Coba sekarang").click()
    expect(panel).not_to_contain_text("tidak bisa dimuat")
    assert watched.errors
    assert all("503" in error for error in watched.errors)
    watched.errors.clear()


def test_what_a_role_lacks_is_switched_off_with_its_reason(watched: Watched, stack: Stack) -> None:
    until(lambda: open_again(stack), "an alert that nobody looks after", 240)
    page = watched.page

    def as_viewer(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "role": "viewer"})

    page.route("**/api/v1/me", as_viewer)
    page.goto("/")
    button = page.locator(".action li").first.get_by_role("button", name="Akui")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_attribute("title", "Perlu hak operator")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_text(re.compile("Akui"))
    assert "POST" not in asked
