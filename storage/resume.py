"""Where ingest stood at the last commit: what it needs to go on as if it had never stopped."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from devices.quality import Reason

HEARD = f"""
SELECT device_id, ts, CASE WHEN qc_reason & {int(Reason.LATE)} = 0 THEN received_at END, kind, checks FROM latest
"""


NEWEST = "SELECT ts FROM latest WHERE device_id = %s"


class Heard(NamedTuple):
    """A device's newest reading: its own time, when it arrived if it was live, and what the checks remember."""

    device_id: str
    ts: datetime
    live_at: datetime | None
    kind: str
    checks: bytes | None


async def heard(conn: psycopg.AsyncConnection[Any]) -> list[Heard]:
    """Every device that has been heard."""
    # Binary: bytea as hexadecimal text would cost twice the time of everything else.
    async with conn.cursor(binary=True) as cursor:
        return [Heard(*row) for row in await (await cursor.execute(HEARD)).fetchall()]


async def newest_ts(conn: psycopg.AsyncConnection[Any], device_id: str) -> datetime | None:
    """Time of a device's newest reading; None before the first."""
    row = await (await conn.execute(NEWEST, (device_id,))).fetchone()
    return None if row is None else row[0]
