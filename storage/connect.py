"""Connections to PostgreSQL: UTC, named after the part that holds them, given up on when the server is gone."""

from __future__ import annotations

import psycopg
from psycopg.conninfo import make_conninfo

CONNECT_TIMEOUT_S = 10
# A machine that is gone says no goodbye: the server notices after 8 s, frees what its connections locked, and the
# standby of ingest takes over.
SERVER_KEEPALIVES = "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3"


def conninfo(url: str, part: str, statement_timeout_s: float | None = None, more_options: str = "") -> str:
    """A connection string for this part. Keep-alives notice a dead server within about 30 s."""
    options = ["-c timezone=UTC", SERVER_KEEPALIVES, more_options]
    if statement_timeout_s is not None:
        options.append(f"-c statement_timeout={round(statement_timeout_s * 1000)}")
    return make_conninfo(
        url,
        application_name=f"siaga {part}",
        connect_timeout=CONNECT_TIMEOUT_S,
        options=" ".join(options),
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=30_000,
    )


def connect(url: str, part: str) -> psycopg.Connection:
    """A synchronous autocommit connection, for the command line and migrations."""
    return psycopg.connect(conninfo(url, part), autocommit=True)


async def connect_async(url: str, part: str) -> psycopg.AsyncConnection:
    """An asynchronous autocommit connection; transactions are opened explicitly."""
    return await psycopg.AsyncConnection.connect(conninfo(url, part), autocommit=True)
