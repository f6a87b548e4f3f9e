"""Quarantine: looking at what could not become readings, and claiming, replaying or discarding it."""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api import context, quarantine_shapes
from api.auth import Caller, Endpoints
from api.bodies import WHOLE, Body, Time
from api.params import Cursor, DeviceId, Limit, Moment, limit_of, moment, read_cursor, write_cursor
from api.problem_types import STATE_CONFLICT
from api.problems import Problem, not_found, wrong_field
from api.reply import encode, items_reply, reply
from devices.batch import QuarantineReason
from devices.topics import DEVICE_ID
from storage import read_quarantine
from storage.as_json import time_text
from storage.keys import Who
from storage.quarantine_act import Action, Order, State, act
from storage.read_quarantine import Chosen

ENDPOINTS = Endpoints("/api/v1")
BIGINT_MAX = 2**63 - 1
NOTE_MAX = 2_000
# A century: more is no wrong zone and no wrong clock.
SHIFT_MAX_S = 36_525 * 86_400
FINGERPRINT = r"^[0-9a-f]{16}$"
TIMES = ("first_seen", "last_seen", "claimed_at", "at")

EntryId = Annotated[int, Path(ge=1, le=BIGINT_MAX)]
Actions = Annotated[Action, Path(description="claim, replay or discard")]
Text = Annotated[str, Field(max_length=NOTE_MAX, pattern=r"^[^\x00]*$")]


class EntryAction(Body):
    """How to act: a note for the record; for a replay, seconds to add to every ts (UTC+7 sent as UTC: -25200)."""

    note: Text | None = None
    shift_s: float = Field(default=0.0, strict=True, ge=-SHIFT_MAX_S, le=SHIFT_MAX_S, allow_inf_nan=False)
    force: bool = Field(default=False, strict=True, description="also what somebody else has claimed")


class EntryFilter(Body):
    """Which entries; at least one condition."""

    reason: QuarantineReason | None = None
    state: Literal["open", "claimed"] | None = None
    device: Annotated[str, Field(pattern=DEVICE_ID.pattern)] | None = None
    fingerprint: Annotated[str, Field(pattern=FINGERPRINT)] | None = None
    since: Time | None = None


class EntriesAction(EntryAction):
    """Either ids or a filter; the oldest first, at most SIAGA_PAGE_MAX at once."""

    ids: list[Annotated[int, Field(ge=1, le=BIGINT_MAX), WHOLE]] | None = Field(default=None, min_length=1)
    filter: EntryFilter | None = None


@ENDPOINTS.get("/quarantine", role="viewer", answer=quarantine_shapes.Entries)
async def list_entries(
    request: Request,
    reason: Annotated[QuarantineReason | None, Query(description="only for this reason")] = None,
    state: Annotated[State | None, Query(description="only in this state")] = None,
    device: Annotated[DeviceId | None, Query(description="filed under it, or named by the topic")] = None,
    fingerprint: Annotated[str | None, Query(pattern=FINGERPRINT, description="only this group")] = None,
    since: Annotated[Moment | None, Query(description="seen since then")] = None,
    limit: Limit = None,
    cursor: Cursor = None,
) -> Response:
    """Entries, newest first, without their payloads."""
    here = context.of(request)
    size = limit_of(limit, here.settings.page_max)
    chosen = _chosen(reason, state, device, fingerprint, since)
    async with here.reads.connection() as conn:
        rows = await read_quarantine.entries(conn, chosen, _before(cursor), size + 1)
    more = write_cursor(rows[size - 1]["id"]) if len(rows) > size else None
    return items_reply(request, (encode(_plain(row)) for row in rows[:size]), more)


@ENDPOINTS.get("/quarantine/groups", role="viewer", answer=quarantine_shapes.Groups)
async def list_groups(
    request: Request,
    reason: Annotated[QuarantineReason | None, Query(description="only for this reason")] = None,
    state: Annotated[State | None, Query(description="only in this state")] = None,
    device: Annotated[DeviceId | None, Query(description="filed under it, or named by the topic")] = None,
    since: Annotated[Moment | None, Query(description="seen since then")] = None,
    limit: Limit = None,
    cursor: Cursor = None,
) -> Response:
    """Entries with the same complaint as one: how many, first and last seen, and the newest as a sample."""
    here = context.of(request)
    size = limit_of(limit, here.settings.page_max)
    async with here.reads.connection() as conn:
        chosen = _chosen(reason, state, device, None, since)
        rows = await read_quarantine.groups(conn, chosen, _before(cursor), size + 1)
    more = write_cursor(rows[size - 1]["sample"]) if len(rows) > size else None
    return items_reply(request, (encode(_plain(row)) for row in rows[:size]), more)


@ENDPOINTS.get(
    "/quarantine/{entry_id}", role="operator", answer=quarantine_shapes.EntryWhole, problems=[HTTPStatus.NOT_FOUND]
)  # fmt: skip
async def show_entry(request: Request, entry_id: EntryId) -> Response:
    """One entry with its payload, as text where it is UTF-8 and always as base64, and what was done with it."""
    async with context.of(request).reads.connection() as conn:
        row = await read_quarantine.entry(conn, entry_id)
    if row is None:
        raise not_found(f"quarantine entry {entry_id}")
    payload = row.pop("payload")
    answer = _plain(row)
    answer["events"] = [_plain(event) for event in row["events"]]
    answer["payload_text"] = _text(payload)
    answer["payload_base64"] = None if payload is None else base64.b64encode(payload).decode()
    return reply(encode(answer))


@ENDPOINTS.post("/quarantine/{action}", role="engineer", answer=quarantine_shapes.ActedEntries)
async def act_on_many(request: Request, who: Caller, action: Actions, body: EntriesAction) -> Response:
    """Claim, replay or discard many; each on its own, with a problem where nothing was done. `more`: some are left."""
    here = context.of(request)
    most = here.settings.page_max
    if (body.ids is None) == (body.filter is None):
        raise wrong_field("ids", "give either ids or a filter")
    if body.ids is not None and len(body.ids) > most:
        raise wrong_field("ids", f"{len(body.ids)} are more than {most} (SIAGA_PAGE_MAX)")
    if body.filter is not None and not any(body.filter.model_dump().values()):
        raise wrong_field("filter", "give at least one condition")
    async with here.writes.connection() as conn:
        ids = body.ids or []
        if body.filter is not None:
            told = body.filter.model_dump()
            ids = await read_quarantine.ids(conn, Chosen(**told | {"state": told["state"] or "open"}), most + 1)
        done = await act(conn, ids[:most], _order(action, body, who))
    items = ",".join(encode(each._asdict()) for each in done)
    return reply(f'{{"items":[{items}],"more":{encode(len(ids) > most)}}}')


@ENDPOINTS.post(
    "/quarantine/{entry_id}/{action}",
    role="engineer",
    answer=quarantine_shapes.ActedEntry,
    problems=[HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT],
)
async def act_on_one(
    request: Request, who: Caller, entry_id: EntryId, action: Actions, body: EntryAction | None = None
) -> Response:
    """Claim an entry, ask for its replay, or discard it; 409 with its state where that cannot be."""
    async with context.of(request).writes.connection() as conn:
        done = await act(conn, [entry_id], _order(action, body or EntryAction(), who))
    if not done:
        raise not_found(f"quarantine entry {entry_id}")
    (acted,) = done
    if acted.problem is not None:
        raise Problem(STATE_CONFLICT, acted.problem, current=acted._asdict())
    return reply(encode(acted._asdict()))


def _order(action: Action, how: EntryAction, who: Who) -> Order:
    if how.shift_s and action != "replay":
        raise wrong_field("shift_s", f"only a replay shifts times, {action} does not")
    if action == "discard" and not how.note:
        raise wrong_field("note", "say why: what is discarded is never stored")
    return Order(action, who.name, context.utc_now(), how.note, how.shift_s, how.force)


def _chosen(
    reason: str | None, state: State | None, device: str | None, fingerprint: str | None, since: str | None
) -> Chosen:
    begin = moment("since", since, context.utc_now()) if since is not None else None
    return Chosen(reason, state, device, fingerprint, begin)


def _before(cursor: str | None) -> int | None:
    return read_cursor(cursor, int)[0] if cursor else None


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: time_text(value) if name in TIMES and value else value for name, value in row.items()}


def _text(payload: bytes | None) -> str | None:
    try:
        return payload.decode() if payload is not None else None
    except UnicodeDecodeError:
        return None
