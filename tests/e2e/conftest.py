"""What the browser's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Not for longer than a file: as long as it is open no test of the same process may run an event loop.
    with chromium() as opened:
        yield opened
