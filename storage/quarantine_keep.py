"""How long quarantine keeps payloads. The digest stays: what comes again is still recognised."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg

# SKIP LOCKED: ingest counts what comes again, and two workers may be at it.
DROP = """
UPDATE quarantine SET payload = NULL WHERE id IN (
    SELECT id FROM quarantine WHERE state IN ('replayed', 'discarded') AND payload IS NOT NULL AND last_seen < %s
    ORDER BY last_seen LIMIT %s FOR UPDATE SKIP LOCKED)
"""


async def drop_payloads(conn: psycopg.AsyncConnection[Any], before: datetime, limit: int) -> int:
    """Drop so many payloads at most, of entries that have ended and were last seen before a time; how many it were."""
    return (await conn.execute(DROP, (before, limit))).rowcount
