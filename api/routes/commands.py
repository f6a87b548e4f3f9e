"""What devices are told. A request only writes rows: ingest sends them, and takes over what the devices answer."""

from __future__ import annotations

import uuid
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Header, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from api import context
from api.auth import ROLES, Caller, Endpoints
from api.command_shapes import SCOPES, TELLABLE, Batch, Command, Commands, NewCommand, NewCommands
from api.context import Conn
from api.params import Cursor, DeviceId, Limit, limit_of, read_cursor, write_cursor
from api.problem_types import NOT_ALLOWED, STATE_CONFLICT
from api.problems import Problem, not_found, wrong_field
from api.reply import encode, items_reply, reply
from api.routes.inbox import KEY
from devices.commands import ArgsError, checked, command_of
from devices.device import Device
from devices.kind import Kind
from devices.kinds import KINDS
from devices.topics import DEVICE_ID
from runtime.settings import Settings
from storage import commands, fleet
from storage.commands import Asked, KeyUsedError, State
from storage.keys import Who

ENDPOINTS = Endpoints("/api/v1")
Named = Annotated[str, Path(pattern=DEVICE_ID.pattern)]
ONCE = "the same request under the same key is done once"
Key = Annotated[str | None, Header(alias="Idempotency-Key", pattern=KEY, description=ONCE)]
OfState = Annotated[State | None, Query(description="only in this state")]
UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


@ENDPOINTS.get("/commands", role="viewer", answer=Commands)
async def list_commands(
    request: Request,
    device: Annotated[DeviceId | None, Query(description="only of this device")] = None,
    batch: Annotated[str | None, Query(pattern=UUID, description="only what one request has asked for")] = None,
    state: OfState = None,
    limit: Limit = None,
    cursor: Cursor = None,
) -> Response:
    """Commands, newest first."""
    return await _listed(request, device, batch, state, limit, cursor)


@ENDPOINTS.get("/devices/{device_id}/commands", role="viewer", answer=Commands, problems=[HTTPStatus.NOT_FOUND])
async def list_commands_of_device(
    request: Request, device_id: Named, state: OfState = None, limit: Limit = None, cursor: Cursor = None
) -> Response:
    """What a device was told, newest first, and what became of it."""
    async with context.of(request).reads.connection() as conn:
        await known(conn, device_id)
    return await _listed(request, device_id, None, state, limit, cursor)


@ENDPOINTS.post(
    "/devices/{device_id}/commands",
    role="operator",
    answer=Command,
    status_code=HTTPStatus.CREATED,
    problems=[HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT],
)
async def tell_device(request: Request, who: Caller, device_id: Named, body: NewCommand, key: Key = None) -> Response:
    """Tell a device something: a lamp to switch or dim (operator), a gauge how often to report (engineer).

    409 where it is retired, or has not answered as many as SIAGA_COMMAND_OPEN_MAX. The same again under its key: 200.
    """
    here = context.of(request)
    async with here.writes.connection() as conn:
        device = await known(conn, device_id)
        asked = _asked(KINDS[device.kind], body, who, key, here.settings)
        try:
            # One transaction, so that the count is that of the moment.
            async with conn.transaction():
                made, is_new = await commands.ask(conn, device_id, asked)
                if is_new:
                    _check_free(device, await commands.waiting(conn, device_id), here.settings.command_open_max)
                row = await commands.one(conn, made)
        except KeyUsedError:
            raise _key_used() from None
    return reply(encode(row), HTTPStatus.CREATED if is_new else HTTPStatus.OK)


@ENDPOINTS.post(
    "/commands",
    role="engineer",
    answer=Batch,
    status_code=HTTPStatus.CREATED,
    problems=[HTTPStatus.NOT_FOUND],
)
async def tell_group(request: Request, who: Caller, body: NewCommands, key: Key = None) -> Response:
    """Tell all devices of a kind that share a panel, feeder, river … the same; those that are retired are left out."""
    here = context.of(request)
    if body.kind not in TELLABLE:
        raise wrong_field("kind", f"{body.kind!r} is none of {', '.join(TELLABLE)}")
    kind, most = KINDS[body.kind], here.settings.command_devices_max
    if body.scope not in kind.group_by:
        raise wrong_field("scope", f"{body.scope!r} is none of {', '.join(kind.group_by or SCOPES)}")
    asked = _asked(kind, body, who, key, here.settings)
    async with here.writes.connection() as conn:
        ids = await commands.members(conn, body.kind, body.scope, body.group, most + 1)
        if not ids:
            raise not_found(f"a {body.kind} of {body.scope} {body.group!r}")
        if len(ids) > most:
            raise wrong_field("group", f"more than {most} devices (SIAGA_COMMAND_DEVICES_MAX)")
        try:
            batch = await commands.ask_group(conn, ids, asked, uuid.uuid4())
        except KeyUsedError:
            raise _key_used() from None
    return reply(encode({"batch": batch, "devices": len(ids)}), HTTPStatus.CREATED)


async def known(conn: Conn, device_id: str) -> Device:
    """A device that the caller sees. Raises 404."""
    device = await fleet.get_device(conn, device_id)
    if device is None:
        raise not_found(f"device {device_id!r}")
    return device


async def _listed(
    request: Request, device: str | None, batch: str | None, state: State | None, limit: int | None, cursor: str | None
) -> Response:
    here = context.of(request)
    size = limit_of(limit, here.settings.page_max)
    before = read_cursor(cursor, int)[0] if cursor else None
    async with here.reads.connection() as conn:
        found = await commands.commands(conn, device, uuid.UUID(batch) if batch else None, state, before, size + 1)
    numbers = [row.pop("number") for row in found]
    more = write_cursor(numbers[size - 1]) if len(found) > size else None
    return items_reply(request, map(encode, found[:size]), more)


def _asked(kind: Kind, body: NewCommand, who: Who, key: str | None, settings: Settings) -> Asked:
    """What is asked for, checked by its kind. Raises 422 naming field and limit, or 403."""
    try:
        command = command_of(kind, body.name)
        args = checked(command, body.args)
    except ArgsError as error:
        raise wrong_field(error.field, error.message) from None
    if ROLES.index(who.role) < ROLES.index(command.role):
        detail = f"{command.name} of a {kind.name} needs the role {command.role}; {who.name} has {who.role}"
        raise Problem(NOT_ALLOWED, detail)
    timeout_s, most = body.timeout_s or settings.command_timeout_s, settings.command_timeout_max_s
    if timeout_s > most:
        raise wrong_field("timeout_s", f"{timeout_s} s is more than {most} s (SIAGA_COMMAND_TIMEOUT_MAX_S)")
    now = context.utc_now()
    return Asked(command.name, args, who.name, now, now + timedelta(seconds=timeout_s), body.reason, key)


def _check_free(device: Device, waiting: int, most: int) -> None:
    """Raise 409, and nothing was asked for."""
    current: dict[str, Any] = {"status": device.status, "waiting": min(waiting - 1, most)}
    if device.status == "retired":
        raise Problem(STATE_CONFLICT, f"device {device.id!r} is retired: it is told nothing", current=current)
    if waiting > most:
        detail = f"{most} commands of {device.id!r} wait for an answer (SIAGA_COMMAND_OPEN_MAX)"
        raise Problem(STATE_CONFLICT, detail, current=current)


def _key_used() -> Problem:
    return wrong_field("Idempotency-Key", "another request was sent under this key; take a new one")
