"""How each part is: one row a part, refreshed every BEAT_S; /readyz reads it."""

from __future__ import annotations

from typing import Literal

import psycopg

State = Literal["starting", "up", "degraded", "restarting", "down"]
BEAT_S = 2.0
FRESH_S = 10.0

BEAT = """
INSERT INTO part (name, state, detail, beat_at) VALUES (%s, %s, %s, now())
ON CONFLICT (name) DO UPDATE SET state = excluded.state, detail = excluded.detail, beat_at = excluded.beat_at
"""
KEEP_ONLY = "DELETE FROM part WHERE name <> ALL (%s)"
LEAVE = "DELETE FROM part WHERE name = %s"
ALL = "SELECT name, state, detail, beat_at, beat_at > now() - make_interval(secs => %s) FROM part ORDER BY name"


def beat(conn: psycopg.Connection, name: str, state: State, detail: str = "") -> None:
    """Say how a part is (autocommit connections commit at once)."""
    conn.execute(BEAT, (name, state, detail))


async def beat_async(conn: psycopg.AsyncConnection, name: str, state: State, detail: str = "") -> None:
    await conn.execute(BEAT, (name, state, detail))


def keep_only(conn: psycopg.Connection, names: list[str]) -> None:
    """Forget parts that this installation no longer runs."""
    conn.execute(KEEP_ONLY, (names,))


def leave(conn: psycopg.Connection, name: str) -> None:
    """A part that ends on purpose is no longer missed."""
    conn.execute(LEAVE, (name,))
