"""CSV of any length: RFC 4180, or as spreadsheets in Indonesia read it (dialect=excel-id).

An error half-way breaks the connection off, so no file looks whole that is not.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.head import is_head
from api.reply import encode

Dialect = Literal["rfc4180", "excel-id"]
DialectOf = Annotated[
    Dialect, Query(description="excel-id: semicolons, decimal commas, a BOM, times in the zone of the installation")
]
MEDIA_TYPE = "text/csv; charset=utf-8"
CONTENT: dict[str, Any] = {"text/csv": {"schema": {"type": "string"}}}
ANSWER = {"responses": {"200": {"content": CONTENT}}}
# Rows of one page: read on a connection of its own, as a slow reader must not hold one for minutes.
PAGE = 5000
TIMES = frozenset(
    ("ts", "received_at", "bucket", "hour", "raised_at", "detected_at", "cleared_at", "acked_at", "shelved_until")
)
# A spreadsheet computes what begins so; behind an apostrophe it is text.
FORMULA = ("=", "+", "-", "@", "\t", "\r")

Rows = Iterable[Sequence[Any]]
T = TypeVar("T")
After = TypeVar("After")


class Sheet:
    """Rows of these columns as text."""

    def __init__(self, columns: Sequence[str], dialect: Dialect, zone: ZoneInfo) -> None:
        self._columns, self._zone, self._local = columns, zone, dialect == "excel-id"
        self._times = [name in TIMES for name in columns]

    def head(self) -> bytes:
        return (b"\xef\xbb\xbf" if self._local else b"") + self._text([self._columns])

    def lines(self, rows: Rows) -> bytes:
        if self._local:
            return self._text(map(self._as_here, row, self._times) for row in rows)
        return self._text(map(_plain, row) for row in rows)

    def _text(self, rows: Iterable[Iterable[Any]]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=";" if self._local else ",", lineterminator="\r\n").writerows(rows)
        return text.getvalue().encode()

    def _as_here(self, cell: Any, is_time: bool) -> Any:
        if isinstance(cell, float):
            return str(cell).replace(".", ",")
        if isinstance(cell, str):
            if is_time:
                return datetime.fromisoformat(cell).astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S")
            return f"'{cell}" if cell.startswith(FORMULA) else cell
        return _plain(cell)


async def csv_reply(request: Request, name: str, sheet: Sheet, pages: AsyncIterator[Rows]) -> Response:
    """The header and all pages as a file of this name."""
    # The first page is read before the answer begins: a database that is away is still a 503.
    first = await anext(pages, None)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}

    async def text() -> AsyncIterator[bytes]:
        yield sheet.head()
        if first is None or is_head(request):
            return
        yield await asyncio.to_thread(sheet.lines, first)
        async for page in pages:
            yield await asyncio.to_thread(sheet.lines, page)

    return StreamingResponse(text(), 200, headers, MEDIA_TYPE)


async def keyset(
    read: Callable[[After, int], Awaitable[Sequence[T]]], key: Callable[[T], After], after: After, limit: int | None
) -> AsyncIterator[Sequence[T]]:
    """Pages of a list, each read after the last one of that before; `limit` of them in all, or all."""
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        page = await read(after, size)
        if page:
            yield page
        if len(page) < size:
            return
        after, left = key(page[-1]), None if left is None else left - size


async def in_pages(items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """What is there already, page by page."""
    for start in range(0, len(items), PAGE):
        yield items[start : start + PAGE]


def cells(items: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Rows:
    """Items as rows; what has members of its own as JSON."""
    return ([_cell(item.get(name)) for name in columns] for item in items)


def _cell(value: Any) -> Any:
    return encode(value) if isinstance(value, dict | list) else value


def _plain(cell: Any) -> Any:
    return ("true" if cell else "false") if isinstance(cell, bool) else cell
