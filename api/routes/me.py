"""Who is asking, and where this installation stands."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from api import context, shapes
from api.auth import Caller, Endpoints
from api.reply import encode, reply
from storage.as_json import time_text

ENDPOINTS = Endpoints("/api/v1")


@ENDPOINTS.get("/me", role="viewer", answer=shapes.Me)
async def show_me(request: Request, who: Caller) -> Response:
    """Name and role of the caller; the regency, its time zone, the server's time."""
    settings = context.of(request).settings
    return reply(
        encode(
            {
                "name": who.name,
                "role": who.role,
                "by": who.by,
                "regions": who.regions,
                "expires_at": who.expires_at and time_text(who.expires_at),
                "region": settings.region,
                "regency": settings.regency,
                "time_zone": settings.time_zone,
                "now": time_text(context.utc_now()),
            }
        )
    )
