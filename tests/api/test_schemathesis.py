"""The living API keeps what its OpenAPI document says; `python -m bench schema` tries it with many more cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract import check
from tests.stack import Stack

pytestmark = pytest.mark.slow

# The fuzzing asks more than 600 times a minute without a key.
SETTINGS = {"SIAGA_RATE_ADDRESS_PER_MIN": "0", "SIAGA_RATE_KEY_PER_MIN": "0", "SIAGA_LOG_LEVEL": "WARNING"}


def test_every_answer_is_as_documented(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "stack", "--devices", "40", "--history", "1h", settings=SETTINGS)
    try:
        stack.start()
        outcome = check(tmp_path, stack.content["api_url"], stack.content["admin_key"], examples=1, seed=1)
    finally:
        stack.close()
    assert outcome.is_good, outcome.said
    assert outcome.cases > 1000
