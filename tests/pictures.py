"""Pictures of every view, in a night in which much is going on, for a person to look at one by one.

python -m tests.pictures                                everything, into docs/img/views (git-ignored)
python -m tests.pictures --view situasi --out /tmp/p    one view, elsewhere; may be repeated
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page

from tests.browser import DESK, PHONE, WAIT_MS, View, Watched, change_language, chromium, settle, views
from tests.stack import ROOT, Stack, until

OUT = ROOT / "docs" / "img" / "views"
SCENARIO = ROOT / "tests" / "pictures.toml"
# Played in a quarter of a minute, and live from then on.
BEFORE, SPEED = timedelta(hours=26), "7200"
PLAYED_S = 300.0
# A person would read a while before looking away: new marks have stopped pulsing, the map has found its place.
STILL_MS = 6_000
SIZES = {"desk": DESK, "phone": PHONE}
SCHEMES = {"terang": "light", "gelap": "dark"}
LANGUAGES = ("id", "en")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description="Pictures of every view.")
    known = {view.name: view for view in views()}
    parser.add_argument("--view", action="append", choices=sorted(known), help="only this one; may be repeated")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for them [%(default)s]")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="siaga-pictures-") as folder,
        bad_night(Path(folder)) as stack,
        chromium() as browser,
    ):
        for view in [known[name] for name in given.view or known]:
            for path in pictures_of(view, stack, browser, given.out):
                print(f"{path}  {path.stat().st_size / 1000:.0f} kB", flush=True)
    return 0


@contextlib.contextmanager
def bad_night(folder: Path) -> Iterator[Stack]:
    """A stack on which the scenario has been played up to now and goes on."""
    stack = Stack(folder / "data", "--no-simulator")
    try:
        stack.start()
        with playing(stack, folder):
            until(lambda: is_bad(stack), "the river rises and the panel is dark", PLAYED_S, poll_s=1)
            yield stack
    finally:
        stack.close()


@contextlib.contextmanager
def playing(stack: Stack, folder: Path, scenario: Path = SCENARIO) -> Iterator[None]:
    """A scenario on a stack: its devices, and their readings from 26 h ago, fast up to now and live from then on."""
    begin = (datetime.now(UTC) - BEFORE).isoformat(timespec="seconds")
    play = ("simulate", "--scenario", str(scenario), "--start", begin, "--speed", SPEED)
    register_plainly(stack, play, folder / "fleet.csv")
    # Without the API it leaves the names as they are now.
    env = {**os.environ, **stack.env, "PYTHONPATH": str(stack.root), "SIAGA_API_URL": ""}
    with (folder / "simulator.log").open("ab") as log:
        command = [sys.executable, "-P", "-m", "siaga", *play]
        simulator = subprocess.Popen(command, cwd=stack.root, env=env, stdout=log, stderr=log)
    try:
        yield
    finally:
        simulator.terminate()
        simulator.wait()


def register_plainly(stack: Stack, play: tuple[str, ...], fleet: Path) -> None:
    """The scenario's devices, but without its name in theirs: a town does not have it. And without the last lamp, of
    which nobody has told Siaga yet: what it sends is in quarantine."""
    stack.run(*play, "--fleet-only", "--fleet-out", str(fleet))
    (run,) = set(re.findall(r" \[([^\]]+)\]", fleet.read_text(encoding="utf-8")))
    plain = fleet.read_text(encoding="utf-8").replace(f" [{run}]", "").replace(f"{run}-P-", "P-")
    lines = plain.splitlines(keepends=True)
    lines.remove([line for line in lines if ",streetlight," in line][-1])
    fleet.write_text("".join(lines), encoding="utf-8")
    stack.run("devices", "import", str(fleet))


def is_bad(stack: Stack) -> bool:
    """Whether the alerts that the pictures are about are open."""
    with stack.client() as client:
        items = client.get("/alerts", limit=500)["items"]
    rules = {item["rule"] for item in items}
    return {"siaga", "outage"} <= rules


def pictures_of(view: View, stack: Stack, browser: Browser, out: Path) -> Iterator[Path]:
    content = stack.content
    for size, viewport in SIZES.items():
        with browser.new_context(viewport=viewport, base_url=content["api_url"]) as context:
            context.set_default_timeout(WAIT_MS)
            watched = Watched(context, urlsplit(content["api_url"]).netloc)
            page = watched.page
            page.request.post("/api/v1/session", data={"key": content["admin_key"]})
            page.goto(address_of(view, stack))
            settle(page)
            page.wait_for_timeout(STILL_MS)
            for language in LANGUAGES:
                change_language(page, language)
                for name, scheme in SCHEMES.items():
                    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                    yield picture(page, out / f"{view.name}-{size}-{name}-{language}.png")
            if watched.errors or watched.elsewhere:
                raise AssertionError((view.name, watched.errors, watched.elsewhere))


def address_of(view: View, stack: Stack) -> str:
    """Devices of a scenario bear its name; the gauge whose river rises is the one to look at."""
    if view.path != "/perangkat/:id":
        return view.address
    with stack.client() as client:
        items = client.get("/latest", kind="water_level")["items"]
    return "/perangkat/" + min(items, key=lambda item: item["siaga"] or 4)["device_id"]


def picture(page: Page, path: Path) -> Path:
    settle(page)
    page.wait_for_timeout(500)  # canvases draw in the frame after the change
    page.screenshot(path=path, animations="disabled")
    return path


if __name__ == "__main__":
    sys.exit(main())
