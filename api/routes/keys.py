"""API keys: one's own, which can do no more than oneself, and for an admin those of the installation."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import Path
from starlette.requests import Request
from starlette.responses import Response

from api import account_shapes, context
from api.alert_shapes import BIGINT_MAX
from api.auth import ROLES, Caller, Endpoints
from api.problem_types import NAME_TAKEN, NOT_ALLOWED, REGION_LIMITED
from api.problems import Problem, not_found, wrong_field
from api.reply import encode, items_reply, reply
from storage import audit_log, keys
from storage.keys import Who

ENDPOINTS = Endpoints("/api/v1")
KeyId = Annotated[int, Path(ge=1, le=BIGINT_MAX)]


@ENDPOINTS.get("/keys", role="viewer", answer=account_shapes.Keys)
async def list_keys(request: Request, who: Caller) -> Response:
    """One's own keys, also those that are over; all to an admin. Never the secrets."""
    async with context.whole(request).reads.connection() as conn:
        rows = await keys.keys(conn, who)
    return items_reply(request, map(encode, rows))


@ENDPOINTS.post(
    "/keys",
    role="viewer",
    answer=account_shapes.KeyMade,
    status_code=HTTPStatus.CREATED,
    problems=[HTTPStatus.CONFLICT],
)
async def create_key(request: Request, who: Caller, body: account_shapes.NewKey) -> Response:
    """Make a key with at most one's own role and regions. The answer has the secret, this once."""
    settings = context.whole(request).settings
    days = settings.key_days if body.days is None else body.days
    if days > settings.key_days_max:
        raise wrong_field("days", f"{days} are more than {settings.key_days_max} (SIAGA_KEY_DAYS_MAX)")
    asked = keys.NewKey(body.name, body.role, _regions(who, body.regions), _owner(who, body.own), days)
    if ROLES.index(body.role) > ROLES.index(who.role):
        raise Problem(NOT_ALLOWED, f"a key can do no more than who makes it; {who.name} has {who.role}")
    async with context.whole(request).writes.connection() as conn, conn.transaction():
        made = await keys.create_key(conn, asked)
        if made is None:
            raise Problem(NAME_TAKEN, f"there is a key {body.name!r} already, or there was one")
        secret, row = made
        told = {"key": row["id"], "role": asked.role, "regions": asked.regions, "owner": asked.owner, "days": days}
        await audit_log.write(conn, context.origin(request), "key.created", body.name, told)
    return reply(encode(row | {"key": secret}), HTTPStatus.CREATED)


@ENDPOINTS.delete("/keys/{key_id}", role="viewer", answer=account_shapes.Key, problems=[HTTPStatus.NOT_FOUND])
async def revoke_key(request: Request, who: Caller, key_id: KeyId) -> Response:
    """Let a key open nothing any more, from this moment on, and end the sessions that began with it."""
    async with context.whole(request).writes.connection() as conn, conn.transaction():
        row = await keys.revoke_key(conn, who, key_id)
        if row is None:
            raise not_found(f"key {key_id} that could be revoked")
        await audit_log.write(conn, context.origin(request), "key.revoked", row["name"], {"key": key_id})
    return reply(encode(row))


def _owner(who: Who, own: bool) -> str | None:
    """Whose the key will be. Raises 403: who has stolen a key must not make others that outlive it."""
    if who.sees_all and not (own and who.by == "user"):
        return None
    if who.by != "user" or not own:
        detail = "keys of the installation are made by an admin of all regions; one's own by who is signed in as a user"
        raise Problem(NOT_ALLOWED, detail)
    return who.owner


def _regions(who: Who, asked: Sequence[str] | None) -> Sequence[str] | None:
    """Raises 403 for more than one has oneself; all that one has where nothing is asked."""
    if who.regions is None:
        return asked
    if beyond := sorted(set(asked or ()) - set(who.regions)):
        raise Problem(REGION_LIMITED, f"{who.name} is limited to {', '.join(who.regions)}, not {beyond[0]}")
    return asked or who.regions
