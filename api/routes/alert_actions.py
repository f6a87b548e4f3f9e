"""What one does to alerts: acknowledge, shelve, comment, assign, one by one or many at once."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Header, Path
from starlette.requests import Request
from starlette.responses import Response

from alerts.life import Action, Order, too_long
from api import alert_shapes as bodies
from api import context, shapes
from api.alert_item import AlertId, find_alert, tag
from api.auth import ROLES, Caller, Endpoints
from api.params import Cursor, Limit, limit_of, read_cursor, write_cursor
from api.problem_types import STATE_CONFLICT, VERSION_MISMATCH, VERSION_REQUIRED
from api.problems import Problem, not_found, wrong_field
from api.reply import encode, items_reply, reply
from runtime.settings import Settings
from storage import shelf
from storage.alert_act import act
from storage.keys import Who

ENDPOINTS = Endpoints("/api/v1")
TAG = re.compile(r'^(?:W/)?"?([0-9]{1,10})"?$', re.ASCII)
REFUSALS = [
    HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED,
]  # fmt: skip
OPTIONS: dict[str, Any] = {"role": "operator", "answer": shapes.Alert, "problems": REFUSALS}

IfMatch = Annotated[
    str | None, Header(max_length=200, description='version shown to the operator, as in ETag ("3"); * for any')
]
RuleId = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
OnDevice = Annotated[str, Path(pattern=r"^\$?[A-Za-z0-9_-]{1,64}$")]


@ENDPOINTS.post("/alerts/{alert_id}/ack", **OPTIONS)
async def acknowledge_alert(
    request: Request, who: Caller, alert_id: AlertId, body: bodies.Ack | None = None, if_match: IfMatch = None
) -> Response:
    """Say that somebody looks after an alert. Of two operators one gets 200, the other 409 with the alert as it is."""
    return await _do(request, alert_id, if_match, _order(who, "ack", body.comment if body else None))


@ENDPOINTS.post("/alerts/{alert_id}/unack", **OPTIONS)
async def unacknowledge_alert(
    request: Request, who: Caller, alert_id: AlertId, body: bodies.Because, if_match: IfMatch = None
) -> Response:
    """Take an acknowledgement back: nobody looks after it. An alert that is over stays over (409)."""
    return await _do(request, alert_id, if_match, _order(who, "unack", body.reason))


@ENDPOINTS.post("/alerts/{alert_id}/shelve", **OPTIONS)
async def shelve_alert(
    request: Request, who: Caller, alert_id: AlertId, body: bodies.Shelve, if_match: IfMatch = None
) -> Response:
    """Put an alert out of sight for a time. It comes back by itself, and at once when it becomes worse."""
    order = _order(who, "shelve", body.reason, until=body.until, scope=body.scope)
    _check_until(context.of(request).settings, who, order)
    return await _do(request, alert_id, if_match, order)


@ENDPOINTS.post("/alerts/{alert_id}/unshelve", **OPTIONS)
async def unshelve_alert(
    request: Request, who: Caller, alert_id: AlertId, body: bodies.MayBecause | None = None, if_match: IfMatch = None
) -> Response:
    """Bring an alert back before its time, and its rule on this device with it."""
    return await _do(request, alert_id, if_match, _order(who, "unshelve", body.reason if body else None))


@ENDPOINTS.post("/alerts/{alert_id}/comment", **OPTIONS)
async def comment_on_alert(
    request: Request, who: Caller, alert_id: AlertId, body: bodies.Comment, if_match: IfMatch = None
) -> Response:
    """Add a word for the record, also when the alert is over."""
    return await _do(request, alert_id, if_match, _order(who, "comment", body.comment))


@ENDPOINTS.post("/alerts/{alert_id}/assign", **OPTIONS)
async def assign_alert(
    request: Request, who: Caller, alert_id: AlertId, body: bodies.Assign, if_match: IfMatch = None
) -> Response:
    """Say who is to look after it; null takes it back. It does not acknowledge."""
    return await _do(request, alert_id, if_match, _order(who, "assign", body.reason, assignee=body.assignee))


@ENDPOINTS.post("/alerts/bulk", role="operator", answer=bodies.ActedAlerts)
async def act_on_many(request: Request, who: Caller, body: bodies.Bulk) -> Response:
    """One action for many alerts in one transaction. What has changed meanwhile is told, the others go through."""
    here = context.of(request)
    if len(body.items) > here.settings.page_max:
        raise wrong_field("items", f"{len(body.items)} are more than {here.settings.page_max} (SIAGA_PAGE_MAX)")
    order = _of_many(here.settings, who, body)
    wanted = {each.id: None if each.version is None else frozenset({each.version}) for each in body.items}
    async with here.writes.connection() as conn:
        acted = await act(conn, wanted, order)
    return reply(encode({"items": [each._asdict() for each in acted]}))


@ENDPOINTS.get("/alerts/shelves", role="viewer", answer=bodies.Shelves)
async def list_shelves(request: Request, limit: Limit = None, cursor: Cursor = None) -> Response:
    """Rules that are shelved on devices, whether they have an alert now or not."""
    here = context.of(request)
    size = limit_of(limit, here.settings.page_max)
    rule, device = read_cursor(cursor, str, str) if cursor else ("", "")
    async with here.reads.connection() as conn:
        rows = await shelf.shelves(conn, (rule, device), size + 1)
    more = write_cursor(rows[size - 1]["rule"], rows[size - 1]["device_id"]) if len(rows) > size else None
    return items_reply(request, map(encode, rows[:size]), more)


@ENDPOINTS.delete(
    "/alerts/shelves/{rule}/{device_id}",
    role="operator",
    status_code=HTTPStatus.NO_CONTENT,
    problems=[HTTPStatus.NOT_FOUND],
)
async def take_off_shelf(request: Request, who: Caller, rule: RuleId, device_id: OnDevice) -> Response:
    """Shelve a rule on a device no longer; an alert that it has there comes back."""
    async with context.of(request).writes.connection() as conn:
        if not await shelf.take_off(conn, rule, device_id, who.name, None, context.utc_now()):
            raise not_found(f"shelf of {rule} on {device_id}")
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _do(request: Request, alert_id: int, if_match: str | None, order: Order) -> Response:
    """Carry out an order for one alert; the alert as it then is."""
    if if_match is None:
        raise Problem(VERSION_REQUIRED, 'send If-Match: "version" of the alert you saw, or *')
    seen = versions(if_match)
    async with context.of(request).writes.connection() as conn:
        (acted,) = await act(conn, {alert_id: seen}, order)
        alert = await find_alert(conn, alert_id)
    if acted.outcome == "refused":
        raise Problem(STATE_CONFLICT, acted.problem or "", current=alert)
    if acted.outcome == "changed":
        raise Problem(VERSION_MISMATCH, f"{acted.problem}, not {if_match}", current=alert)
    return reply(encode(alert), headers=tag(alert))


def _order(who: Who, action: Action, why: str | None, **more: Any) -> Order:
    return Order(action, who.name, context.utc_now(), why, **more)


def _of_many(settings: Settings, who: Who, body: bodies.Bulk) -> Order:
    """The order in a bulk request, which has one body for all actions. Raises 422 as the action alone would."""
    given = body.model_fields_set
    for field, action in (("until", "shelve"), ("scope", "shelve"), ("assignee", "assign")):
        if field in given and body.action != action:
            raise wrong_field(field, f"belongs to {action}, not to {body.action}")
    if body.action in ("unack", "shelve", "comment") and not (body.reason or "").strip():
        raise wrong_field("reason", f"{body.action} needs one")
    if body.action == "assign" and "assignee" not in given:
        raise wrong_field("assignee", "assign needs one; null takes the assignment back")
    more = {"until": body.until, "scope": body.scope, "assignee": body.assignee}
    order = _order(who, body.action, body.reason, **more)
    if body.action == "shelve":
        _check_until(settings, who, order)
    return order


def _check_until(settings: Settings, who: Who, order: Order) -> None:
    """Shelving needs an end, as far away as the caller's role may put it. Raises 422 naming the limit."""
    if order.until is None:
        raise wrong_field("until", "shelve needs one")
    if ROLES.index(who.role) >= ROLES.index("engineer"):
        most_h, setting = settings.shelve_engineer_max_h, "SIAGA_SHELVE_ENGINEER_MAX_H"
    else:
        most_h, setting = settings.shelve_max_h, "SIAGA_SHELVE_MAX_H"
    if problem := too_long(order.at, _utc(order.until), most_h):
        raise wrong_field("until", f"{problem} ({setting} is {most_h:g})")


def _utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise wrong_field("until", f"{at.isoformat()} is no time we can keep") from None


def versions(if_match: str) -> frozenset[int] | None:
    """Those that an If-Match names; None: any."""
    if if_match.strip() == "*":
        return None
    tags = [TAG.match(each.strip()) for each in if_match.split(",")]
    if not all(tags):
        raise wrong_field("If-Match", f'{if_match!r} is neither * nor a version such as "3"')
    return frozenset(int(each[1]) for each in tags if each)
