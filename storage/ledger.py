"""The ledger: per device and hour, received = stored + duplicate + conflict + quarantined."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import numpy as np
import psycopg

from storage.copy_binary import array, integers, texts, times

Outcome = Literal["stored", "duplicate", "conflict", "quarantined"]
HOUR_US = 3_600 * 1_000_000
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
    """What became of a batch, being counted. lines: (device, hour in µs since 1970) → a number for each of OUTCOMES."""

    def __init__(self) -> None:
        self.lines: dict[tuple[str, int], list[int]] = {}
        self.total: dict[Outcome, int] = dict.fromkeys(OUTCOMES, 0)

    def count(self, device_id: str, at: datetime, outcome: Outcome, number: int = 1) -> None:
        self.count_lines([device_id], [hour_us(at)], outcome, [number])

    def count_lines(
        self, device_ids: Sequence[str], hours_us: Sequence[int], outcome: Outcome, numbers: Sequence[int]
    ) -> None:
        """Columns of lines, each with how many came to this end."""
        place = OUTCOMES.index(outcome)
        for key, number in zip(zip(device_ids, hours_us, strict=True), numbers, strict=True):
            line = self.lines.get(key)
            if line is None:
                line = self.lines[key] = [0] * len(OUTCOMES)
            line[place] += number
            self.total[outcome] += number

    def take_back(self, device_id: str, at: datetime, outcome: Outcome) -> None:
        """What was counted at an earlier commit has become something else; total has only what is new."""
        self.lines.setdefault((device_id, hour_us(at)), [0] * len(OUTCOMES))[OUTCOMES.index(outcome)] -= 1


async def write_ledger(conn: psycopg.AsyncConnection[Any], ledger: Ledger) -> None:
    """Add the counts. Sorted, so that two ingest processes that share a line cannot deadlock."""
    if not ledger.lines:
        return
    keys = sorted(ledger.lines)
    device_ids, hours_us = zip(*keys, strict=True)
    counts = np.array([ledger.lines[key] for key in keys], dtype=np.int64)
    columns = [array(texts(device_ids), "text"), array(times(np.array(hours_us, dtype=np.int64)), "timestamptz")]
    columns += [array(integers(counts[:, place], 8), "int8") for place in range(len(OUTCOMES))]
    await conn.execute(ADD, columns)


def hour_us(at: datetime) -> int:
    """The beginning of its hour, in microseconds since 1970."""
    return int(at.timestamp() // 3600) * HOUR_US
