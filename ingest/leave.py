"""Leaving topics to another process that serves them now.

A kept session is still subscribed to all that it once asked for: an ingest process that is given fewer regions goes on
receiving the others, which is right until somebody else does. From then on both would take the same readings.
"""

from __future__ import annotations

from typing import Any

import psycopg

from devices.topics import readings_filters
from ingest.ground import Ground, part_of
from ingest.mqtt import Session
from runtime.log import get_logger
from storage import parts
from storage.ingest_session import others

log = get_logger(__name__)

EVERYTHING = readings_filters(("+",))


class Leaving:
    """Looks who else is there, and unsubscribes once from what each of them serves."""

    def __init__(self, session: Session, client_id: str) -> None:
        self._session, self._client_id = session, client_id
        self._left: frozenset[str] = frozenset()

    async def look(self, ground: Ground) -> None:
        """Raises psycopg.Error."""
        theirs = await served_by_others(ground.conn, self._client_id)
        news = sorted(theirs - self._left)
        if news and self._session.leave(news):
            self._left = theirs
            log.info("topics.left", filters=" ".join(news))


async def served_by_others(conn: psycopg.AsyncConnection[Any], client_id: str) -> frozenset[str]:
    """Topic filters of other processes that say of themselves that they are subscribed; nobody else takes over yet."""
    rows = await (await conn.execute(parts.ALL, (parts.FRESH_S,))).fetchall()
    up = {name for name, state, _, _, fresh, _ in rows if fresh and state == "up"}
    rivals = await others(conn, client_id)
    served = {name for client, filters in rivals.items() if part_of(client) in up for name in filters}
    # Who once took everything had a filter that is nobody else's now.
    return frozenset(served.union(EVERYTHING) if served else ())
