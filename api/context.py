"""What every endpoint needs and one application holds: settings, connections, the live follower."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from psycopg_pool import AsyncConnectionPool
from starlette.requests import Request

from runtime.settings import Settings, require
from storage.connect import conninfo

if TYPE_CHECKING:
    from api.live import Live

Pool = AsyncConnectionPool[psycopg.AsyncConnection[Any]]


class Pools(NamedTuple):
    """reads: queries of any length, which cannot write. writes: short statements that must not wait for those."""

    reads: Pool
    writes: Pool


class Context(NamedTuple):
    settings: Settings
    pools: Pools
    live: Live

    @property
    def reads(self) -> Pool:
        return self.pools.reads

    @property
    def writes(self) -> Pool:
        return self.pools.writes


def of(request: Request) -> Context:
    """The context of the application that serves this request."""
    context: Context = request.app.state.context
    return context


def make_pools(settings: Settings) -> Pools:
    """Closed pools of autocommit connections whose statements are stopped after the statement timeout."""
    return Pools(
        _pool(settings, "reads", settings.read_connections, _read_only),
        _pool(settings, "writes", settings.write_connections),
    )


def _pool(
    settings: Settings,
    name: str,
    size: int,
    configure: Callable[[psycopg.AsyncConnection[Any]], Awaitable[None]] | None = None,
) -> Pool:
    # Connections are tried before they are handed out: after a database restart all of them are dead.
    url = require(settings.database_url, "SIAGA_DATABASE_URL")
    return AsyncConnectionPool(
        conninfo(url, "api", settings.statement_timeout_s),
        kwargs={"autocommit": True},
        configure=configure,
        min_size=1,
        max_size=size,
        timeout=settings.connection_wait_s,
        check=AsyncConnectionPool.check_connection,
        open=False,
        name=name,
    )


async def _read_only(conn: psycopg.AsyncConnection[Any]) -> None:
    await conn.execute("SET default_transaction_read_only = on")


def utc_now() -> datetime:
    return datetime.now(UTC)
