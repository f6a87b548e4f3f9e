"""A cursor whose statements are spans of the trace they are part of (runtime/trace.py)."""

from __future__ import annotations

from typing import Any, Self

import psycopg
from psycopg import sql

from runtime import trace


def cursor_options() -> dict[str, Any]:
    """For a new connection: nothing while nobody traces."""
    return {"cursor_factory": TracedCursor} if trace.is_on() else {}


class TracedCursor(psycopg.AsyncCursor[Any]):
    async def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        with trace.query_span(_text(query, self)):
            return await super().execute(query, params, **options)


def _text(query: Any, cursor: psycopg.AsyncCursor[Any]) -> str:
    if isinstance(query, sql.Composable):
        return query.as_string(cursor)
    return query.decode(errors="replace") if isinstance(query, bytes) else str(query)
