"""Alerts, their history, and acknowledging them."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated, Any

import psycopg
from fastapi import Header, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from api import context, shapes
from api.alert_item import alert_item, counts_item
from api.auth import Caller, Endpoints
from api.params import Cursor, DeviceId, KindFilter, Limit, cursor_time, limit_of, read_cursor, write_cursor
from api.problems import Problem, not_found, wrong_field
from api.reply import encode, items_reply, reply
from storage import read_alerts
from storage.ack import acknowledge
from storage.read_alerts import After, Historical, Row, State
from storage.read_alerts import Query as AlertQuery

ENDPOINTS = Endpoints("/api/v1")
BIGINT_MAX = 2**63 - 1
COMMENT_MAX = 2_000
TAG = re.compile(r'^(?:W/)?"?([0-9]{1,10})"?$', re.ASCII)

AlertId = Annotated[int, Path(ge=1, le=BIGINT_MAX)]


class Ack(BaseModel):
    """What goes with an acknowledgement."""

    model_config = ConfigDict(extra="forbid")

    comment: str | None = Field(default=None, max_length=COMMENT_MAX, pattern=r"^[^\x00]*$")


@ENDPOINTS.get("/alerts", role="viewer", answer=shapes.Alerts)
async def list_alerts(
    request: Request,
    state: Annotated[State, Query(description="open: active, or nobody has acknowledged it")] = "open",
    historical: Annotated[Historical, Query(description="raised by late data: without, only, or any")] = "false",
    kind: KindFilter = None,
    device: Annotated[DeviceId | None, Query(description="only of this device")] = None,
    min_severity: Annotated[int, Query(ge=0, le=3, description="3 critical … 0 low")] = 0,
    limit: Limit = None,
    cursor: Cursor = None,
) -> Response:
    """Open alerts: unacknowledged first, worst first, oldest first. Closed ones and all: newest first."""
    here = context.of(request)
    size = limit_of(limit, here.settings.page_max)
    after = _after(cursor) if cursor else None
    query = AlertQuery(state, historical, kind, device, min_severity, size + 1)
    async with here.reads.connection() as conn:
        rows = await read_alerts.list_alerts(conn, query, after)
    more = _cursor(rows[size - 1]) if len(rows) > size else None
    return items_reply(request, (encode(alert_item(row)) for row in rows[:size]), more)


@ENDPOINTS.get("/alerts/counts", role="viewer", answer=shapes.Counts)
async def count_alerts(request: Request) -> Response:
    """How many alerts are open, and how many of each severity nobody has acknowledged; historical ones not counted."""
    async with context.of(request).reads.connection() as conn:
        return reply(encode(counts_item(await read_alerts.counts(conn))))


@ENDPOINTS.get(
    "/alerts/{alert_id}", role="viewer", answer=shapes.AlertWithHistory, problems=[HTTPStatus.NOT_FOUND]
)  # fmt: skip
async def show_alert(request: Request, alert_id: AlertId) -> Response:
    """One alert with everything that happened to it; ETag is its version."""
    async with context.of(request).reads.connection() as conn:
        alert = await _alert(conn, alert_id)
        alert["history"] = await read_alerts.history(conn, alert_id)
    return reply(encode(alert), headers=_tag(alert))


@ENDPOINTS.post(
    "/alerts/{alert_id}/ack",
    role="operator",
    answer=shapes.Alert,
    problems=[
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
        HTTPStatus.PRECONDITION_FAILED,
        HTTPStatus.PRECONDITION_REQUIRED,
    ],
)
async def acknowledge_alert(
    request: Request,
    who: Caller,
    alert_id: AlertId,
    body: Ack | None = None,
    if_match: Annotated[
        str | None, Header(max_length=200, description='version shown to the operator, as in ETag ("3"); * for any')
    ] = None,
) -> Response:
    """Say that somebody looks after an alert. Of two operators one gets 200, the other 409 with the alert as it is."""
    if if_match is None:
        raise Problem(HTTPStatus.PRECONDITION_REQUIRED, 'send If-Match: "version" of the alert you saw, or *')
    versions = _versions(if_match)
    comment = body.comment if body else None
    async with context.of(request).writes.connection() as conn:
        outcome = await acknowledge(conn, alert_id, versions, who.name, comment, context.utc_now())
        alert = await _alert(conn, alert_id)
    if outcome == "already acked":
        raise Problem(HTTPStatus.CONFLICT, f"already acknowledged by {alert['acked_by']}", current=alert)
    if outcome == "changed":
        detail = f"the alert is at version {alert['version']} now, not {if_match}"
        raise Problem(HTTPStatus.PRECONDITION_FAILED, detail, current=alert)
    return reply(encode(alert), headers=_tag(alert))


async def _alert(conn: psycopg.AsyncConnection[Any], alert_id: int) -> dict[str, Any]:
    row = await read_alerts.one_alert(conn, alert_id)
    if row is None:
        raise not_found(f"alert {alert_id}")
    return alert_item(row)


def _tag(alert: dict[str, Any]) -> dict[str, str]:
    return {"ETag": f'"{alert["version"]}"'}


def _versions(if_match: str) -> frozenset[int] | None:
    if if_match.strip() == "*":
        return None
    tags = [TAG.match(tag.strip()) for tag in if_match.split(",")]
    if not all(tags):
        raise wrong_field("If-Match", f'{if_match!r} is neither * nor a version such as "3"')
    return frozenset(int(tag[1]) for tag in tags if tag)


def _cursor(row: Row) -> str:
    return write_cursor(row["acked"], row["severity"], row["raised_at"], row["id"])


def _after(cursor: str) -> After:
    acked, severity, raised_at, number = read_cursor(cursor, bool, int, str, int)
    return After(acked, severity, cursor_time(raised_at), number)
