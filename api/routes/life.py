"""The life of a device, with dates: planned, in service, retired; and what it belonged to, from when to when."""

from __future__ import annotations

from datetime import UTC
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from api import context
from api.auth import Caller, Endpoints
from api.command_shapes import History, Life, NewStep
from api.problems import wrong_field
from api.reply import encode, items_reply
from api.routes.commands import Named, known
from storage import life
from storage.life import Step

ENDPOINTS = Endpoints("/api/v1")


@ENDPOINTS.get("/devices/{device_id}/life", role="viewer", answer=Life, problems=[HTTPStatus.NOT_FOUND])
async def show_life(request: Request, device_id: Named) -> Response:
    """Every date of a device's life, newest first."""
    async with context.of(request).reads.connection() as conn:
        await known(conn, device_id)
        steps = await life.steps(conn, device_id)
    return items_reply(request, map(encode, steps))


@ENDPOINTS.post("/devices/{device_id}/life", role="engineer", answer=Life, problems=[HTTPStatus.NOT_FOUND])
async def set_life(request: Request, who: Caller, device_id: Named, body: NewStep) -> Response:
    """Say what a device is from a time on. Its alerts end, and nothing is expected of it, unless it is in service.

    Ingest knows within SIAGA_FLEET_RELOAD_S, of a date to come within seconds after it. The same date again replaces
    what was said of it.
    """
    now = context.utc_now()
    try:
        begin = body.since.astimezone(UTC) if body.since else now
    except OverflowError:
        raise wrong_field("from", "is no time we can keep") from None
    async with context.of(request).writes.connection() as conn, conn.transaction():
        await known(conn, device_id)
        await life.set_step(conn, Step(device_id, body.status, begin, who.name, body.reason), now)
        steps = await life.steps(conn, device_id)
    return items_reply(request, map(encode, steps))


@ENDPOINTS.get("/devices/{device_id}/history", role="viewer", answer=History, problems=[HTTPStatus.NOT_FOUND])
async def show_history(request: Request, device_id: Named) -> Response:
    """What a device belonged to (district, panel, feeder …), from when to when, newest first."""
    async with context.of(request).reads.connection() as conn:
        await known(conn, device_id)
        found = await life.history(conn, device_id)
    return items_reply(request, map(encode, found))
