"""`siaga device command`: tell a device something over the API, and wait for what becomes of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

from siaga.client import Client
from siaga.client.values import part

POLL_S = 0.3
ENDED = ("done", "failed", "expired")


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
) -> Iterator[dict[str, Any]]:
    """The command each time it has moved, until it has ended. Raises SiagaError."""
    body = {"name": name, "args": args, "timeout_s": timeout_s, "reason": reason}
    path = f"/devices/{part(device_id)}/commands"
    told = api.ask("POST", path, json=body)
    yield told
    while told["state"] not in ENDED:
        time.sleep(POLL_S)
        now = next((each for each in api.items("/commands", batch=told["batch"])), told)
        if now["state"] != told["state"]:
            told = now
            yield told
