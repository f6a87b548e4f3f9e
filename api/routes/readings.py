"""Readings of one device, as JSON pages or as one CSV file of any length."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from alerts import ladder
from api import context, shapes
from api.auth import Endpoints
from api.context import Pool
from api.params import Cursor, DeviceId, From, Limit, To, cursor_time, limit_of, read_cursor, window, write_cursor
from api.problems import not_found
from api.reply import items_reply
from devices.device import Device
from devices.kind import Kind
from devices.kinds import KINDS
from devices.quality import Quality
from storage import fleet, read_readings
from storage.as_json import time_text
from storage.read_readings import Found, Window

ENDPOINTS = Endpoints("/api/v1")
DEFAULT_RANGE = timedelta(hours=24)
DEFAULT_LIMIT = 1000
# A CSV file is read in pages, each on a connection of its own: a slow reader must not hold one for minutes.
CSV_PAGE = 5000
UNUSABLE = (Quality.FAIL, Quality.MISSING)
CSV_ANSWER = {"responses": {"200": {"content": {"text/csv": {"schema": {"type": "string"}}}}}}


@ENDPOINTS.get(
    "/readings", role="viewer", answer=shapes.Readings, problems=[HTTPStatus.NOT_FOUND], extra=CSV_ANSWER
)  # fmt: skip
async def list_readings(
    request: Request,
    device: Annotated[DeviceId, Query(description="of this device")],
    since: From = None,
    until: To = None,
    limit: Limit = None,
    cursor: Cursor = None,
    format: Annotated[Literal["json", "csv"] | None, Query(description="or by Accept: text/csv")] = None,  # noqa: A002
) -> Response:
    """Readings of the last 24 h, or of from <= ts < to, oldest first. JSON comes in pages, CSV whole unless limited."""
    here = context.of(request)
    as_csv = format == "csv" or (format is None and "text/csv" in request.headers.get("accept", ""))
    size = limit_of(limit, here.settings.page_max, DEFAULT_LIMIT)
    span = window(since, until, context.utc_now(), DEFAULT_RANGE)
    after = cursor_time(read_cursor(cursor, str)[0]) if cursor else None
    async with here.reads.connection() as conn:
        found = await fleet.get_device(conn, device)
    kind = KINDS.get(found.kind) if found else None
    if found is None or kind is None:
        raise not_found(f"device {device!r}")
    wanted = Window(device, span.since, span.until, after, size + 1)
    if as_csv:
        return await _csv(here.reads, found, kind, wanted._replace(limit=0 if limit is None else limit))
    async with here.reads.connection() as conn:
        rows = await read_readings.readings(conn, kind, wanted, as_json=True)
    more = write_cursor(time_text(rows[size - 1].ts)) if len(rows) > size else None
    items = (f'{row.content[:-1]},"siaga":{siaga or "null"}}}' for row, siaga in _siaga(found, rows[:size]))
    return items_reply(request, items, more)


def _siaga(device: Device, rows: Iterable[Found]) -> Iterable[tuple[Found, int | None]]:
    """Each reading with its official digit, by the level alone."""
    bounded = any(device.attributes.get(name) is not None for _, name in ladder.BOUNDS)
    for row in rows:
        usable = bounded and row.qc not in UNUSABLE
        yield row, ladder.siaga(row.level_m, device.attributes) if usable else None


async def _csv(pool: Pool, device: Device, kind: Kind, wanted: Window) -> Response:
    # The first page is read before the answer begins: a database that is away is still a 503.
    first = await _csv_page(pool, kind, wanted)
    headers = {"Content-Disposition": f'attachment; filename="{device.id}.csv"'}
    return StreamingResponse(_csv_text(pool, device, kind, wanted, first), 200, headers, "text/csv; charset=utf-8")


async def _csv_page(pool: Pool, kind: Kind, wanted: Window) -> Sequence[Found]:
    page = min(CSV_PAGE, wanted.limit) if wanted.limit else CSV_PAGE
    async with pool.connection() as conn:
        return await read_readings.readings(conn, kind, wanted._replace(limit=page), as_json=False)


async def _csv_text(
    pool: Pool, device: Device, kind: Kind, wanted: Window, page: Sequence[Found]
) -> AsyncIterator[bytes]:
    """RFC 4180: a header, CRLF. An error half-way breaks the connection off: no file looks whole that is not."""
    yield _lines([(*read_readings.columns(kind), "siaga")])
    while page:
        yield _lines((*map(_cell, row.content), siaga) for row, siaga in _siaga(device, page))
        if wanted.limit:
            wanted = wanted._replace(limit=wanted.limit - len(page))
            if wanted.limit <= 0:
                return
        if len(page) < CSV_PAGE:
            return
        wanted = wanted._replace(after=page[-1].ts)
        page = await _csv_page(pool, kind, wanted)


def _cell(value: Any) -> Any:
    return ("true" if value else "false") if isinstance(value, bool) else value


def _lines(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
