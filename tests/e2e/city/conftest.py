"""A city of simulated devices that these files share, and a page of somebody who is signed in to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser import Watched, signed_in
from tests.stack import Stack

DEVICES = 60


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """It lives on while tests come and go, in any order: what a test needs of it, it asks for or makes."""
    stack = Stack(tmp_path_factory.mktemp("city") / "data", "--devices", str(DEVICES))
    try:
        stack.start()
        yield stack
        assert stack.stop() == 0
    finally:
        stack.close()


@pytest.fixture
def watched(stack: Stack, browser: Browser) -> Iterator[Watched]:
    with signed_in(browser, stack) as watched:
        yield watched
