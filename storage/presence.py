"""Which devices are connected, as they say by `…/status` and their last will. Whether they measure is another question.

One row a device, whatever comes: a device that flaps changes it, and fills nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from storage.as_json import time_sql

REGIONS = "SELECT id, region FROM device WHERE id = ANY (%s)"
# A retained message comes again with each connection of ours: of the same state only heard_at moves.
TELL = """
INSERT INTO presence AS p (device_id, online, since, heard_at)
SELECT * FROM unnest(%(ids)s::text[], %(online)s::bool[], %(at)s::timestamptz[], %(at)s::timestamptz[])
ON CONFLICT (device_id) DO UPDATE SET
    online = excluded.online, heard_at = excluded.heard_at,
    since = CASE WHEN p.online = excluded.online THEN p.since ELSE excluded.since END,
    changes = p.changes + (p.online <> excluded.online)::int,
    changed_at = CASE WHEN p.online = excluded.online THEN p.changed_at ELSE clock_timestamp() END
RETURNING changed_at >= statement_timestamp()
"""
FORGET = "DELETE FROM presence WHERE device_id = ANY (%s)"
PRESENCE = f"""
json_build_object('online', p.online, 'since', {time_sql("p.since")}, 'heard_at', {time_sql("p.heard_at")},
                  'changes', p.changes)
"""
CHANGED = f"""
SELECT p.changed_at AS moved, d.kind, d.district, p.device_id, {PRESENCE} AS presence
FROM presence AS p JOIN device AS d ON d.id = p.device_id WHERE p.changed_at > %s ORDER BY p.changed_at LIMIT %s
"""


async def regions_of(conn: psycopg.AsyncConnection[Any], ids: list[str]) -> dict[str, str | None]:
    """The regions of those devices that are registered."""
    return dict(await (await conn.execute(REGIONS, (ids,))).fetchall())


async def tell(conn: psycopg.AsyncConnection[Any], told: Mapping[str, tuple[bool, datetime]]) -> int:
    """Take over what devices said last: whether they are online, and when we heard it. How many came or went."""
    ids = sorted(told)  # in one order: two writers never wait for each other
    values = {"ids": ids, "online": [told[each][0] for each in ids], "at": [told[each][1] for each in ids]}
    return sum(row[0] for row in await (await conn.execute(TELL, values)).fetchall())


async def forget(conn: psycopg.AsyncConnection[Any], ids: list[str]) -> None:
    """Nobody says any more whether these are connected."""
    await conn.execute(FORGET, (sorted(ids),))


async def changed_since(conn: psycopg.AsyncConnection[Any], since: datetime, limit: int) -> list[dict[str, Any]]:
    """Devices that came or went after this, oldest first, with `moved`, kind and district."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(CHANGED.encode(), (since, limit))).fetchall()
