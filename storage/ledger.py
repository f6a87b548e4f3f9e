"""The ledger: per device and hour, received = stored + duplicate + conflict + quarantined."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any, Literal

import numpy as np
import psycopg

from storage.copy_binary import array, integers, texts, times

Outcome = Literal["stored", "duplicate", "conflict", "quarantined"]
OUTCOMES: tuple[Outcome, ...] = ("stored", "duplicate", "conflict", "quarantined")

ADD = """
INSERT INTO ledger AS l (device_id, hour, stored, duplicate, conflict, quarantined, received)
SELECT device_id, hour, s, d, c, q, s + d + c + q
FROM unnest(%s::text[], %s::timestamptz[], %s::int8[], %s::int8[], %s::int8[], %s::int8[])
     AS t(device_id, hour, s, d, c, q)
ON CONFLICT (device_id, hour) DO UPDATE SET
    received = l.received + excluded.received, stored = l.stored + excluded.stored,
    duplicate = l.duplicate + excluded.duplicate, conflict = l.conflict + excluded.conflict,
    quarantined = l.quarantined + excluded.quarantined
"""


class Ledger:
    """What became of a batch, being counted."""

    def __init__(self) -> None:
        self.lines: dict[tuple[str, datetime], dict[Outcome, int]] = defaultdict(lambda: dict.fromkeys(OUTCOMES, 0))
        self.total: dict[Outcome, int] = dict.fromkeys(OUTCOMES, 0)

    def count(self, device_id: str, at: datetime, outcome: Outcome, number: int = 1) -> None:
        self.lines[device_id, at.replace(minute=0, second=0, microsecond=0)][outcome] += number
        self.total[outcome] += number

    def take_back(self, device_id: str, at: datetime, outcome: Outcome) -> None:
        """What was counted at an earlier commit has become something else; total has only what is new."""
        self.lines[device_id, at.replace(minute=0, second=0, microsecond=0)][outcome] -= 1


async def write_ledger(conn: psycopg.AsyncConnection[Any], ledger: Ledger) -> None:
    """Add the counts. Sorted, so that two ingest processes that share a line cannot deadlock."""
    if not ledger.lines:
        return
    keys = sorted(ledger.lines)
    hours_us = np.array([round(hour.timestamp()) * 1_000_000 for _, hour in keys], dtype=np.int64)
    columns = [array(texts([device_id for device_id, _ in keys]), "text"), array(times(hours_us), "timestamptz")]
    for outcome in OUTCOMES:
        counts = np.array([ledger.lines[key][outcome] for key in keys], dtype=np.int64)
        columns.append(array(integers(counts, 8), "int8"))
    await conn.execute(ADD, columns)
