"""The audit log, for an admin: who did what, when, from where; as pages or as one CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api import account_shapes, context
from api.auth import Endpoints
from api.context import Pool
from api.params import Cursor, From, Limit, To, limit_of, moment, read_cursor, write_cursor
from api.reply import encode, items_reply
from storage import audit_log

ENDPOINTS = Endpoints("/api/v1")
COLUMNS = ("id", "at", "who", "by", "what", "subject", "request", "address", "details")
CSV = "text/csv"
CHUNK = 1_000
# A spreadsheet would take what begins so for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
ANSWER = {"responses": {"200": {"content": {CSV: {"schema": {"type": "string"}}}}}}
Text = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]


@ENDPOINTS.get("/audit", role="admin", whole=True, answer=account_shapes.Lines, extra=ANSWER)
async def list_lines(
    request: Request,
    who: Text = None,
    what: Annotated[Text, Query(description="user.created, or all of user")] = None,
    subject: Text = None,
    since: From = None,
    until: To = None,
    limit: Limit = None,
    cursor: Cursor = None,
    form: Annotated[
        Literal["json", "csv"], Query(alias="format", description="csv: all lines, without pages")
    ] = "json",
) -> Response:
    """Lines, newest first."""
    here, now = context.whole(request), context.utc_now()
    begin = None if since is None else moment("from", since, now)
    end = None if until is None else moment("to", until, now)
    query = audit_log.Query(who, what, subject, begin, end)
    before = read_cursor(cursor, int)[0] if cursor else None
    if form == "csv":
        headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
        return StreamingResponse(_lines(here.reads, query), HTTPStatus.OK, headers, CSV)
    size = limit_of(limit, here.settings.page_max)
    async with here.reads.connection() as conn:
        rows = await audit_log.lines(conn, query, before, size + 1)
    more = write_cursor(rows[size - 1]["id"]) if len(rows) > size else None
    return items_reply(request, map(encode, rows[:size]), more)


async def _lines(pool: Pool, query: audit_log.Query) -> AsyncIterator[str]:
    yield _csv([COLUMNS])
    before: int | None = None
    while True:
        async with pool.connection() as conn:
            rows = await audit_log.lines(conn, query, before, CHUNK)
        if not rows:
            return
        yield _csv([_cell(row[name]) for name in COLUMNS] for row in rows)
        before = rows[-1]["id"]


def _csv(rows: Iterable[Iterable[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def _cell(value: Any) -> str:
    text = encode(value) if isinstance(value, dict) else "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
