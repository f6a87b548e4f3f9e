"""What every job needs and one process holds: settings, connections, the outbox, how it all goes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import procrastinate
import psycopg
from psycopg_pool import AsyncConnectionPool

from runtime.settings import Settings, require
from storage import outbox
from storage.connect import conninfo
from storage.notice_file import NoticeFile
from worker.health import Health

Pool = AsyncConnectionPool[psycopg.AsyncConnection[Any]]

CONNECTIONS_MAX = 6
WAIT_S = 3.0
# psycopg's pool doubles its pauses until then and starts anew at the next request: ours set the pace of reconnecting.
RECONNECT_S = 5.0


@dataclass(frozen=True)
class Context:
    settings: Settings
    pool: Pool
    outbox: procrastinate.App
    stop: asyncio.Event
    notices: NoticeFile
    health: Health = field(default_factory=Health)
    looking_out: asyncio.Lock = field(default_factory=asyncio.Lock)  # for the database: worker/database.py


def make(settings: Settings, stop: asyncio.Event) -> Context:
    """A context whose pool is closed as yet. Procrastinate shares the pool. Raises SettingError."""
    url = conninfo(require(settings.database_url, "SIAGA_DATABASE_URL"), "worker")
    pool: Pool = AsyncConnectionPool(
        url,
        configure=_autocommit,
        min_size=1,
        max_size=CONNECTIONS_MAX,
        timeout=WAIT_S,
        reconnect_timeout=RECONNECT_S,
        check=AsyncConnectionPool.check_connection,
        open=False,
        name="worker",
    )
    return Context(settings, pool, outbox.app(url), stop, NoticeFile(settings))


async def _autocommit(conn: psycopg.AsyncConnection[Any]) -> None:
    # Not by kwargs of the pool: Procrastinate passes autocommit itself, beside them, where it listens.
    await conn.set_autocommit(True)
