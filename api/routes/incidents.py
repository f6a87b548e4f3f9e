"""Incidents, who is under them, and open alerts taken together, for when there are too many to read."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from alerts.incident import group_of
from api import context, incident_shapes
from api.alert_item import AlertId, alert_item, tag
from api.auth import Endpoints
from api.params import Cursor, KindFilter, Limit, Moment, cursor_time, limit_of, moment, read_cursor, write_cursor
from api.places import Places
from api.problems import not_found
from api.reply import encode, items_reply, reply
from storage import read_alerts, read_incidents
from storage.read_alerts import Historical
from storage.read_incidents import Query as IncidentQuery
from storage.read_incidents import State

ENDPOINTS = Endpoints("/api/v1")


@ENDPOINTS.get("/incidents", role="viewer", answer=incident_shapes.Incidents)
async def list_incidents(
    request: Request,
    place: Places,
    state: Annotated[State, Query(description="open: active, or nobody has acknowledged it")] = "open",
    historical: Annotated[Historical, Query(description="told by late data: without, only, or any")] = "false",
    kind: KindFilter = None,
    since: Annotated[Moment | None, Query(description="began since then")] = None,
    min_severity: Annotated[int, Query(ge=0, le=3, description="3 critical … 0 low")] = 0,
    limit: Limit = None,
    cursor: Cursor = None,
) -> Response:
    """Alerts that stand for many, newest first: of panels, feeders, gateways, and of the whole stream."""
    here = context.of(request)
    size = limit_of(limit, here.settings.page_max)
    begin = moment("since", since, context.utc_now()) if since is not None else None
    after = None
    if cursor:
        raised_at, number = read_cursor(cursor, str, int)
        after = (cursor_time(raised_at), number)
    async with here.reads.connection() as conn:
        query = IncidentQuery(state, historical, begin, size + 1, after, kind, place, min_severity)
        rows = await read_incidents.list_incidents(conn, query)
    more = write_cursor(rows[size - 1]["raised_at"], rows[size - 1]["id"]) if len(rows) > size else None
    return items_reply(request, (encode(alert_item(row)) for row in rows[:size]), more)


@ENDPOINTS.get(
    "/incidents/{alert_id}", role="viewer", answer=incident_shapes.Incident, problems=[HTTPStatus.NOT_FOUND]
)  # fmt: skip
async def show_incident(request: Request, alert_id: AlertId) -> Response:
    """One incident with its history, and how many devices it stands for; ETag is its version."""
    async with context.of(request).reads.connection() as conn:
        row = await read_incidents.one_incident(conn, alert_id)
        if row is None:
            raise not_found(f"incident {alert_id}")
        history = await read_alerts.history(conn, alert_id)
    group = group_of(row["device_id"])
    found = alert_item(row) | {"group": group and group._asdict(), "history": history}
    return reply(encode(found), headers=tag(found))


@ENDPOINTS.get(
    "/incidents/{alert_id}/members", role="viewer", answer=incident_shapes.Members, problems=[HTTPStatus.NOT_FOUND]
)  # fmt: skip
async def list_members(request: Request, alert_id: AlertId, limit: Limit = None, cursor: Cursor = None) -> Response:
    """All alerts that ever were under an incident, also those that were let out; in order of their ids."""
    here = context.of(request)
    size = limit_of(limit, here.settings.page_max)
    after = read_cursor(cursor, int)[0] if cursor else 0
    async with here.reads.connection() as conn:
        if await read_incidents.one_incident(conn, alert_id) is None:
            raise not_found(f"incident {alert_id}")
        rows = await read_incidents.members(conn, alert_id, after, size + 1)
    more = write_cursor(rows[size - 1]["id"]) if len(rows) > size else None
    return items_reply(request, (encode(alert_item(row)) for row in rows[:size]), more)


@ENDPOINTS.get("/alerts/groups", role="viewer", answer=incident_shapes.AlertGroups)
async def group_alerts(request: Request) -> Response:
    """Open alerts by rule and district, worst and most first: what a flood of them comes to."""
    async with context.of(request).reads.connection() as conn:
        rows = await read_incidents.alert_groups(conn)
    return items_reply(request, map(encode, rows), None)
