"""Acknowledging an alert: one transaction, one of several operators wins, and the event log says who.

Locks are taken in the writer's order, the event log first and then the alert: the other way round would deadlock
with a batch that worsens the same alert. The transaction is three short statements, so the log is not held long.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import psycopg

from storage import event_log

Outcome = Literal["acked", "already acked", "changed", "unknown"]

LOCK_ALERT = "SELECT acked, version, severity, siaga, value FROM alert WHERE id = %s FOR UPDATE"
ACK = """
UPDATE alert SET acked = true, acked_at = %(at)s, acked_by = %(who)s, comment = %(comment)s, worsened = false,
    version = version + 1
WHERE id = %(id)s
"""


async def acknowledge(
    conn: psycopg.AsyncConnection[Any],
    alert_id: int,
    versions: frozenset[int] | None,
    who: str,
    comment: str | None,
    at: datetime,
) -> Outcome:
    """Acknowledge an alert that is still at one of `versions` (None: at any)."""
    async with conn.transaction():
        await conn.execute(event_log.LOCK)
        row = await (await conn.execute(LOCK_ALERT, (alert_id,))).fetchone()
        if row is None:
            return "unknown"
        acked, version, severity, siaga, value = row
        if acked:
            return "already acked"
        if versions is not None and version not in versions:
            return "changed"
        await conn.execute(ACK, {"id": alert_id, "at": at, "who": who, "comment": comment})
        await conn.execute(
            event_log.INSERT,
            {
                "alert_id": alert_id, "what": "acked", "from_severity": severity, "to_severity": severity,
                "siaga": siaga, "event_at": at, "detected_at": at, "who": who, "why": comment, "value": value,
            },
        )  # fmt: skip
        return "acked"
