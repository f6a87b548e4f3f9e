"""The roster: who is on duty, and who is told while nobody is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api import context, notice_shapes
from api.alert_shapes import BIGINT_MAX
from api.auth import Caller, Endpoints
from api.bodies import Body, Time
from api.params import Cursor, Limit, limit_of, read_cursor, write_cursor
from api.problem_types import STATE_CONFLICT
from api.problems import Problem, not_found, wrong_field
from api.reply import encode, items_reply, reply
from api.routes.notices import NAME, plan_of
from storage import duty
from storage.duty import State

ENDPOINTS = Endpoints("/api/v1")

ShiftId = Annotated[int, Path(ge=1, le=BIGINT_MAX)]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")]


class NewShift(Body):
    """A shift of somebody who is in the notice plan, in a team that is; `from` now when left out."""

    team: Name
    person: Name
    since: Time | None = Field(default=None, alias="from")
    until: Time = Field(alias="to", description="within SIAGA_DUTY_MAX_DAYS of its beginning")


@ENDPOINTS.get("/duty", role="viewer", whole=True, answer=notice_shapes.Shifts)
async def list_shifts(
    request: Request,
    state: Annotated[State, Query(description="standing now, to come, over, or all")] = "all",
    team: Annotated[str | None, Query(pattern=NAME, description="only of this team")] = None,
    limit: Limit = None,
    cursor: Cursor = None,
) -> Response:
    """Shifts, newest first."""
    here = context.of(request)
    size = limit_of(limit, here.settings.page_max)
    before = read_cursor(cursor, int)[0] if cursor else None
    async with here.reads.connection() as conn:
        rows = await duty.listed(conn, state, team, before, size + 1, context.utc_now())
    more = write_cursor(rows[size - 1]["id"]) if len(rows) > size else None
    return items_reply(request, map(encode, rows[:size]), more)


@ENDPOINTS.get("/duty/now", role="viewer", whole=True, answer=notice_shapes.DutyNow)
async def show_duty_now(request: Request) -> Response:
    """Of every team of the plan who is on duty, and who would be told."""
    here = context.of(request)
    plan = await plan_of(here.settings)
    async with here.reads.connection() as conn:
        now = await duty.on_duty(conn, context.utc_now())
    known = {team.name: [name for name in now.get(team.name, []) if plan.person(name)] for team in plan.teams}
    teams = [
        {"team": team.name, "on_duty": known[team.name], "told": known[team.name] or list(team.fallback)}
        for team in plan.teams
    ]
    return reply(encode({"teams": teams}))


@ENDPOINTS.post(
    "/duty", role="operator", whole=True, answer=notice_shapes.Shift, status_code=HTTPStatus.CREATED
)  # fmt: skip
async def create_shift(request: Request, who: Caller, body: NewShift) -> Response:
    """Write down who is on duty from when until when."""
    here = context.of(request)
    now = context.utc_now()
    begin, end = _utc("from", body.since) if body.since else now, _utc("to", body.until)
    if end <= max(begin, now):
        raise wrong_field("to", f"{end.isoformat()} is not after {max(begin, now).isoformat()}")
    if end - begin > timedelta(days=here.settings.duty_max_days):
        raise wrong_field("to", f"more than {here.settings.duty_max_days} d after from (SIAGA_DUTY_MAX_DAYS)")
    plan = await plan_of(here.settings)
    if plan.team(body.team) is None:
        raise wrong_field("team", f"no team {body.team!r} in the notice plan")
    if plan.person(body.person) is None:
        raise wrong_field("person", f"no person {body.person!r} in the notice plan")
    async with here.writes.connection() as conn:
        made = await duty.create(conn, duty.Shift(body.team, body.person, begin, end, who.name), now)
        row = await duty.one(conn, made, now)
    return reply(encode(row), HTTPStatus.CREATED)


@ENDPOINTS.post(
    "/duty/{shift_id}/end",
    role="operator",
    whole=True,
    answer=notice_shapes.Shift,
    problems=[HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT],
)
async def end_shift(request: Request, who: Caller, shift_id: ShiftId) -> Response:
    """End a shift before its time, or call one off that is to come; 409 when it is over already."""
    now = context.utc_now()
    async with context.of(request).writes.connection() as conn:
        done = await duty.end(conn, shift_id, who.name, now)
        row = await duty.one(conn, shift_id, now)
    if row is None:
        raise not_found(f"shift {shift_id}")
    if not done:
        raise Problem(STATE_CONFLICT, f"shift {shift_id} is over already", current=row)
    return reply(encode(row))


def _utc(field: str, at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise wrong_field(field, f"{at.isoformat()} is no time we can keep") from None
