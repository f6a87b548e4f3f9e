"""The life of a device: planned, in service, retired, each from a date on. What stands now is in device.status.

A date to come is taken over by the worker. Ingest sees the change as it sees any of the registry.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import dict_row

from devices.device import Status
from storage.as_json import time_sql
from storage.fleet import LOCK

SET = """
INSERT INTO device_life AS l (device_id, from_at, status, who, reason, made_at)
VALUES (%(device)s, %(from_at)s, %(status)s, %(who)s, %(reason)s, %(at)s)
ON CONFLICT (device_id, from_at) DO UPDATE SET
    status = excluded.status, who = excluded.who, reason = excluded.reason, made_at = excluded.made_at
"""
# What the last date before now says of each device that is otherwise. Without dates a device is in service.
DUE = """
SELECT d.id FROM device AS d JOIN LATERAL (
    SELECT l.status FROM device_life AS l WHERE l.device_id = d.id AND l.from_at <= %(at)s
    ORDER BY l.from_at DESC LIMIT 1
) AS l ON l.status <> d.status
WHERE d.id IN (SELECT device_id FROM device_life)
"""
APPLY = """
UPDATE device AS d SET status = l.status, changed_at = clock_timestamp()
FROM (
    SELECT DISTINCT ON (device_id) device_id, status FROM device_life WHERE from_at <= %(at)s
    ORDER BY device_id, from_at DESC
) AS l
WHERE l.device_id = d.id AND l.status <> d.status
"""
LIST = f"""
SELECT l.status, {time_sql("l.from_at")} AS "from", l.who, l.reason, {time_sql("l.made_at")} AS made_at
FROM device_life AS l WHERE l.device_id = %s ORDER BY l.from_at DESC
"""
HISTORY = f"""
SELECT {time_sql("h.valid_from")} AS "from", {time_sql("lead(h.valid_from) OVER (ORDER BY h.valid_from)")} AS "to",
    h.region, h.district, h.attributes
FROM device_history AS h WHERE h.device_id = %s ORDER BY h.valid_from DESC
"""


class Step(NamedTuple):
    """From when on a device is what, who says so and why."""

    device: str
    status: Status
    from_at: datetime
    who: str
    reason: str


async def set_step(conn: psycopg.AsyncConnection[Any], step: Step, at: datetime) -> None:
    """Write a step down, and take it over if its time has come. In the caller's transaction."""
    await conn.execute(SET, step._asdict() | {"at": at})
    if step.from_at <= at:
        await apply(conn, at)


async def is_due(conn: psycopg.AsyncConnection[Any], at: datetime) -> bool:
    """Whether anything is to be taken over: asked without the registry's lock."""
    return await (await conn.execute(f"{DUE} LIMIT 1".encode(), {"at": at})).fetchone() is not None


async def apply(conn: psycopg.AsyncConnection[Any], at: datetime) -> int:
    """Let devices be what their dates say; how many changed. In a transaction, which holds the registry's lock."""
    await conn.execute(LOCK)
    return (await conn.execute(APPLY, {"at": at})).rowcount


async def steps(conn: psycopg.AsyncConnection[Any], device: str) -> list[dict[str, Any]]:
    """Every date of a device, newest first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(LIST.encode(), (device,))).fetchall()


async def history(conn: psycopg.AsyncConnection[Any], device: str) -> list[dict[str, Any]]:
    """What a device belonged to from when to when, newest first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(HISTORY.encode(), (device,))).fetchall()
