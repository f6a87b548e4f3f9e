"""What every endpoint needs and one application holds: settings, the connection pool, the live follower."""

from __future__ import annotations

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

CONNECTIONS_MAX = 10
# A request that gets no connection within this is answered 503; longer would only pile requests up.
WAIT_S = 3.0


class Context(NamedTuple):
    settings: Settings
    pool: Pool
    live: Live


def of(request: Request) -> Context:
    """The context of the application that serves this request."""
    context: Context = request.app.state.context
    return context


def make_pool(settings: Settings) -> Pool:
    """A closed pool of autocommit connections whose queries are stopped after the statement timeout.

    Connections are tried before they are handed out: after a database restart all of them are dead.
    """
    url = require(settings.database_url, "SIAGA_DATABASE_URL")
    return AsyncConnectionPool(
        conninfo(url, "api", settings.statement_timeout_s),
        kwargs={"autocommit": True},
        min_size=1,
        max_size=CONNECTIONS_MAX,
        timeout=WAIT_S,
        check=AsyncConnectionPool.check_connection,
        open=False,
        name="api",
    )


def utc_now() -> datetime:
    return datetime.now(UTC)
