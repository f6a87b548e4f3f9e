"""The dashboard's files: served with a policy that lets nothing else in, and referring to nothing that is not there."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from api import vendor
from api.routes import pages

DASHBOARD = pages.DASHBOARD
VENDORED = {Path(name).name for name in vendor.FILES}
# Names of vocabularies, which nobody fetches.
NAMESPACE = re.compile(r"https?://(www\.)?w3\.org/")
COMMENT = re.compile(r"/\*.*?\*/|<!--.*?-->|(?m:^\s*//[^\n]*$)", re.DOTALL)
IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([./][^"'\n]*)["']""")
TEXTS = (".js", ".css", ".html", ".svg")


class References(HTMLParser):
    """What a page loads, and what the policy would forbid."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.forbidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found += [given[name] or "" for name in ("src", "href") if name in given]
        self.forbidden += [f"<{tag} {name}>" for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.forbidden.append(f"<{tag}>")


def own_files() -> list[Path]:
    """Every text of ours; which there are is decided elsewhere."""
    found = [path for path in DASHBOARD.rglob("*") if path.suffix in TEXTS and "vendor" not in path.parts]
    assert found
    return sorted(found)


def index() -> References:
    parser = References()
    parser.feed((DASHBOARD / "index.html").read_text(encoding="utf-8"))
    return parser


def is_served(address: str) -> bool:
    """Whether there is a file for it: of ours, or one that is fetched."""
    place, _, name = address.removeprefix("/").partition("/")
    if place == "assets":
        return (DASHBOARD / name).is_file()
    return place == "vendor" and name in VENDORED


@pytest.mark.parametrize("path", ["/", *(f"/{page}" for page in pages.PAGES), "/perangkat/lamp-1", "/sungai/a/b"])
async def test_every_address_of_the_dashboard_is_the_page(viewer: httpx.AsyncClient, path: str) -> None:
    answer = await viewer.get(path, headers={"Authorization": ""})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.content == (DASHBOARD / "index.html").read_bytes()
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("path", "script"), [("/", "situation"), ("/sungai", "rivers"), ("/perangkat/lamp-1", "device")]
)
async def test_a_page_names_the_scripts_that_it_needs_from_its_start(
    viewer: httpx.AsyncClient, path: str, script: str
) -> None:
    told = (await viewer.get(path)).headers["link"].split(", ")
    files = [each.removeprefix("</assets/").removesuffix(">; rel=modulepreload") for each in told]
    assert len(files) == len(set(files))
    assert {"main.js", "dom.js", "words/frame.js", f"views/{script}.js"} <= set(files)
    assert all((DASHBOARD / file).is_file() for file in files)
    assert not {"views/admin.js", "views/sign_in.js", "alert_act.js", "settings.js"} & set(files)  # for later


@pytest.mark.parametrize("path", ["/peringatanku", "/index.html", "/admin.php", "/assets/", "/assets/css", "/vendor/"])
async def test_other_addresses_are_an_honest_404(viewer: httpx.AsyncClient, path: str) -> None:
    answer = await viewer.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_every_file_is_served_and_asked_for_only_once(viewer: httpx.AsyncClient) -> None:
    types = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
    for file in own_files():
        address = f"/assets/{file.relative_to(DASHBOARD).as_posix()}"
        answer = await viewer.get(address)
        assert answer.status_code == 200, address
        assert answer.headers["content-type"].partition(";")[0] == types[file.suffix], address
        assert answer.headers["cache-control"] == "no-cache"
        again = await viewer.get(address, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b""), address
        changed = await viewer.get(address, headers={"If-None-Match": '"another"'})
        assert changed.status_code == 200


async def test_scripts_travel_compressed_by_what_the_browser_takes(viewer: httpx.AsyncClient) -> None:
    plain = (DASHBOARD / "main.js").read_bytes()
    sizes = {}
    for offered, coding in (("br, gzip", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip"), ("identity", None)):
        answer = await viewer.get("/assets/main.js", headers={"Accept-Encoding": offered})
        assert answer.content == plain, offered
        assert answer.headers.get("content-encoding") == coding, offered
        assert answer.headers["content-type"].startswith("text/javascript")
        sizes[coding] = answer.num_bytes_downloaded
        again = await viewer.get(
            "/assets/main.js", headers={"Accept-Encoding": offered, "If-None-Match": answer.headers["etag"]}
        )
        assert again.status_code == 304
        if coding:
            assert "accept-encoding" in answer.headers["vary"].lower()
    assert sizes["br"] < sizes["gzip"] < len(plain)


async def test_head_has_no_body(viewer: httpx.AsyncClient) -> None:
    for path in ("/", "/assets/index.html"):
        answer = await viewer.head(path)
        assert (answer.status_code, answer.content) == (200, b"")


async def test_a_library_that_was_not_fetched_is_404(viewer: httpx.AsyncClient) -> None:
    for name in VENDORED:
        answer = await viewer.get(f"/vendor/{name}")
        assert answer.status_code == (200 if (DASHBOARD / "vendor" / name).is_file() else 404)


def test_the_page_refers_to_what_there_is() -> None:
    page = index()
    assert page.found
    missing = [address for address in page.found if not is_served(address)]
    assert not missing
    assert page.forbidden == []


def test_modules_import_what_there_is() -> None:
    for file in own_files():
        if file.suffix != ".js":
            continue
        for name in IMPORT.findall(COMMENT.sub("", file.read_text(encoding="utf-8"))):
            if name.startswith("."):
                assert (file.parent / name).is_file(), f"{file.name} imports {name}"
            else:
                assert is_served(name), f"{file.name} imports {name}"


def test_nothing_comes_from_outside() -> None:
    for file in own_files():
        text = NAMESPACE.sub("", COMMENT.sub("", file.read_text(encoding="utf-8")))
        assert not re.findall(r"""(?:https?:|["'(=]\s*)//[\w.-]+""", text), file.name


def test_styles_and_scripts_stay_within_the_policy() -> None:
    for file in own_files():
        text = COMMENT.sub("", file.read_text(encoding="utf-8"))
        if file.suffix == ".js":
            assert not re.search(r"\beval\(|new Function\(", text), file.name
            assert not re.search(r"""\bstyle=["']|\bon(click|load|error|input|change)=["']""", text), file.name
            assert not re.search(r"""setAttribute\(["'](style|on\w+)["']""", text), file.name
        elif file.suffix == ".css":
            assert "@import" not in text, file.name
            for name in re.findall(r"""url\(\s*["']?([^"')]+)""", text):
                assert name.startswith("data:") or (file.parent / name).is_file() or is_served(name), name
