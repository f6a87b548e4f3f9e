"""Where ingest stood at the last commit: what it needs to go on as if it had never stopped."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from devices.quality import Reason

# One ingest process a session: the second waits for this lock and takes over. Freed by the server with the connection.
TRY_LOCK = "SELECT pg_try_advisory_lock(x'73696167'::int, hashtext(%s))"
HEARD = f"""
SELECT device_id, ts, CASE WHEN qc_reason & {int(Reason.LATE)} = 0 THEN received_at END FROM latest
"""


class Heard(NamedTuple):
    """A device's newest reading: its own time, and when it arrived if it was live."""

    device_id: str
    ts: datetime
    live_at: datetime | None


async def try_lock(conn: psycopg.AsyncConnection[Any], session: str) -> bool:
    """Be the one ingest process of this MQTT session, for as long as the connection lives."""
    row = await (await conn.execute(TRY_LOCK, (session,))).fetchone()
    return bool(row and row[0])


async def heard(conn: psycopg.AsyncConnection[Any]) -> list[Heard]:
    """Every device that has been heard."""
    return [Heard(*row) async for row in await conn.execute(HEARD)]
