"""Up to when the past of a kind is closed: what was there may have been dropped, so nothing is concluded from it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg

# It never opens again: parts that late data makes in the closed past are dropped like those before.
CLOSE = """
INSERT INTO closed AS c (kind, level, until) VALUES (%s, %s, %s)
ON CONFLICT (kind, level) DO UPDATE SET until = greatest(c.until, excluded.until)
"""


async def close(conn: psycopg.AsyncConnection[Any], kind: str, level: str, until: datetime) -> None:
    """Close a level of a kind before a time, inside the transaction that drops what was there."""
    await conn.execute(CLOSE, (kind, level, until))
