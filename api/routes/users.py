"""People who may sign in, for an admin. Nobody is deleted: what they did names them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Path
from starlette.requests import Request
from starlette.responses import Response

from api import account_shapes, context, sign_in
from api.auth import Caller, Endpoints
from api.problem_types import NAME_TAKEN, OWN_ACCOUNT
from api.problems import Problem, not_found
from api.reply import encode, items_reply, reply
from storage import audit_log, keys, users

ENDPOINTS = Endpoints("/api/v1")
UserName = Annotated[str, Path(pattern=account_shapes.NAME)]


@ENDPOINTS.get("/users", role="admin", whole=True, answer=account_shapes.Users)
async def list_users(request: Request) -> Response:
    """Everybody who may sign in, by name."""
    async with context.whole(request).reads.connection() as conn:
        rows = await users.listed(conn)
    return items_reply(request, map(encode, rows))


@ENDPOINTS.post(
    "/users",
    role="admin",
    whole=True,
    answer=account_shapes.User,
    status_code=HTTPStatus.CREATED,
    problems=[HTTPStatus.CONFLICT],
)
async def create_user(request: Request, body: account_shapes.NewUser) -> Response:
    """Add somebody: by password, or without one for who comes by OIDC."""
    stored = None if body.password is None else await sign_in.hashed(body.password)
    async with context.whole(request).writes.connection() as conn, conn.transaction():
        row = await users.create(conn, body.name, body.role, body.regions, stored)
        if row is None:
            raise Problem(NAME_TAKEN, f"there is a user {body.name!r} already")
        told = {"role": body.role, "regions": body.regions}
        await audit_log.write(conn, context.origin(request), "user.created", body.name, told)
    return reply(encode(row), HTTPStatus.CREATED)


@ENDPOINTS.on(
    ("PUT",),
    "/users/{name}",
    role="admin",
    whole=True,
    answer=account_shapes.User,
    problems=[HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT],
)
async def change_user(request: Request, who: Caller, name: UserName, body: account_shapes.UserChange) -> Response:
    """Set role, regions and whether somebody may sign in at all; it counts at once. Not for oneself."""
    if name == who.owner:
        raise Problem(OWN_ACCOUNT, "nobody changes their own role; another admin does")
    stored = None if body.password is None else await sign_in.hashed(body.password)
    async with context.whole(request).writes.connection() as conn, conn.transaction():
        if stored is not None:
            await users.set_password(conn, name, stored)
        row = await users.change(conn, name, body.role, body.regions, body.disabled)
        if row is None:
            raise not_found(f"user {name}")
        if stored is not None or body.disabled:
            await keys.end_sessions_of(conn, name)
        told = body.model_dump(exclude={"password"}) | {"password": stored is not None}
        await audit_log.write(conn, context.origin(request), "user.changed", name, told)
    return reply(encode(row))
