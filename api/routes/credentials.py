"""Who may connect to the broker as a device: given, renewed, taken away. The broker follows within seconds."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Path
from starlette.requests import Request
from starlette.responses import Response

from api import context, credential_shapes
from api.auth import Caller, Endpoints
from api.context import Conn
from api.problem_types import NOT_SET_UP, STATE_CONFLICT
from api.problems import Problem, not_found
from api.reply import encode, reply
from devices.identity import Mode
from devices.topics import DEVICE_ID
from runtime.device_key import device_key
from runtime.settings import SettingError, Settings
from storage import credentials
from storage.credentials import Asked, CredentialError
from storage.keys import Who

ENDPOINTS = Endpoints("/api/v1")
Named = Annotated[str, Path(pattern=DEVICE_ID.pattern, description="a device, or a gateway that devices name")]
MISSING = [HTTPStatus.NOT_FOUND]
CHANGING = [HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT]
CREATED = HTTPStatus.CREATED


@ENDPOINTS.get(
    "/devices/{device_id}/credential", role="engineer", answer=credential_shapes.Credential, problems=MISSING
)  # fmt: skip
async def show_credential(request: Request, device_id: Named) -> Response:
    """The credential of a device or a gateway and how it is; never the password."""
    async with context.of(request).reads.connection() as conn:
        row = await credentials.one(conn, device_id)
    if row is None:
        raise not_found(f"a credential of {device_id!r}")
    return reply(encode(row))


@ENDPOINTS.post(
    "/devices/{device_id}/credential",
    role="engineer",
    answer=credential_shapes.CredentialMade,
    status_code=CREATED,
    problems=CHANGING,
)
async def make_credential(
    request: Request, who: Caller, device_id: Named, body: credential_shapes.NewCredential | None = None
) -> Response:
    """Give a device a credential where it has none that counts. The answer has the password, this once."""
    asked = body or credential_shapes.NewCredential()
    async with context.of(request).writes.connection() as conn:
        if await credentials.unknown(conn, [device_id]):
            raise not_found(f"a device {device_id!r}, or a gateway of one,")
        row = await credentials.one(conn, device_id)
        if row is not None and row["state"] == "active":
            raise Problem(STATE_CONFLICT, f"{device_id} has a credential; rotate it, or revoke it first", current=row)
        return await _issue(conn, request, who, device_id, asked.mode, asked.days)


@ENDPOINTS.post(
    "/devices/{device_id}/credential/rotate",
    role="engineer",
    answer=credential_shapes.CredentialMade,
    status_code=CREATED,
    problems=CHANGING,
)
async def rotate_credential(request: Request, who: Caller, device_id: Named) -> Response:
    """Another password in the place of this one, which ends at once. The answer has it, this once."""
    async with context.of(request).writes.connection() as conn:
        row = await credentials.one(conn, device_id)
        if row is None:
            raise not_found(f"a credential of {device_id!r}")
        if row["state"] != "active":
            raise Problem(
                STATE_CONFLICT, f"the credential of {device_id} is {row['state']}; make a new one", current=row
            )
        return await _issue(conn, request, who, device_id, row["mode"], None)


@ENDPOINTS.delete(
    "/devices/{device_id}/credential", role="engineer", answer=credential_shapes.Credential, problems=MISSING
)  # fmt: skip
async def revoke_credential(request: Request, device_id: Named) -> Response:
    """Let it in no more; whoever is connected with it is cut off within seconds."""
    async with context.of(request).writes.connection() as conn:
        rows = await credentials.revoke(conn, [device_id])
    if not rows:
        raise not_found(f"a credential of {device_id!r} that could be revoked")
    return reply(encode(rows[0]))


async def _issue(conn: Conn, request: Request, who: Who, name: str, mode: Mode, days: int | None) -> Response:
    settings = context.whole(request).settings
    key = _key(settings)
    expires_at = credentials.days_from(context.utc_now(), settings.credential_days if days is None else days)
    try:
        made = await credentials.issue(conn, Asked([name], mode, who.name, expires_at), key)
    except CredentialError as error:
        raise Problem(STATE_CONFLICT, str(error), current=await credentials.one(conn, name)) from None
    answer: dict[str, Any] = made.rows[0] | {"password": made.secrets.get(name)}
    return reply(encode(answer), CREATED, {"Cache-Control": "no-store"})


def _key(settings: Settings) -> bytes:
    try:
        return device_key(settings)
    except SettingError as error:
        raise Problem(NOT_SET_UP, str(error)) from None
