"""Sums over the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg

STORED_SINCE = """
SELECT coalesce(sum(stored), 0)::bigint, coalesce(sum(stored) FILTER (WHERE hour >= %(later)s), 0)::bigint
FROM ledger WHERE hour >= %(since)s
"""


async def stored_since(conn: psycopg.AsyncConnection[Any], since: datetime, later: datetime) -> tuple[int, int]:
    """Readings stored for the hours from `since` on, and from a later hour on, at the same moment."""
    row = await (await conn.execute(STORED_SINCE, {"since": since, "later": later})).fetchone()
    assert row is not None
    return row[0], row[1]
