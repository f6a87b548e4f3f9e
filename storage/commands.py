"""What devices are told: queued by the API, sent and answered through ingest, ended by the clock of the worker.

queued → sent (the broker has it) → done or failed (the device has answered), or expired. An answer is a fact: one that
comes late still ends a command that had expired. Doing any step twice changes nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from devices.commands import Answer, Told
from devices.topics import command_topic
from storage.as_json import time_sql

State = Literal["queued", "sent", "done", "failed", "expired"]

ITEM = f"""
c.id::text AS id, c.batch::text AS batch, c.device_id, c.name, c.args, c.state, c.who, c.reason,
{time_sql("c.made_at")} AS made_at, {time_sql("c.expires_at")} AS expires_at, {time_sql("c.sent_at")} AS sent_at,
{time_sql("c.ended_at")} AS ended_at, c.error
"""
ASK = """
INSERT INTO command (device_id, name, args, who, reason, key, batch, made_at, expires_at)
SELECT id, %(name)s, %(args)s, %(who)s, %(reason)s, %(key)s, gen_random_uuid(), %(at)s, %(expires)s
FROM device WHERE id = %(device)s
ON CONFLICT (who, key, device_id) WHERE key IS NOT NULL DO NOTHING
RETURNING id
"""
ASK_GROUP = """
INSERT INTO command (device_id, name, args, who, reason, key, batch, made_at, expires_at)
SELECT d.id, %(name)s, %(args)s, %(who)s, %(reason)s, %(key)s, %(batch)s, %(at)s, %(expires)s
FROM device AS d WHERE d.id = ANY (%(devices)s) ORDER BY d.id
ON CONFLICT (who, key, device_id) WHERE key IS NOT NULL DO NOTHING
"""
# Who is retired is told nothing.
MEMBERS = """
SELECT d.id FROM device AS d WHERE d.kind = %(kind)s AND d.status <> 'retired'
  AND d.attributes @> jsonb_build_object(%(scope)s::text, %(group)s::text) ORDER BY d.id LIMIT %(limit)s
"""
BY_KEY = """
SELECT id, batch::text, name = %(name)s AND args = %(args)s AS same FROM command
WHERE who = %(who)s AND key = %(key)s AND device_id = %(device)s
"""
BATCH_BY_KEY = """
SELECT min(batch::text), bool_and(name = %(name)s AND args = %(args)s AND device_id = ANY (%(devices)s))
FROM command WHERE who = %(who)s AND key = %(key)s
"""
OPEN = "SELECT count(*) FROM command WHERE device_id = %s AND ended_at IS NULL"
ONE = f"SELECT {ITEM} FROM command AS c WHERE c.id = %s"
LIST = f"""
SELECT c.number, {ITEM} FROM command AS c
WHERE (%(device)s::text IS NULL OR c.device_id = %(device)s) AND (%(batch)s::uuid IS NULL OR c.batch = %(batch)s)
  AND (%(state)s::text IS NULL OR c.state = %(state)s) AND (%(before)s::bigint IS NULL OR c.number < %(before)s)
ORDER BY c.number DESC LIMIT %(limit)s
"""
# Of a device without a region every ingest process may send, as every one takes its readings.
DUE = """
SELECT c.id::text, c.name, c.args, c.expires_at, c.device_id, coalesce(d.region, %(home)s)
FROM command AS c JOIN device AS d ON d.id = c.device_id
WHERE c.state = 'queued' AND c.expires_at > %(at)s
  AND (%(regions)s::text[] IS NULL OR d.region IS NULL OR d.region = ANY (%(regions)s))
ORDER BY c.number LIMIT %(limit)s
"""
SENT = """
UPDATE command SET state = 'sent', sent_at = %s, changed_at = clock_timestamp()
WHERE id = ANY (%s::uuid[]) AND state = 'queued'
"""
# In order of the rows' keys: two who answer at once cannot wait for each other.
ANSWERED = """
UPDATE command AS c SET state = CASE WHEN a.ok THEN 'done' ELSE 'failed' END, ended_at = %(at)s, error = a.error,
    sent_at = coalesce(c.sent_at, %(at)s), changed_at = clock_timestamp()
FROM (SELECT DISTINCT ON (id) * FROM unnest(%(ids)s::uuid[], %(devices)s::text[], %(ok)s::bool[], %(error)s::text[])
      AS t(id, device_id, ok, error) ORDER BY id) AS a
WHERE c.id = a.id AND c.device_id = a.device_id AND c.state IN ('queued', 'sent', 'expired')
RETURNING c.id::text
"""
KNOWN = """
SELECT c.id::text FROM command AS c JOIN unnest(%s::uuid[], %s::text[]) AS t(id, device_id) USING (id, device_id)
"""
EXPIRE = """
UPDATE command SET state = 'expired', ended_at = %(at)s, changed_at = clock_timestamp()
WHERE ended_at IS NULL AND expires_at <= %(at)s
"""
FORGET = "DELETE FROM command WHERE ended_at < %s"
CHANGED = f"""
SELECT c.changed_at AS moved, d.kind, d.district, {ITEM} FROM command AS c JOIN device AS d ON d.id = c.device_id
WHERE c.changed_at > %s ORDER BY c.changed_at LIMIT %s
"""


class KeyUsedError(Exception):
    """The same caller has asked for something else under this key."""


class Asked(NamedTuple):
    """What somebody wants a device to do. key: under which the same is done once; expires: when it is too late."""

    name: str
    args: Mapping[str, Any]
    who: str
    at: datetime
    expires: datetime
    reason: str | None = None
    key: str | None = None

    def values(self) -> dict[str, Any]:
        return self._asdict() | {"args": Jsonb(dict(self.args))}


class Due(NamedTuple):
    """A command that waits, and the topic it goes to."""

    told: Told
    topic: str


# -- the API's side ------------------------------------------------------------------------------


async def ask(conn: psycopg.AsyncConnection[Any], device_id: str, asked: Asked) -> tuple[UUID, bool]:
    """Queue a command for a device that there is; its id, and whether it is new. Raises KeyUsedError."""
    values = asked.values() | {"device": device_id}
    row = await (await conn.execute(ASK, values)).fetchone()
    if row is not None:
        return row[0], True
    row = await (await conn.execute(BY_KEY, values)).fetchone()
    if row is None or not row[2]:
        raise KeyUsedError(asked.key)
    return row[0], False


async def ask_group(conn: psycopg.AsyncConnection[Any], devices: Sequence[str], asked: Asked, batch: UUID) -> str:
    """Queue the same for many devices; the batch, or that of the same request before. Raises KeyUsedError."""
    values = asked.values() | {"devices": list(devices), "batch": batch}
    async with conn.transaction():
        if asked.key is not None:
            row = await (await conn.execute(BATCH_BY_KEY, values)).fetchone()
            if row is not None and row[0] is not None:
                if not row[1]:
                    raise KeyUsedError(asked.key)
                return str(row[0])
        await conn.execute(ASK_GROUP, values)
    return str(batch)


async def members(conn: psycopg.AsyncConnection[Any], kind: str, scope: str, group: str, limit: int) -> list[str]:
    """Devices of a kind with such an attribute, in order of id, without those that are retired."""
    values = {"kind": kind, "scope": scope, "group": group, "limit": limit}
    return [row[0] async for row in await conn.execute(MEMBERS, values)]


async def waiting(conn: psycopg.AsyncConnection[Any], device_id: str) -> int:
    """How many commands of a device have not ended."""
    row = await (await conn.execute(OPEN, (device_id,))).fetchone()
    return int(row[0]) if row else 0


async def one(conn: psycopg.AsyncConnection[Any], command: UUID) -> dict[str, Any] | None:
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(ONE.encode(), (command,))).fetchone()


async def commands(
    conn: psycopg.AsyncConnection[Any],
    device: str | None,
    batch: UUID | None,
    state: State | None,
    before: int | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Newest first, each with its number; before: only of smaller number."""
    values = {"device": device, "batch": batch, "state": state, "before": before, "limit": limit}
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(LIST.encode(), values)).fetchall()


async def changed_since(conn: psycopg.AsyncConnection[Any], since: datetime, limit: int) -> list[dict[str, Any]]:
    """Commands that moved after this, oldest first, with `moved`, kind and district of the device."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(CHANGED.encode(), (since, limit))).fetchall()


# -- the side of ingest --------------------------------------------------------------------------


async def due(
    conn: psycopg.AsyncConnection[Any], regions: Sequence[str] | None, home: str, at: datetime, limit: int
) -> list[Due]:
    """Commands to send, oldest first. regions: only to devices of these, None: all; home: of devices without one."""
    values = {"regions": regions and list(regions), "home": home, "at": at, "limit": limit}
    rows = await (await conn.execute(DUE, values)).fetchall()
    return [Due(Told(*row[:4]), command_topic(row[5], row[4])) for row in rows]


async def sent(conn: psycopg.AsyncConnection[Any], ids: Sequence[str], at: datetime) -> None:
    """The broker has these."""
    await conn.execute(SENT, (at, list(ids)))


async def answered(conn: psycopg.AsyncConnection[Any], answers: Sequence[tuple[str, Answer]], at: datetime) -> set[str]:
    """Take over what devices (by id) answer; the ids of commands that were moved by it."""
    values = {
        "at": at, "ids": [answer.id for _, answer in answers], "devices": [device for device, _ in answers],
        "ok": [answer.ok for _, answer in answers], "error": [answer.error for _, answer in answers],
    }  # fmt: skip
    return {row[0] for row in await (await conn.execute(ANSWERED, values)).fetchall()}


async def known(conn: psycopg.AsyncConnection[Any], answers: Sequence[tuple[str, Answer]]) -> set[str]:
    """Of the commands that these answer, those that we gave to those devices."""
    cursor = await conn.execute(KNOWN, ([a.id for _, a in answers], [device for device, _ in answers]))
    return {row[0] for row in await cursor.fetchall()}


# -- the worker's side ---------------------------------------------------------------------------


async def expire(conn: psycopg.AsyncConnection[Any], at: datetime) -> int:
    """End what nobody has answered in time; how many."""
    return (await conn.execute(EXPIRE, {"at": at})).rowcount


async def forget(conn: psycopg.AsyncConnection[Any], now: datetime, keep: timedelta) -> None:
    """Delete commands that ended longer ago; the audit log has who asked for them."""
    await conn.execute(FORGET, (now - keep,))
