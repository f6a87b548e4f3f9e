"""The newest reading of every device, now or at a time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, Any

import psycopg
from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from api import context, shapes
from api.auth import Endpoints
from api.latest_item import latest_item
from api.params import (
    Cursor,
    DeviceId,
    DistrictFilter,
    KindFilter,
    Limit,
    Moment,
    limit_of,
    moment,
    read_cursor,
    write_cursor,
)  # fmt: skip
from api.problems import wrong_field
from api.reply import items_reply
from devices.kinds import KINDS
from storage import read_at, read_latest
from storage.as_json import time_text
from storage.read_latest import Latest

ENDPOINTS = Endpoints("/api/v1")


@ENDPOINTS.get("/latest", role="viewer", answer=shapes.Latest)
async def list_latest(
    request: Request,
    kind: KindFilter = None,
    district: DistrictFilter = None,
    device: Annotated[DeviceId | None, Query(description="only this device")] = None,
    at: Annotated[Moment | None, Query(description="as of this time instead of now")] = None,
    limit: Limit = None,
    cursor: Cursor = None,
) -> Response:
    """Newest readings in order of device id; river gauges with their siaga level and rate of rise."""
    here, now = context.of(request), context.utc_now()
    size = limit_of(limit, here.settings.latest_max, setting="SIAGA_LATEST_MAX")
    after = read_cursor(cursor, str)[0] if cursor else ""
    then = None if at is None else moment("at", at, now)
    async with here.reads.connection() as conn:
        if then is None:
            found = await read_latest.list_latest(conn, kind, district, device, after, size + 1)
        else:
            back = timedelta(days=here.settings.latest_back_days)
            found = await _as_of(conn, then, back, kind, district, device, after, size + 1)
        page = found[:size]
        rates = await read_latest.rates(conn, page, then or now)
    more = write_cursor(page[-1].device_id) if len(found) > size else None
    # 10,000 items are some 20 ms of text: not on the loop that serves everybody.
    return await asyncio.to_thread(_reply, request, page, rates, more)


def _reply(request: Request, page: list[Latest], rates: dict[str, float], more: str | None) -> Response:
    return items_reply(request, (latest_item(item, rates.get(item.device_id)) for item in page), more)


async def _as_of(
    conn: psycopg.AsyncConnection[Any],
    then: datetime,
    back: timedelta,
    kind: str | None,
    district: str | None,
    device: str | None,
    after: str,
    limit: int,
) -> list[Latest]:
    kinds = [KINDS[kind]] if kind else list(KINDS.values())
    if gone := await read_at.closed_after(conn, kinds, then):
        told = ", ".join(f"{name} from {time_text(until)} on" for name, until in sorted(gone.items()))
        raise wrong_field(
            "at", f"readings of {time_text(then)} have been dropped (there are: {told}); /metrics has aggregates of it"
        )
    return await read_at.list_latest(conn, kinds, read_at.Moment(then, then - back), district, device, after, limit)
