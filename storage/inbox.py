"""Readings that came over HTTP: the API leaves a request here, ingest commits it and answers in the same transaction.

A request is as a whole here, done, or withdrawn: a row lock decides between ingest that takes it and the API that has
waited long enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import psycopg

from storage.ingest_session import KNOWN

REGIONS = "SELECT id, region FROM device WHERE id = ANY (%s)"
# Requests that come at the same moment may each find the last place free: as many more as the API has connections.
POST = """
INSERT INTO inbox (who, key, digest, regions, topics, payloads, posted_at)
SELECT %(who)s, %(key)s, %(digest)s, %(regions)s, %(topics)s, %(payloads)s, %(at)s
WHERE (SELECT count(*) FROM inbox WHERE done_at IS NULL) < %(most)s
ON CONFLICT (who, key) WHERE key IS NOT NULL DO NOTHING RETURNING id
"""
BY_KEY = "SELECT id, digest FROM inbox WHERE who = %s AND key = %s"
ANSWER = "SELECT answer FROM inbox WHERE id = %s"
# Waits for ingest where that is at it, and then finds it done.
WITHDRAW = "DELETE FROM inbox WHERE id = %s AND done_at IS NULL"
# What may be ours; the second looks again under a lock.
MINE = "done_at IS NULL AND (%(regions)s::text[] IS NULL OR regions <@ %(regions)s)"
WAITING = f"SELECT EXISTS (SELECT FROM inbox WHERE {MINE})"
TAKE = f"SELECT id, topics, payloads FROM inbox WHERE {MINE} ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
DONE = "UPDATE inbox SET done_at = %s, answer = %s, topics = '{}', payloads = '{}' WHERE id = %s"
# Without a key nobody can ask again; longer than SIAGA_POST_WAIT_S may be, whoever posted it has been answered.
FORGET = """
DELETE FROM inbox WHERE done_at < %(now)s - %(keep)s OR key IS NULL AND done_at < %(now)s - interval '15 minutes'
"""


class KeyUsedError(Exception):
    """The same caller has sent something else under this key."""


class Request(NamedTuple):
    """What somebody has posted. topics: '' of an item that names no device; digest: of all they sent."""

    who: str
    key: str | None
    digest: bytes
    regions: Sequence[str]
    topics: Sequence[str]
    payloads: Sequence[bytes]
    at: datetime


class Taken(NamedTuple):
    """A request that ingest works on, by item."""

    id: int
    topics: Sequence[str]
    payloads: Sequence[bytes]


# -- the API's side ------------------------------------------------------------------------------


async def regions_of(conn: psycopg.AsyncConnection[Any], ids: Sequence[str]) -> dict[str, str | None]:
    """The regions of those devices that are registered."""
    return dict(await (await conn.execute(REGIONS, (list(ids),))).fetchall())


async def served(conn: psycopg.AsyncConnection[Any]) -> list[Sequence[str]]:
    """The topic filters of each ingest process that runs."""
    return [filters async for _, filters, runs in await conn.execute(KNOWN) if runs]


async def post(conn: psycopg.AsyncConnection[Any], request: Request, most: int) -> int | None:
    """Leave a request for ingest; its id, or that of the same one sent before under its key. None where `most` wait.

    Raises KeyUsedError.
    """
    columns = {"regions": list(request.regions), "topics": list(request.topics), "payloads": list(request.payloads)}
    row = await (await conn.execute(POST, request._asdict() | columns | {"most": most})).fetchone()
    if row is None and request.key is not None:
        row = await (await conn.execute(BY_KEY, (request.who, request.key))).fetchone()
        if row is not None and row[1] != request.digest:
            raise KeyUsedError(request.key)
    return row and int(row[0])


async def answer(conn: psycopg.AsyncConnection[Any], number: int) -> str | None:
    """What became of a request, as JSON text; None as long as it waits, or when it is no longer there."""
    row = await (await conn.execute(ANSWER, (number,))).fetchone()
    return row and row[0]


async def withdraw(conn: psycopg.AsyncConnection[Any], number: int) -> None:
    """Take a request back, unless ingest has done it."""
    await conn.execute(WITHDRAW, (number,))


# -- the side of ingest --------------------------------------------------------------------------


async def is_waiting(conn: psycopg.AsyncConnection[Any], regions: Sequence[str] | None) -> bool:
    """Whether a request may be taken; regions: only one that is all about these, None for any."""
    row = await (await conn.execute(WAITING, {"regions": regions and list(regions)})).fetchone()
    return bool(row and row[0])


async def take(conn: psycopg.AsyncConnection[Any], regions: Sequence[str] | None) -> Taken | None:
    """The oldest request, locked until the end of the transaction."""
    row = await (await conn.execute(TAKE, {"regions": regions and list(regions)})).fetchone()
    return Taken(*row) if row else None


async def finish(conn: psycopg.AsyncConnection[Any], number: int, text: str, now: datetime) -> None:
    """Answer a request, in the transaction that holds its readings."""
    await conn.execute(DONE, (now, text, number))


async def forget(conn: psycopg.AsyncConnection[Any], now: datetime, keep: timedelta) -> None:
    """Drop the answers of requests that were done longer ago; those that nobody can ask for again sooner."""
    await conn.execute(FORGET, {"now": now, "keep": keep})
