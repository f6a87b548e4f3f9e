"""Sums and lines of the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import psycopg

STORED_SINCE = """
SELECT coalesce(sum(stored), 0)::bigint, coalesce(sum(stored) FILTER (WHERE hour >= %(later)s), 0)::bigint
FROM ledger WHERE hour >= %(since)s
"""
LINES = """
SELECT hour, received, stored, duplicate, conflict, quarantined FROM ledger
WHERE device_id = %s AND hour >= %s AND hour < %s ORDER BY hour
"""


class Line(NamedTuple):
    """What became of what a device sent in one hour."""

    hour: datetime
    received: int
    stored: int
    duplicate: int
    conflict: int
    quarantined: int


async def lines(conn: psycopg.AsyncConnection[Any], device: str, since: datetime, until: datetime) -> list[Line]:
    """The hours of since <= hour < until in which something was received."""
    cursor = await conn.execute(LINES, (device, since, until))
    return [Line(*row) for row in await cursor.fetchall()]


async def stored_since(conn: psycopg.AsyncConnection[Any], since: datetime, later: datetime) -> tuple[int, int]:
    """Readings stored for the hours from `since` on, and from a later hour on, at the same moment."""
    row = await (await conn.execute(STORED_SINCE, {"since": since, "later": later})).fetchone()
    assert row is not None
    return row[0], row[1]
