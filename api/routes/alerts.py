"""Alerts and their history. What one does to them: alert_actions.py."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

import psycopg
from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from alerts.rules_scope import level_on
from api import context, csv_text, geojson, shapes
from api.alert_item import AlertId, alert_item, counts_now, find_alert, tag
from api.auth import Endpoints
from api.csv_text import DialectOf, Sheet, cells, csv_reply, keyset
from api.formats import Fields, FormatOf, chosen, fields, only
from api.params import (
    Cursor,
    DeviceId,
    KindFilter,
    Limit,
    Moment,
    cursor_time,
    limit_of,
    moment,
    read_cursor,
    write_cursor,
)  # fmt: skip
from api.places import Places
from api.reply import encode, items_reply, reply
from storage import notices, read_alerts, read_devices, rules
from storage.fleet import get_device
from storage.read_alerts import After, Historical, Row, State
from storage.read_alerts import Query as AlertQuery

ENDPOINTS = Endpoints("/api/v1")
BIGINT_MAX = 2**63 - 1
NAMES = tuple(shapes.Alert.model_fields)
COLUMNS = (*(name for name in NAMES if name != "title"), "title_id", "title_en")
FORMS = {"responses": {"200": {"content": csv_text.CONTENT | geojson.CONTENT}}}
NAME = r"^[^\x00]{1,200}$"


@ENDPOINTS.get("/alerts", role="viewer", answer=shapes.Alerts, extra=FORMS)
async def list_alerts(
    request: Request,
    place: Places,
    state: Annotated[
        State,
        Query(description="open: active, or nobody has acknowledged it, and neither shelved nor suppressed"),
    ] = "open",
    historical: Annotated[Historical, Query(description="raised by late data: without, only, or any")] = "false",
    kind: KindFilter = None,
    device: Annotated[DeviceId | None, Query(description="only of this device")] = None,
    rule: Annotated[str | None, Query(pattern=NAME, description="only of this rule")] = None,
    assignee: Annotated[str | None, Query(pattern=NAME, description="only assigned to this person")] = None,
    parent: Annotated[int | None, Query(ge=1, le=BIGINT_MAX, description="only what this alert stands for")] = None,
    since: Annotated[Moment | None, Query(description="raised since then")] = None,
    min_severity: Annotated[int, Query(ge=0, le=3, description="3 critical … 0 low")] = 0,
    told: Fields = None,
    form: FormatOf = None,
    dialect: DialectOf = "rfc4180",
    limit: Limit = None,
    cursor: Cursor = None,
) -> Response:
    """Open alerts: unacknowledged first, worst first, oldest first. Closed ones and all: newest first. CSV is whole
    unless limited."""
    here = context.of(request)
    form = chosen(request, form, has_places=True)
    names = fields(told, COLUMNS if form == "csv" else NAMES)
    size = limit_of(limit, here.settings.page_max)
    after = _after(cursor) if cursor else None
    begin = moment("since", since, context.utc_now()) if since is not None else None
    query = AlertQuery(
        state, historical, size + 1, kind, device, place, rule, assignee, begin, parent, min_severity
    )  # fmt: skip

    async def read(after: After | None, size: int) -> list[Row]:
        async with here.reads.connection() as conn:
            return await read_alerts.list_alerts(conn, query._replace(limit=size), after)

    if form == "csv":
        columns = names or COLUMNS
        pages = keyset(read, lambda row: _after(_cursor(row)), after, limit)
        lines = (cells(map(_flat, page), columns) async for page in pages)
        return await csv_reply(request, "alerts", Sheet(columns, dialect, here.settings.zone), lines)
    rows = await read(after, size + 1)
    more = _cursor(rows[size - 1]) if len(rows) > size else None
    items = (encode(alert_item(row)) for row in rows[:size])
    if form == "geojson":
        async with here.reads.connection() as conn:
            points = await read_devices.points(conn, [row["device_id"] for row in rows])
        return geojson.geojson_reply(request, items, lambda item: points.get(item["device_id"]), names, more)
    return items_reply(request, only(items, names), more)


@ENDPOINTS.get("/alerts/counts", role="viewer", answer=shapes.Counts)
async def count_alerts(request: Request) -> Response:
    """How many alerts are open, unacknowledged by severity, shelved and suppressed; historical ones are not counted.

    flood: more than ten came within ten minutes, and there are not fewer than five again yet."""
    async with context.of(request).reads.connection() as conn:
        return reply(encode(await counts_now(conn, context.utc_now())))


@ENDPOINTS.get(
    "/alerts/{alert_id}", role="viewer", answer=shapes.AlertWithHistory, problems=[HTTPStatus.NOT_FOUND]
)  # fmt: skip
async def show_alert(request: Request, alert_id: AlertId) -> Response:
    """One alert with everything that happened to it and whom it was told to; ETag is its version."""
    async with context.of(request).reads.connection() as conn:
        alert = await find_alert(conn, alert_id)
        alert["history"] = await read_alerts.history(conn, alert_id)
        alert["notices"] = await notices.of_alert(conn, alert_id)
        alert["procedure"] = await _procedure(conn, alert)
    return reply(encode(alert), headers=tag(alert))


async def _procedure(conn: psycopg.AsyncConnection[Any], alert: dict[str, Any]) -> dict[str, Any] | None:
    device = await get_device(conn, alert["device_id"]) if alert["state"] == "active" else None
    if device is None:
        return None
    level = level_on((await rules.read(conn)).rules, device, alert["rule"], alert["severity"])
    return level.model_dump(mode="json", include={"role", "sop", "report_s"}) if level else None


def _flat(row: Row) -> dict[str, Any]:
    item = alert_item(row)
    return item | {"title_id": item["title"]["id"], "title_en": item["title"]["en"]}


def _cursor(row: Row) -> str:
    return write_cursor(row["acked"], row["severity"], row["raised_at"], row["id"])


def _after(cursor: str) -> After:
    acked, severity, raised_at, number = read_cursor(cursor, bool, int, str, int)
    return After(acked, severity, cursor_time(raised_at), number)
