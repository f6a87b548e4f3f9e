"""The `part` table as `siaga up` writes it, for /readyz: its own parts, and any part that is down just now.

A database that is away or hangs is no error here: the row is written at the next beat.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import psycopg
from psycopg.conninfo import make_conninfo

from siaga.stack.signals import time_limit
from storage import parts
from storage.connect import conninfo

# A beat must never take so long that stopping has to wait for it.
LIMIT_S = 2.0
STATE = "SELECT state FROM part WHERE name = %s"


class Board:
    """One connection, made anew when it was lost."""

    def __init__(self, database_url: str) -> None:
        self._conninfo = make_conninfo(conninfo(database_url, "up"), connect_timeout=2)
        self._conn: psycopg.Connection | None = None

    def write(self, rows: Mapping[str, tuple[parts.State, str]]) -> bool:
        """Say how these parts are. False when the database did not take it."""
        try:
            with time_limit(LIMIT_S):
                for name, (state, detail) in rows.items():
                    parts.beat(self._connection(), name, state, detail)
        except (psycopg.Error, TimeoutError):
            self.close()
            return False
        return True

    def state(self, name: str) -> str | None:
        """What a part says of itself; None when it has said nothing, or nothing can be read."""
        try:
            with time_limit(LIMIT_S):
                row = self._connection().execute(STATE, (name,)).fetchone()
        except (psycopg.Error, TimeoutError):
            self.close()
            return None
        return row[0] if row else None

    def forget(self, names: list[str]) -> None:
        """Take away the rows of parts that end on purpose."""
        try:
            with time_limit(LIMIT_S):
                for name in names:
                    parts.leave(self._connection(), name)
        except (psycopg.Error, TimeoutError):
            self.close()

    def close(self) -> None:
        if self._conn is not None:
            with contextlib.suppress(psycopg.Error):
                self._conn.close()
            self._conn = None

    def _connection(self) -> psycopg.Connection:
        if self._conn is None:
            self._conn = psycopg.connect(self._conninfo, autocommit=True)
        return self._conn
