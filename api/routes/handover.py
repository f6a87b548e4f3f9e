"""Handing a shift over: a draft of what the system knows, signed by who hands over and by who takes over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import Response

from alerts.handover import Signature, changes, refusal
from api import context, handover_shapes
from api.alert_shapes import BIGINT_MAX
from api.auth import Caller, Endpoints
from api.context import Conn, Context
from api.handover_draft import draft, unacknowledged
from api.params import Cursor, Limit, Moment, limit_of, moment, read_cursor, write_cursor
from api.problem_types import STATE_CONFLICT, VERSION_MISMATCH, VERSION_REQUIRED
from api.problems import Problem, not_found, wrong_field
from api.reply import encode, items_reply, reply
from api.routes.alert_actions import IfMatch, versions
from storage import event_log, handover
from storage.handover import Span

ENDPOINTS = Endpoints("/api/v1")
# Of who hands over for the first time.
SHIFT = timedelta(hours=12)

HandoverId = Annotated[int, Path(ge=1, le=BIGINT_MAX)]
Since = Annotated[Moment | None, Query(alias="from", description="when the shift began; the last handover if left out")]


@ENDPOINTS.get("/handover/draft", role="viewer", answer=handover_shapes.Draft)
async def show_draft(request: Request, since: Since = None) -> Response:
    """What there is to hand over now: rivers, open and shelved alerts, devices, forecasts, figures of the shift."""
    here, now = context.of(request), context.utc_now()
    begin = None if since is None else moment("from", since, now)
    async with here.reads.connection() as conn, conn.transaction():
        told = await draft(conn, await _begin(here, conn, begin, now), now, here.regions)
    return reply(encode(told))


@ENDPOINTS.get("/handover", role="viewer", answer=handover_shapes.Handovers)
async def list_handovers(request: Request, limit: Limit = None, cursor: Cursor = None) -> Response:
    """Handovers, newest first."""
    here = context.of(request)
    size = limit_of(limit, here.settings.page_max)
    before = read_cursor(cursor, int)[0] if cursor else None
    async with here.reads.connection() as conn:
        rows = await handover.listed(conn, before, size + 1)
    more = write_cursor(rows[size - 1]["id"]) if len(rows) > size else None
    return items_reply(request, map(encode, rows[:size]), more)


@ENDPOINTS.get(
    "/handover/{handover_id}", role="viewer", answer=handover_shapes.HandoverTold, problems=[HTTPStatus.NOT_FOUND]
)
async def show_handover(request: Request, handover_id: HandoverId) -> Response:
    """One handover as it was signed, and what has changed since."""
    here = context.of(request)
    async with here.reads.connection() as conn, conn.transaction():
        found = await _find(here, conn, handover_id, context.utc_now())
    return _told(found)


@ENDPOINTS.post(
    "/handover", role="operator", answer=handover_shapes.HandoverTold, status_code=HTTPStatus.CREATED
)  # fmt: skip
async def hand_over(request: Request, who: Caller, body: handover_shapes.NewHandover) -> Response:
    """Sign as handing over: the draft of this moment with one's notes, which nobody can change any more."""
    here = context.of(request)
    begin = _utc(body.since) if body.since else None
    async with here.writes.connection() as conn, conn.transaction():
        await conn.execute(event_log.LOCK)
        now = context.utc_now()
        of = Span(await _begin(here, conn, begin, now), now)
        told = await draft(conn, *of, here.regions)
        number = await handover.give(conn, of, who.name, here.regions, body.notes, told)
        found = await _find(here, conn, number, now)
    return _told(found, HTTPStatus.CREATED)


@ENDPOINTS.post(
    "/handover/{handover_id}/sign",
    role="operator",
    answer=handover_shapes.HandoverTold,
    problems=[
        HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED,
    ],
)  # fmt: skip
async def take_over(
    request: Request,
    who: Caller,
    handover_id: HandoverId,
    body: handover_shapes.Take | None = None,
    if_match: IfMatch = None,
) -> Response:
    """Sign as taking over. Refused (409) while an alert is unacknowledged, and to who has handed over."""
    if if_match is None:
        raise Problem(VERSION_REQUIRED, 'send If-Match: "version" of the handover you saw, or *')
    wanted, here = versions(if_match), context.of(request)
    signature = Signature(who.name, who.role == "admin", body.reason if body else None)
    async with here.writes.connection() as conn, conn.transaction():
        # Who raises or acknowledges an alert takes it too: what was judged is still so when it is written.
        await conn.execute(event_log.LOCK)
        now = context.utc_now()
        found = await _find(here, conn, handover_id, now)
        if problem := _refusal(found, signature):
            raise Problem(STATE_CONFLICT, problem, current=found)
        if wanted is not None and found["version"] not in wanted:
            raise Problem(VERSION_MISMATCH, f"the handover is at version {found['version']}", current=found)
        alone = signature.reason if who.name == found["given_by"] else None
        await handover.take(conn, handover_id, who.name, alone, found["changed"], now)
        found = await _find(here, conn, handover_id, now)
    return _told(found)


def _refusal(found: dict[str, Any], signature: Signature) -> str | None:
    if found["state"] == "taken":
        return f"{found['taken_by']} has taken over already"
    if not found["newest"]:
        return "a later handover has taken its place; sign that"
    return refusal(signature, found["given_by"], len(found["unacknowledged"]))


async def _begin(here: Context, conn: Conn, told: datetime | None, now: datetime) -> datetime:
    """When the shift began. Raises 422 naming the limit where that is said, and wrong."""
    most = timedelta(days=here.settings.kpi_days_max)
    if told is None:
        last = await handover.last_taken(conn, here.regions)
        return max(last or now - SHIFT, now - most)
    if not now - most <= told <= now:
        raise wrong_field("from", f"must be in the last {here.settings.kpi_days_max} d (SIAGA_KPI_DAYS_MAX)")
    return told


async def _find(here: Context, conn: Conn, number: int, now: datetime) -> dict[str, Any]:
    """A handover as clients see it: while it waits, beside what is told now. Raises 404."""
    row = await handover.one(conn, number)
    if row is None:
        raise not_found(f"handover {number}")
    since, told, changed = row.pop("since"), row.pop("told"), row.pop("changed")
    open_ones: Any = []
    if changed is None:
        latest = await draft(conn, since, now, here.regions)
        changed = [each._asdict() for each in changes(told, latest)]
        open_ones = unacknowledged(latest["open"]["items"])
    return row | {"draft": told, "changed": changed, "unacknowledged": open_ones}


def _told(found: dict[str, Any], status: int = HTTPStatus.OK) -> Response:
    return reply(encode(found), status, {"ETag": f'"{found["version"]}"'})


def _utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise wrong_field("from", f"{at.isoformat()} is no time we can keep") from None
