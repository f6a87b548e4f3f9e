"""`siaga device command`: tell a device something over the API, and wait for what becomes of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from siaga.client import Client, Command

POLL_S = 0.3


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
