"""How each part is: one row a part, refreshed every BEAT_S; /readyz reads it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from runtime.log import get_logger
from runtime.stop import sleep_until
from storage.connect import connect_async

log = get_logger(__name__)

State = Literal["starting", "up", "degraded", "restarting", "down"]
BEAT_S = 2.0
FRESH_S = 10.0

Facts = Mapping[str, float | None]
NOTHING: Facts = MappingProxyType({})

BEAT = """
INSERT INTO part (name, state, detail, facts, beat_at) VALUES (%s, %s, %s, %s, now())
ON CONFLICT (name) DO UPDATE SET
    state = excluded.state, detail = excluded.detail, facts = excluded.facts, beat_at = excluded.beat_at
"""
KEEP_ONLY = "DELETE FROM part WHERE name <> ALL (%s)"
LEAVE = "DELETE FROM part WHERE name = %s"
ALL = "SELECT name, state, detail, beat_at, beat_at > now() - make_interval(secs => %s), facts FROM part ORDER BY name"


def is_of(name: str, part: str) -> bool:
    """Whether a row is that of this part: ingest has one for each of its sessions, ingest-north beside ingest."""
    return name == part or name.startswith(f"{part}-")


class How(NamedTuple):
    """How a part is: a state, a sentence, and numbers under names that end in their unit; None where not known."""

    state: State
    detail: str = ""
    facts: Facts = NOTHING


def beat(conn: psycopg.Connection, name: str, state: State, detail: str = "") -> None:
    """Say how a part is (autocommit connections commit at once)."""
    conn.execute(BEAT, (name, state, detail, Jsonb({})))


async def beat_async(conn: psycopg.AsyncConnection[Any], name: str, how: How) -> None:
    await conn.execute(BEAT, (name, how.state, how.detail, Jsonb(dict(how.facts))))


async def keep_beating(database_url: str, name: str, how: Callable[[], How], stop: asyncio.Event) -> None:
    """Keep a part's row fresh until asked to stop, then take it away: who ends on purpose is not missed.

    On a connection of its own, so that a part that is busy, or waits for a lock, still says how it is.
    """
    conn: psycopg.AsyncConnection[Any] | None = None
    told = ""
    while not stop.is_set():
        try:
            if conn is None or conn.closed:
                conn = await connect_async(database_url, f"{name} beat")
            async with asyncio.timeout(FRESH_S):
                await beat_async(conn, name, how())
            told = ""
        except (psycopg.Error, TimeoutError) as error:
            if conn is not None:
                await conn.close()
            text = str(error) or type(error).__name__
            if text != told:  # an error repeats in the log only if its text changed
                told = text
                log.warning("beat.failed", error=told)
        await sleep_until(stop, BEAT_S)
    if conn is not None and not conn.closed:
        with contextlib.suppress(psycopg.Error, TimeoutError):
            async with conn, asyncio.timeout(1):
                await conn.execute(LEAVE, (name,))


def keep_only(conn: psycopg.Connection, names: list[str]) -> None:
    """Forget parts that this installation no longer runs."""
    conn.execute(KEEP_ONLY, (names,))


def leave(conn: psycopg.Connection, name: str) -> None:
    """A part that ends on purpose is no longer missed."""
    conn.execute(LEAVE, (name,))
