"""The MQTT sessions of ingest: one process each, no topic in two of them, and when each last committed something."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from devices.topics import filters_meet

# One ingest process a session: the second waits for this lock and takes over. Freed by the server with the connection.
TRY_LOCK = "SELECT pg_try_advisory_lock(x'73696167'::int, hashtext(%s))"
# One at a time, or two that overlap could both find nobody. Held for the moment of `take`.
TURN = "SELECT pg_advisory_xact_lock(x'73696167'::int, 0)"
KNOWN = """
SELECT client_id, filters, EXISTS (
    SELECT FROM pg_locks AS l
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = x'73696167'::int::oid
        AND l.objid = hashtext(s.client_id)::oid
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
) AS served
FROM ingest_session AS s
"""
TAKEN = """
INSERT INTO ingest_session (client_id, filters, session_id) VALUES (%s, %s, %s)
ON CONFLICT (client_id) DO UPDATE SET filters = excluded.filters RETURNING session_id
"""
REPLACED = "DELETE FROM ingest_session WHERE client_id = ANY (%s)"
COMMITTED = "UPDATE ingest_session SET committed_at = %s, pace_s = %s WHERE client_id = %s"
OTHERS = "SELECT client_id, filters FROM ingest_session WHERE client_id <> %s"
STREAMS = "SELECT client_id, committed_at, pace_s FROM ingest_session WHERE committed_at IS NOT NULL"


class StandbyError(Exception):
    """Another process serves this MQTT session; this one may not."""


class ClashError(Exception):
    """A running ingest process serves some of what this one wants; the message names it and the cure."""


class Stream(NamedTuple):
    """What one session last committed, and the pace of its quickest devices; None where none is in service."""

    client_id: str
    committed_at: datetime
    pace_s: float | None


async def take(
    conn: psycopg.AsyncConnection[Any], client_id: str, filters: Sequence[str], new_id: str | None = None
) -> str:
    """Be the one ingest process of this session, for as long as the connection lives; what it is called at the broker.
    new_id: what it is called if it is new; None: as it is here.

    Raises StandbyError where another one is and listens to the same, ClashError where one listens to some of it.
    """
    async with conn.transaction():
        await conn.execute(TURN)
        lock = await (await conn.execute(TRY_LOCK, (client_id,))).fetchone()
        known = await (await conn.execute(KNOWN)).fetchall()
        if not (lock and lock[0]):
            theirs = next((set(of) for name, of, _ in known if name == client_id), set(filters))
            if theirs != set(filters):
                raise ClashError(_same_name(client_id, theirs))
            raise StandbyError(f"another process serves the MQTT session {client_id}")
        others = [(name, met, served) for name, of, served in known if name != client_id and (met := _met(filters, of))]
        for name, met, served in others:
            if served:
                raise ClashError(_same_topics(name, met))
        # Whose topics are ours now is not missed when it stays silent.
        await conn.execute(REPLACED, ([name for name, _, _ in others],))
        taken = await (await conn.execute(TAKEN, (client_id, list(filters), new_id or client_id))).fetchone()
    assert taken is not None
    return str(taken[0])


async def committed(conn: psycopg.AsyncConnection[Any], stream: Stream) -> None:
    """Keep when a session last committed something."""
    await conn.execute(COMMITTED, (stream.committed_at, stream.pace_s, stream.client_id))


async def others(conn: psycopg.AsyncConnection[Any], client_id: str) -> dict[str, list[str]]:
    """What the other sessions subscribe to, by client id; whether they run or not."""
    return dict(await (await conn.execute(OTHERS, (client_id,))).fetchall())


async def streams(conn: psycopg.AsyncConnection[Any]) -> list[Stream]:
    """Every session that has ever committed something."""
    return [Stream(*row) for row in await (await conn.execute(STREAMS)).fetchall()]


def _met(filters: Sequence[str], theirs: Sequence[str]) -> str | None:
    """The first filter of ours that topics of theirs match, too."""
    return next((own for own in filters if any(filters_meet(own, other) for other in theirs)), None)


def _same_name(client_id: str, theirs: set[str]) -> str:
    return (
        f"SIAGA_INGEST_CLIENT_ID: an ingest process {client_id} runs and serves {' '.join(sorted(theirs))}. "
        "A standby must have its SIAGA_INGEST_REGIONS and SIAGA_DECODERS; a process for other regions needs another id."
    )


def _same_topics(name: str, met: str) -> str:
    return (
        f"SIAGA_INGEST_REGIONS: {met} is also served by the ingest process {name}, which runs: what arrives there "
        "would be taken twice. Give each process regions of its own, or the same client id to a standby."
    )
