"""What every endpoint needs and one application holds: settings, connections, live followers; and who is asking.

`of(request)` gives what whoever asks may use: one who is limited to regions gets no connection that is not.
"""

from __future__ import annotations

import select
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import psycopg
from psycopg_pool import AsyncConnectionPool
from starlette.requests import Request

from runtime.settings import Settings, require
from storage import audit_log, scope
from storage.audit_log import Origin
from storage.connect import conninfo
from storage.keys import Who
from storage.traced import cursor_options

if TYPE_CHECKING:
    from api.audiences import Audiences
    from api.live import Live

Conn = psycopg.AsyncConnection[Any]
Regions = tuple[str, ...] | None  # None: all of them
# psycopg's pool doubles its pauses until then and starts anew at the next request: a database that comes back, or a
# standby that takes its place, is found within so long.
RECONNECT_S = 5.0
# Methods that change nothing.
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Pool(Protocol):
    """Where connections come from."""

    def connection(self, timeout: float | None = None) -> AbstractAsyncContextManager[Conn]: ...


class Told:
    """Connections that are told something each time before they are used, so what was said before says nothing."""

    def __init__(self, pool: Pool, statement: str, value: str) -> None:
        self.pool, self.statement, self.value = pool, statement.encode(), value

    @asynccontextmanager
    async def connection(self, timeout: float | None = None) -> AsyncIterator[Conn]:  # noqa: ASYNC109
        async with self.pool.connection(timeout) as conn:
            await conn.execute(self.statement, (self.value,))
            yield conn


class Pools(NamedTuple):
    """reads: queries of any length, which cannot write. writes: short statements that must not wait for those.

    limited_…: the same for callers who are limited to regions.
    """

    reads: AsyncConnectionPool[Conn]
    writes: AsyncConnectionPool[Conn]
    limited_reads: AsyncConnectionPool[Conn]
    limited_writes: AsyncConnectionPool[Conn]

    def reads_of(self, regions: Regions) -> Pool:
        return self.reads if regions is None else Told(self.limited_reads, scope.ENTER, ",".join(regions))

    def writes_of(self, regions: Regions) -> Pool:
        return self.writes if regions is None else Told(self.limited_writes, scope.ENTER, ",".join(regions))


class Context(NamedTuple):
    """regions: of who asks; said: who that is, where they change something (storage/audit_log.py)."""

    settings: Settings
    pools: Pools
    audiences: Audiences
    regions: Regions = None
    said: str | None = None

    @property
    def reads(self) -> Pool:
        return self.pools.reads_of(self.regions)

    @property
    def writes(self) -> Pool:
        pool = self.pools.writes_of(self.regions)
        return pool if self.said is None else Told(pool, audit_log.ENTER, self.said)

    @property
    def live(self) -> Live:
        return self.audiences.of(self.regions)


def whole(request: Request) -> Context:
    """Whoever asks: for what is of no region, as users and keys are."""
    context: Context = request.app.state.context
    return context


def of(request: Request) -> Context:
    """What whoever sent this request may use."""
    who = asking(request)
    said = None if request.method in SAFE else origin(request).setting()
    return whole(request)._replace(regions=who.regions if who else None, said=said)


def asking(request: Request) -> Who | None:
    """Who was let in; None where anyone is."""
    return getattr(request.state, "who", None)


def origin(request: Request, who: Who | None = None) -> Origin:
    """Who sent this request and from where, for the audit log; who: where it only turned out on the way."""
    who = who or asking(request)
    name, by = (who.name, who.by) if who else ("", "nobody")
    return Origin(name, by, getattr(request.state, "request_id", None), address(request))  # type: ignore[arg-type]


def address(request: Request) -> str:
    """Where a request comes from; '' where that is no network address."""
    return request.client.host if request.client else ""


def make_pools(settings: Settings) -> Pools:
    """Closed pools of autocommit connections whose statements are stopped after the statement timeout."""
    return Pools(
        _pool(settings, "reads", settings.read_connections, _read_only),  # of a replica, where there is one
        _pool(settings, "writes", settings.write_connections),
        _pool(settings, "limited reads", settings.read_connections, _read_only, scope.OPTIONS),
        _pool(settings, "limited writes", settings.write_connections, None, scope.OPTIONS),
    )


def _pool(
    settings: Settings,
    name: str,
    size: int,
    configure: Callable[[Conn], Awaitable[None]] | None = None,
    options: str = "",
) -> AsyncConnectionPool[Conn]:
    url = settings.database_read_url if configure is _read_only else None
    return AsyncConnectionPool(
        conninfo(
            require(url or settings.database_url, "SIAGA_DATABASE_URL"), "api", settings.statement_timeout_s, options
        ),
        kwargs={"autocommit": True, **cursor_options()},
        configure=configure,
        # Where nobody is limited to regions, no connection is kept for them.
        min_size=0 if options else 1,
        max_size=size,
        timeout=settings.connection_wait_s,
        reconnect_timeout=RECONNECT_S,
        check=_alive,
        open=False,
        name=name,
    )


async def _alive(conn: Conn) -> None:
    """Raise where the server has gone: after a database restart all connections are dead.

    Of one at rest nothing comes but its end, so only where there is something to read the server is asked; to ask each
    time was a tenth of a short request.
    """
    waiting = select.poll()
    waiting.register(conn.fileno(), select.POLLIN)
    if waiting.poll(0):
        await AsyncConnectionPool.check_connection(conn)


async def _read_only(conn: Conn) -> None:
    await conn.execute("SET default_transaction_read_only = on")


def utc_now() -> datetime:
    return datetime.now(UTC)
