"""Notices: what was sent to whom, what was given up, and the plan behind it."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Path, Query
from psycopg.conninfo import make_conninfo
from starlette.requests import Request
from starlette.responses import Response

from alerts.notice_plan import Plan, PlanError
from api import context, notice_shapes, shapes
from api.alert_shapes import BIGINT_MAX
from api.auth import Caller, Endpoints
from api.params import Cursor, Limit, Moment, limit_of, moment, read_cursor, write_cursor
from api.problem_types import PLAN_UNREADABLE, STATE_CONFLICT
from api.problems import Problem, not_found
from api.reply import encode, items_reply, reply
from runtime.log import get_logger
from runtime.settings import Settings
from storage import notice_file, notices, outbox
from storage.notices import State

log = get_logger(__name__)

ENDPOINTS = Endpoints("/api/v1")
NAME = r"^[^\x00]{1,200}$"

DeliveryId = Annotated[int, Path(ge=1, le=BIGINT_MAX)]


@ENDPOINTS.get("/notices", role="viewer", answer=notice_shapes.Notices)
async def list_notices(
    request: Request,
    state: Annotated[State | None, Query(description="failed: will be tried again; dead: given up")] = None,
    alert: Annotated[int | None, Query(ge=1, le=BIGINT_MAX, description="only about this alert")] = None,
    person: Annotated[str | None, Query(pattern=NAME, description="only to this person")] = None,
    since: Annotated[Moment | None, Query(description="only made since then")] = None,
    limit: Limit = None,
    cursor: Cursor = None,
) -> Response:
    """Messages to people, newest first."""
    here = context.of(request)
    size = limit_of(limit, here.settings.page_max)
    before = read_cursor(cursor, int)[0] if cursor else None
    begin = moment("since", since, context.utc_now()) if since is not None else None
    async with here.reads.connection() as conn:
        rows = await notices.listed(conn, notices.Query(state, size + 1, before, alert, person, begin))
    more = write_cursor(rows[size - 1]["id"]) if len(rows) > size else None
    return items_reply(request, map(encode, rows[:size]), more)


@ENDPOINTS.get("/notices/plan", role="viewer", whole=True, answer=notice_shapes.NoticePlan)
async def show_plan(request: Request) -> Response:
    """Who is told of what, when and in which order; the file as it is now, without URLs."""
    plan = await plan_of(context.of(request).settings)
    return reply(encode(_item(plan)))


@ENDPOINTS.post(
    "/notices/{delivery_id}/retry",
    role="operator",
    answer=shapes.Notice,
    problems=[HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT],
)
async def retry_notice(request: Request, who: Caller, delivery_id: DeliveryId) -> Response:
    """Have a dead letter sent after all; 409 for what was sent, or is still being tried."""
    async with context.of(request).writes.connection() as conn, conn.transaction():
        done = await notices.retry(conn, delivery_id)
        row = await notices.one(conn, delivery_id)
        if row is None:
            raise not_found(f"notice {delivery_id}")
        if not done:
            raise Problem(STATE_CONFLICT, f"notice {delivery_id} is no dead letter: {row['state']}", current=row)
        await outbox.defer_delivery(outbox.app(make_conninfo("")), conn, delivery_id)
    log.info("notice.retried", delivery=delivery_id, who=who.name)
    return reply(encode(row))


async def plan_of(settings: Settings) -> Plan:
    """The plan as it is now. Raises 503 with what is wrong with it, line by line."""
    try:
        return await asyncio.to_thread(notice_file.of_settings, settings)
    except PlanError as error:
        raise Problem(PLAN_UNREADABLE, f"SIAGA_NOTICE_PLAN: {error}") from None


def _item(plan: Plan) -> dict[str, Any]:
    item = plan.model_dump(mode="json", by_alias=True, exclude={"channels"})
    for route in item["routes"]:
        route |= {name: sorted(route[name]) for name in ("kinds", "districts", "rules")}
        if route["quiet"]:
            route["quiet"] |= {name: route["quiet"][name][:5] for name in ("from", "until")}
    return {"channels": [{"name": each.name, "source": each.source} for each in plan.channels]} | item
