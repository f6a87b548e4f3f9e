"""Alerts about the installation, as the worker writes them: the alert and its notice in one transaction."""

from __future__ import annotations

from typing import Any

import psycopg

from alerts.engine import Transition
from alerts.installation import SUBJECT
from storage import event_log
from storage.alert_write import write_transitions
from storage.announce import announce

ACTIVE = "SELECT rule FROM alert WHERE device_id = %s AND open AND active"


async def active(conn: psycopg.AsyncConnection[Any]) -> set[str]:
    """Rules about the installation whose alert stands."""
    return {rule async for (rule,) in await conn.execute(ACTIVE, (SUBJECT,))}


async def write(conn: psycopg.AsyncConnection[Any], moved: Transition, notice_severity: int) -> bool:
    """Raise or clear an alert and have its notice sent. False where another worker was quicker."""
    async with conn.transaction():
        await conn.execute(event_log.LOCK)
        if (moved.key.rule in await active(conn)) == (moved.what == "raised"):
            return False
        written = await write_transitions(conn, [moved], moved.event_at)
        await announce(conn, written, notice_severity)
    return True
