"""Which lines of the ledger changed, for the worker that counts them (storage/ledger_count.py).

An hour is open until an hour after its end, and counted once when it is closed; so a line of an open hour is marked
once. What comes later marks its line anew, and just that is counted again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import psycopg

from storage.copy_binary import array, texts, times
from storage.ledger import Ledger

OPEN = timedelta(hours=2)  # from the beginning of the hour
MARK = "INSERT INTO ledger_mark (hour, device_id) SELECT * FROM unnest(%s::timestamptz[], %s::text[])"

Lines = dict[int, set[str]]  # hour in µs since 1970 → devices


async def mark(conn: psycopg.AsyncConnection[Any], lines: Sequence[tuple[int, str | None]]) -> None:
    """Mark these lines (hour in µs since 1970, device), or without a device whole hours."""
    hours_us = np.array([hour for hour, _ in lines], dtype=np.int64)
    columns = (array(times(hours_us), "timestamptz"), array(texts([device_id for _, device_id in lines]), "text"))
    await conn.execute(MARK, columns)


class Marks:
    """The writer's memory of the lines of open hours that it has marked; one who starts anew marks them twice."""

    def __init__(self) -> None:
        self._marked: defaultdict[int, set[str]] = defaultdict(set)

    async def write(self, conn: psycopg.AsyncConnection[Any], ledger: Ledger, now: datetime) -> Lines:
        """Mark what changed and is not marked yet, inside the writer's transaction; what that was."""
        closed_us = round((now - OPEN).timestamp() * 1e6)
        for hour in [hour for hour in self._marked if hour <= closed_us]:
            del self._marked[hour]
        new: Lines = {}
        for device_id, hour in ledger.lines:
            if device_id not in self._marked.get(hour, ()):
                new.setdefault(hour, set()).add(device_id)
        if new:
            await mark(conn, [(hour, device_id) for hour, devices in new.items() for device_id in devices])
        return new

    def remember(self, new: Lines) -> None:
        """After the commit."""
        for hour, devices in new.items():
            self._marked[hour] |= devices
