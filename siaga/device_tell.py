"""`siaga device command`: tell a device something over the API, and wait for what becomes of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

from siaga.client import Client, Command

POLL_S = 0.3


class TellError(Exception):
    """What was typed is no command; the message says why."""


def args_of(texts: Sequence[str]) -> dict[str, Any]:
    """name=value as args: a number where it is one, else text. Raises TellError."""
    found: dict[str, Any] = {}
    for text in texts:
        name, is_one, value = text.partition("=")
        if not is_one or not name:
            raise TellError(f"{text!r} is not name=value, as level_pct=50")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def tell(
    api: Client, device_id: str, name: str, args: dict[str, Any], timeout_s: int | None, reason: str | None
) -> Iterator[Command]:
    """The command each time it has moved, until it has ended. Raises SiagaError."""
    told = api.tell(device_id, name, args, timeout_s=timeout_s, reason=reason)
    yield told
    while not told.has_ended:
        time.sleep(POLL_S)
        now = next(api.commands(batch=told.batch), told)
        if now.state != told.state:
            told = now
            yield told
