"""Rivers beside their levels: travel times from gauge to gauge, and rain."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from api import context, river_shapes
from api.auth import Endpoints
from api.reply import encode, items_reply
from storage import rivers

ENDPOINTS = Endpoints("/api/v1")


@ENDPOINTS.get("/rivers/lags", role="viewer", answer=river_shapes.TravelTimes)
async def list_lags(request: Request) -> Response:
    """How long water takes from each gauge to the next one down, as learned, with its spread."""
    async with context.of(request).reads.connection() as conn:
        rows = await rivers.lags(conn)
    return items_reply(request, map(encode, rows))


@ENDPOINTS.get("/rivers/rain", role="viewer", answer=river_shapes.Rains)
async def list_rain(request: Request) -> Response:
    """Rain of the last 1, 3 and 24 h on every gauge; what falls upstream arrives here later."""
    async with context.of(request).reads.connection() as conn:
        rows = await rivers.rain(conn, context.utc_now())
    return items_reply(request, map(encode, rows))
