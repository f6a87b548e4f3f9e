"""Windows in which work goes on: alerts of the devices in them are stored, and nobody is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from alerts.life import too_long
from api import alert_shapes, context
from api.alert_shapes import BIGINT_MAX, MayBecause, Said
from api.auth import ROLES, Caller, Endpoints
from api.bodies import Body, Time
from api.params import Cursor, Limit, limit_of, read_cursor, write_cursor
from api.problem_types import NOT_ALLOWED, STATE_CONFLICT
from api.problems import Problem, not_found, wrong_field
from api.reply import encode, items_reply, reply
from devices.kinds import KINDS
from devices.topics import DEVICE_ID, REGION
from storage import read_devices, windows
from storage.keys import Who
from storage.windows import State

ENDPOINTS = Endpoints("/api/v1")
# Everything that takes devices together, and each of them alone.
SCOPES = ("device", "district", *sorted({name for kind in KINDS.values() for name in kind.group_by}))

WindowId = Annotated[int, Path(ge=1, le=BIGINT_MAX)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")]


class NewWindow(Body):
    """Work on a device, or on all of a district, panel, river …; `from` now when left out.

    maintenance has an end; out_of_service may be without one, until somebody ends it.
    """

    what: Literal["maintenance", "out_of_service"] = "maintenance"
    scope: str = Field(description=f"one of {', '.join(SCOPES)}", json_schema_extra={"enum": list(SCOPES)})
    name: Name
    since: Time | None = Field(default=None, alias="from")
    until: Time | None = Field(default=None, alias="to")
    reason: Said


@ENDPOINTS.get("/windows", role="viewer", answer=alert_shapes.Windows)
async def list_windows(
    request: Request,
    state: Annotated[State, Query(description="standing now, to come, over, or all")] = "all",
    limit: Limit = None,
    cursor: Cursor = None,
) -> Response:
    """Windows of work, newest first."""
    here = context.of(request)
    size = limit_of(limit, here.settings.page_max)
    before = read_cursor(cursor, int)[0] if cursor else None
    async with here.reads.connection() as conn:
        rows = await windows.windows(conn, state, before, size + 1, context.utc_now())
    more = write_cursor(rows[size - 1]["id"]) if len(rows) > size else None
    return items_reply(request, map(encode, rows[:size]), more)


@ENDPOINTS.get("/windows/{window_id}", role="viewer", answer=alert_shapes.Window, problems=[HTTPStatus.NOT_FOUND])
async def show_window(request: Request, window_id: WindowId) -> Response:
    """One window of work."""
    async with context.of(request).reads.connection() as conn:
        row = await windows.one(conn, window_id, context.utc_now())
    if row is None:
        raise not_found(f"window {window_id}")
    return reply(encode(row))


@ENDPOINTS.post("/windows", role="operator", answer=alert_shapes.Window, status_code=HTTPStatus.CREATED)
async def create_window(request: Request, who: Caller, body: NewWindow) -> Response:
    """Begin work, now or later: on one device (operator), or on all of a district, panel, river … (engineer)."""
    here = context.of(request)
    now = context.utc_now()
    begin = _utc("from", body.since) if body.since else now
    end = _utc("to", body.until) if body.until else None
    _check(who, body, begin, end, now, here.settings.window_max_days)
    async with here.writes.connection() as conn:
        if body.scope == "device" and await read_devices.one_device(conn, body.name) is None:
            raise wrong_field("name", f"no device {body.name!r}")
        asked = windows.Window(body.what, body.scope, body.name, begin, end, body.reason, who.name)
        made = await windows.create(conn, asked, now)
        row = await windows.one(conn, made, now)
    return reply(encode(row), HTTPStatus.CREATED)


@ENDPOINTS.post(
    "/windows/{window_id}/end",
    role="operator",
    answer=alert_shapes.Window,
    problems=[HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT],
)
async def end_window(request: Request, who: Caller, window_id: WindowId, body: MayBecause | None = None) -> Response:
    """End work before its time. What still stands is shown and told within seconds; 409 when it is over already."""
    now = context.utc_now()
    async with context.of(request).writes.connection() as conn:
        row = await windows.one(conn, window_id, now)
        if row is None:
            raise not_found(f"window {window_id}")
        _check_scope(who, row["scope"])
        done = await windows.end(conn, window_id, who.name, body.reason if body else None, now)
        row = await windows.one(conn, window_id, now)
    if not done:
        raise Problem(STATE_CONFLICT, f"window {window_id} is over already", current=row)
    return reply(encode(row))


def _check(who: Who, body: NewWindow, begin: datetime, end: datetime | None, now: datetime, most_days: int) -> None:
    """Raise 422 naming field and limit, or 403."""
    if body.scope not in SCOPES:
        raise wrong_field("scope", f"{body.scope!r} is none of {', '.join(SCOPES)}")
    pattern = {"device": DEVICE_ID, "district": REGION}.get(body.scope)
    if pattern and not pattern.fullmatch(body.name):
        raise wrong_field("name", f"{body.name!r} is no name of a {body.scope}")
    _check_scope(who, body.scope)
    if begin > now + timedelta(days=most_days):
        raise wrong_field("from", f"more than {most_days} d away (SIAGA_WINDOW_MAX_DAYS)")
    if end is None:
        if body.what != "out_of_service":
            raise wrong_field("to", "maintenance needs an end; out_of_service may be without one")
    elif problem := too_long(max(begin, now), end, most_days * 24.0):
        raise wrong_field("to", f"{problem} (SIAGA_WINDOW_MAX_DAYS is {most_days})")


def _check_scope(who: Who, scope: str) -> None:
    if scope != "device" and ROLES.index(who.role) < ROLES.index("engineer"):
        detail = f"work on a whole {scope} needs the role engineer; {who.name} has {who.role}"
        raise Problem(NOT_ALLOWED, detail)


def _utc(field: str, at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise wrong_field(field, f"{at.isoformat()} is no time we can keep") from None
