"""What takes longer than a change should wait for; SIAGA_TEST_WHOLE=1 runs it too."""

from __future__ import annotations

import os

import pytest

WHOLE = os.environ.get("SIAGA_TEST_WHOLE") == "1"
only_whole = pytest.mark.skipif(not WHOLE, reason="a minute or more; SIAGA_TEST_WHOLE=1 runs it")
