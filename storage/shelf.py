"""Shelves: alerts that somebody wants out of sight for a time, and rules that are shelved on a device for a time.

A shelf ends by itself (the worker), by hand, or when the alert becomes worse than it was when it was shelved.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from alerts.life import SERVER
from storage import event_log
from storage.as_json import time_sql
from storage.event_log import Deed

SHELVE = """
UPDATE alert SET shelved_until = %(until)s, shelved_by = %(who)s, shelved_why = %(why)s, shelved_severity = severity,
    version = version + 1
WHERE id = ANY (%(ids)s)
"""
UNSHELVE = """
UPDATE alert SET shelved_until = NULL, shelved_by = NULL, shelved_why = NULL, shelved_severity = NULL,
    version = version + 1
WHERE id = ANY (%(ids)s)
"""
# The rule on the device of each alert, and the end of that.
KEEP = """
INSERT INTO shelf (rule, device_id, until, severity, who, why)
SELECT rule, device_id, %(until)s::timestamptz, severity, %(who)s::text, %(why)s::text
FROM alert WHERE id = ANY (%(ids)s)
ON CONFLICT (rule, device_id) DO UPDATE SET
    until = excluded.until, severity = excluded.severity, who = excluded.who, why = excluded.why
"""
FORGET = """
DELETE FROM shelf AS s USING alert AS a
WHERE a.id = ANY (%(ids)s) AND s.rule = a.rule AND s.device_id = a.device_id
"""
# A new alert goes on the shelf that its rule is on.
TAKE = """
UPDATE alert AS a SET shelved_until = s.until, shelved_by = s.who, shelved_why = s.why, shelved_severity = s.severity
FROM shelf AS s WHERE a.id = %(id)s AND s.rule = a.rule AND s.device_id = a.device_id
RETURNING s.who, s.why, s.until
"""
OVER = "SELECT id FROM alert WHERE shelved_until <= %s"
DROP_OVER = "DELETE FROM shelf WHERE until <= %s"
TAKE_OFF = "DELETE FROM shelf WHERE rule = %(rule)s AND device_id = %(device_id)s RETURNING rule"
ON_IT = """
SELECT id FROM alert WHERE rule = %(rule)s AND device_id = %(device_id)s AND open AND shelved_until IS NOT NULL
"""
LIST = f"""
SELECT s.rule, s.device_id, coalesce(d.name, s.device_id) AS device_name, {time_sql("s.until")} AS until, s.severity,
    s.who, s.why
FROM shelf s LEFT JOIN device d ON d.id = s.device_id
WHERE (s.rule, s.device_id) > (%(rule)s::text, %(device)s::text COLLATE "C")
ORDER BY s.rule, s.device_id LIMIT %(limit)s
"""
TIME_IS_OVER = "its time is over"


async def end_shelves(conn: psycopg.AsyncConnection[Any], at: datetime) -> list[int]:
    """Bring back what is to be shelved no longer; the events. In the caller's transaction, which holds the log."""
    over = [number for (number,) in await (await conn.execute(OVER, (at,))).fetchall()]
    await conn.execute(DROP_OVER, (at,))
    if not over:
        return []
    await conn.execute(UNSHELVE, {"ids": over})
    return await event_log.tell(conn, over, Deed("unshelved", SERVER, at, TIME_IS_OVER))


async def take_off(
    conn: psycopg.AsyncConnection[Any], rule: str, device_id: str, who: str, why: str | None, at: datetime
) -> bool:
    """Shelve a rule on a device no longer, and bring back its alert. False where it is not shelved."""
    values = {"rule": rule, "device_id": device_id}
    async with conn.transaction():
        await conn.execute(event_log.LOCK)
        if await (await conn.execute(TAKE_OFF, values)).fetchone() is None:
            return False
        alerts = [number for (number,) in await (await conn.execute(ON_IT, values)).fetchall()]
        await conn.execute(UNSHELVE, {"ids": alerts})
        await event_log.tell(conn, alerts, Deed("unshelved", who, at, why))
    return True


async def any_over(conn: psycopg.AsyncConnection[Any], at: datetime) -> bool:
    """Whether there is anything to end: asked without the log's lock."""
    row = await (await conn.execute(f"SELECT EXISTS ({OVER}) OR EXISTS (SELECT FROM shelf WHERE until <= %s)",
                                    (at, at))).fetchone()  # fmt: skip
    return bool(row and row[0])


async def shelves(conn: psycopg.AsyncConnection[Any], after: tuple[str, str], limit: int) -> list[dict[str, Any]]:
    """Rules that are shelved on devices, in order of rule and device, after this one."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(LIST.encode(), {"rule": after[0], "device": after[1], "limit": limit})
        return await cursor.fetchall()
