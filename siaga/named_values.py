"""NAME=VALUE, as options and arguments are typed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


def named_values(texts: Sequence[str]) -> dict[str, Any]:
    """By name; a value is JSON where it can be, else text. Raises ValueError, which quotes what is no such thing."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ValueError(f"{text!r} is not NAME=VALUE")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
