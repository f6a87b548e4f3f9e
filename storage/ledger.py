"""The ledger: per device and hour, received = stored + duplicate + conflict + quarantined."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any, Literal

import psycopg

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


async def write_ledger(conn: psycopg.AsyncConnection[Any], ledger: Ledger) -> None:
    """Add the counts. Sorted, so that two ingest processes that share a line cannot deadlock."""
    if not ledger.lines:
        return
    keys = sorted(ledger.lines)
    columns: list[list[Any]] = [[key[0] for key in keys], [key[1] for key in keys]]
    columns += [[ledger.lines[key][outcome] for key in keys] for outcome in OUTCOMES]
    await conn.execute(ADD, columns)
