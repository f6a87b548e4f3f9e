"""The dashboard in headless Chromium: when each view stands, its bytes, and frames while the map is moved.

On a stack with a simulated city of so many devices, software rendering, beside a blank page that is moved over in the
same way: what its frames take is the machine's. No frame of the map may take longer than 100 ms.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, BrowserContext, CDPSession, Page

from bench.ingest.table import Judged
from bench.measure import keep_json
from siaga.client import Client
from tests.browser import DESK, View, chromium, settle, views
from tests.stack import Stack, until

UNLIMITED = {"SIAGA_RATE_KEY_PER_MIN": "0", "SIAGA_RATE_ADDRESS_PER_MIN": "0", "SIAGA_LOG_LEVEL": "WARNING"}
FRAME_BAR_MS = 100.0
# Useful is the first thing that one opens a view for, whole is when nothing of it still waits for its data.
FIRST = {"situasi": ".gauges tbody tr", "peringatan": "[role=row]"}
LOOK = """
() => {
  const useful = () => {
    if (document.querySelector("main FIRST")) window.usefulAt = performance.now();
    else requestAnimationFrame(useful);
  };
  useful();
  const look = () => {
    const there = document.querySelector("main > .view");
    const waiting = [...(there?.querySelectorAll("[aria-busy=true], .skeleton, .waiting") ?? [])];
    if (there && !waiting.some((each) => each.checkVisibility())) window.wholeAt = performance.now();
    else requestAnimationFrame(look);
  };
  look();
}
"""
FRAMES = """
() => {
  window.frames = [];
  let last = performance.now();
  const next = (now) => { window.frames.push(now - last); last = now; requestAnimationFrame(next); };
  requestAnimationFrame(next);
}
"""
STEPS, TURNS = 60, 6
STILL_MS = 3_000


class Opened(NamedTuple):
    """First visit to a view. useful_ms: until what one opens it for is there; whole_ms: until nothing of it waits;
    sent_kb: all that came, as it travels."""

    useful_ms: float
    whole_ms: float
    sent_kb: float
    files: int


class Frames(NamedTuple):
    """Time between frames, ms."""

    number: int
    p50: float
    p95: float
    most: float


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3, help="visits to each view; the median counts")


def run(asked: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="siaga-bench-") as name, chromium() as browser:
        stack = Stack(Path(name) / "stack", "--devices", str(asked.devices), settings=UNLIMITED)
        try:
            stack.start()
            with stack.client() as client:
                until(lambda: _reported(client, asked.devices), "half of the devices have reported", 1_200)
            opened = {view.name: _visited(view, stack, browser, asked.rounds) for view in views()}
            moved, blank = _map(stack, browser), _blank(browser)
            stack.stop()
        finally:
            stack.close()
    judged = Judged(f"{FRAME_BAR_MS:g} ms / longest frame of the map", FRAME_BAR_MS / moved.most, 1.0)
    for title, frames in (("map", moved), ("blank page", blank)):
        told_ms = f"p50 {frames.p50:.1f}, p95 {frames.p95:.1f}, most {frames.most:.1f} ms"
        print(f"{title:<12} {frames.number:>5} frames, {told_ms}")
    print(judged)
    told = {name: each._asdict() for name, each in opened.items()}
    kept = {"devices": asked.devices, "views": told, "map": moved._asdict(), "blank": blank._asdict()}
    print(f"written to {keep_json('page', kept)}")
    return 0


def _reported(client: Client, devices: int) -> bool:
    return sum(1 for _ in client.latest()) * 2 >= devices


@contextmanager
def _signed_in(stack: Stack, browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport=DESK) as context:
        context.request.post(f"{stack.content['api_url']}/api/v1/session", data={"key": stack.content["admin_key"]})
        yield context


def _visited(view: View, stack: Stack, browser: Browser, rounds: int) -> Opened:
    """A browser without a cache each time."""
    found = []
    for _ in range(rounds):
        with _signed_in(stack, browser) as context:
            page = context.new_page()
            sent = _count_bytes(context.new_cdp_session(page))
            look = LOOK.replace("FIRST", FIRST.get(view.name, "> .view"))
            page.add_init_script(f"addEventListener('DOMContentLoaded', {look})")
            page.goto(stack.content["api_url"] + view.address)
            # Asked from outside: the page's policy lets nobody evaluate text within.
            whole = until(lambda page=page: page.evaluate("window.wholeAt"), "the view stands")
            found.append(Opened(page.evaluate("window.usefulAt ?? 0"), whole, sum(sent) / 1000, len(sent)))
    middle = sorted(found)[len(found) // 2]
    size = f"{middle.sent_kb:>6.0f} kB in {middle.files} answers"
    when = f"useful after {middle.useful_ms:>6.0f} ms, whole after {middle.whole_ms:>6.0f} ms"
    print(f"{view.name:<16} {when}, {size}", flush=True)
    return middle


def _count_bytes(session: CDPSession) -> list[float]:
    sent: list[float] = []
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda told: sent.append(float(told["encodedDataLength"])))
    return sent


def _map(stack: Stack, browser: Browser) -> Frames:
    """Dragged to and fro, and zoomed in and out with the wheel, while readings come."""
    with _signed_in(stack, browser) as context:
        page = context.new_page()
        page.goto(stack.content["api_url"])
        settle(page)
        page.wait_for_timeout(STILL_MS)
        box = page.locator("main .leaflet-container").bounding_box()
        assert box is not None
        return _moved(page, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def _blank(browser: Browser) -> Frames:
    with browser.new_context(viewport=DESK) as context:
        page = context.new_page()
        page.goto("about:blank")
        return _moved(page, DESK["width"] / 2, DESK["height"] / 2)


def _moved(page: Page, x: float, y: float) -> Frames:
    page.evaluate(FRAMES)
    for turn in range(TURNS):
        page.mouse.move(x, y)
        page.mouse.down()
        aside = 150 if turn % 2 else -150
        page.mouse.move(x + aside, y + aside / 2, steps=STEPS)
        page.mouse.up()
        page.mouse.wheel(0, -240 if turn < TURNS / 2 else 240)
        page.wait_for_timeout(600)
    return _judge(page.evaluate("window.frames"))


def _judge(frames: Sequence[float]) -> Frames:
    order = sorted(frames)
    return Frames(len(order), order[len(order) // 2], order[int(len(order) * 0.95)], order[-1])
