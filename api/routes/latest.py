"""The newest reading of every device."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from api import context, shapes
from api.auth import Endpoints
from api.latest_item import latest_item
from api.params import Cursor, DeviceId, DistrictFilter, KindFilter, Limit, limit_of, read_cursor, write_cursor
from api.reply import items_reply
from storage import read_latest

ENDPOINTS = Endpoints("/api/v1")


@ENDPOINTS.get("/latest", role="viewer", answer=shapes.Latest)
async def list_latest(
    request: Request,
    kind: KindFilter = None,
    district: DistrictFilter = None,
    device: Annotated[DeviceId | None, Query(description="only this device")] = None,
    limit: Limit = None,
    cursor: Cursor = None,
) -> Response:
    """Newest readings in order of device id; river gauges with their siaga level and rate of rise."""
    here = context.of(request)
    size = limit_of(limit, here.settings.page_max)
    after = read_cursor(cursor, str)[0] if cursor else ""
    async with here.pool.connection() as conn:
        found = await read_latest.list_latest(conn, kind, district, device, after, size + 1)
        page = found[:size]
        rates = await read_latest.rates(conn, page, context.utc_now())
    more = write_cursor(page[-1].device_id) if len(found) > size else None
    return items_reply(request, (latest_item(item, rates.get(item.device_id)) for item in page), more)
