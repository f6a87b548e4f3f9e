"""The living API keeps what its OpenAPI document says; `python -m bench schema` tries it with many more cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract import check
from tests.stack import Stack

pytestmark = pytest.mark.slow
# So many cases are made, operations done at least once (2xx) of nearly a hundred, and links followed: less, and most of
# it was refused and shows nothing. A key that was taken away by the fuzzing itself once made all that followed 401.
# Which links a run follows is chance (3 to 11 of 49); tests/api/test_links.py follows all.
CASES_LEAST, DONE_LEAST, LINKS_LEAST = 1_000, 70, 1

# The fuzzing asks more than 600 times a minute without a key.
SETTINGS = {
    "SIAGA_RATE_ADDRESS_PER_MIN": "0",
    "SIAGA_RATE_KEY_PER_MIN": "0",
    "SIAGA_LOG_LEVEL": "WARNING",
    "SIAGA_DEVICE_KEY": "only-in-tests" * 4,
}


def test_every_answer_is_as_documented(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "stack", "--devices", "40", "--history", "1h", settings=SETTINGS)
    try:
        stack.start()
        outcome = check(
            tmp_path, stack.content["api_url"], stack.content["admin_key"], examples=1, scenarios=60, seed=1
        )
    finally:
        stack.close()
    assert outcome.is_good, outcome.said
    assert outcome.cases >= CASES_LEAST
    assert len(outcome.done) >= DONE_LEAST, sorted(outcome.done)
    assert outcome.links >= LINKS_LEAST
