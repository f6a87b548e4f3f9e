"""Browser sessions: signing in by password, with a key or with a one-time link, and out; and those that are open."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import account_shapes, context, shapes, sign_in
from api.alert_shapes import BIGINT_MAX
from api.auth import Caller, Endpoints, cookie_name, is_secure, session_of
from api.problem_types import OWN_ACCOUNT, SIGN_IN_REFUSED
from api.problems import Problem, not_found, wrong_field
from api.reply import encode, items_reply, reply
from storage import audit_log, keys, users

ENDPOINTS = Endpoints()
SPENT = """<!doctype html>
<html lang="id">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Siaga</title>
<main>
<h1>Tautan ini sudah tidak berlaku</h1>
<p>Tautan masuk hanya berlaku satu kali dan sebentar. <code>siaga up</code> menampilkan tautan baru setiap kali
dijalankan; dengan kunci API, masuklah lewat <a href="/">halaman utama</a>.</p>
<section lang="en">
<h2>This link is no longer valid</h2>
<p>A sign-in link works once and for a short time. <code>siaga up</code> shows a new one each time it starts; with an
API key, sign in on the <a href="/">main page</a>.</p>
</section>
</main>
</html>
"""
SessionId = Annotated[int, Path(ge=1, le=BIGINT_MAX)]
REFUSED = [HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS]


@ENDPOINTS.post("/api/v1/session", role="anyone", answer=shapes.SignedIn, problems=REFUSED)
async def sign_in_here(request: Request, body: account_shapes.ByKey | account_shapes.ByPassword) -> Response:
    """Start a browser session by name and password, or with an API key; the cookie cannot be read by scripts."""
    name = None if isinstance(body, account_shapes.ByKey) else body.name
    await sign_in.count_try(request, name)
    if isinstance(body, account_shapes.ByPassword):
        who = await sign_in.by_password(request, body.name, body.password)
    else:
        async with context.whole(request).writes.connection() as conn:
            who = await keys.who_has_key(conn, body.key)
    if who is None:
        await sign_in.refuse(request, name)
        detail = sign_in.WRONG if name is not None else "this key is not valid"
        raise Problem(SIGN_IN_REFUSED, detail, headers={"WWW-Authenticate": "Bearer"})
    answer = {"name": who.name, "role": who.role, "regions": who.regions}
    async with context.whole(request).writes.connection() as conn:
        return await sign_in.begin(request, conn, who, reply(encode(answer)))


@ENDPOINTS.get("/api/v1/session", role="anyone", answer=account_shapes.WaysIn)
async def show_ways_in(request: Request) -> Response:
    """What a page that asks for a name must know: whose installation it is, and whether there is a provider."""
    settings = context.whole(request).settings
    oidc = settings.oidc_issuer is not None and settings.oidc_client_id is not None
    return reply(encode({"regency": settings.regency, "oidc": oidc}))


@ENDPOINTS.delete("/api/v1/session", role="viewer", status_code=HTTPStatus.NO_CONTENT)
async def sign_out(request: Request, who: Caller) -> Response:
    """End the browser session."""
    if session := session_of(request):
        async with context.whole(request).writes.connection() as conn, conn.transaction():
            if await keys.end_session(conn, session):
                await audit_log.write(conn, context.origin(request), "session.ended", who.name)
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    response.delete_cookie(cookie_name(request), httponly=True, samesite="strict", secure=is_secure(request))
    return response


@ENDPOINTS.post(
    "/api/v1/session/password",
    role="viewer",
    status_code=HTTPStatus.NO_CONTENT,
    problems=[HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS],
)
async def change_password(request: Request, who: Caller, body: account_shapes.NewPassword) -> Response:
    """Change one's own password; sessions elsewhere end."""
    if who.by != "user" or who.owner is None:
        raise Problem(OWN_ACCOUNT, f"{who.name} is signed in by {who.by}, which has no password")
    await sign_in.count_try(request, who.owner)
    if await sign_in.by_password(request, who.owner, body.old) is None:
        raise wrong_field("old", "is not your password")
    stored = await sign_in.hashed(body.new)
    async with context.whole(request).writes.connection() as conn, conn.transaction():
        await users.set_password(conn, who.owner, stored)
        await keys.end_sessions_of(conn, who.owner, session_of(request))
        await audit_log.write(conn, context.origin(request), "user.password", who.owner)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@ENDPOINTS.get("/api/v1/sessions", role="viewer", answer=account_shapes.Sessions)
async def list_sessions(request: Request, who: Caller) -> Response:
    """One's own open sessions; those of everybody to an admin."""
    async with context.whole(request).writes.connection() as conn:
        rows = await keys.sessions(conn, who, session_of(request))
    return items_reply(request, map(encode, rows))


@ENDPOINTS.delete(
    "/api/v1/sessions/{session_id}",
    role="viewer",
    status_code=HTTPStatus.NO_CONTENT,
    problems=[HTTPStatus.NOT_FOUND],
)
async def end_session(request: Request, who: Caller, session_id: SessionId) -> Response:
    """End a session: one's own, or an admin anybody's."""
    async with context.whole(request).writes.connection() as conn, conn.transaction():
        name = await keys.end_one(conn, who, session_id)
        if name is None:
            raise not_found(f"session {session_id}")
        await audit_log.write(conn, context.origin(request), "session.ended", name, {"session": session_id})
    return Response(status_code=HTTPStatus.NO_CONTENT)


@ENDPOINTS.get("/sign-in", role="anyone", include_in_schema=False)
async def sign_in_by_link(request: Request, token: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Spend a one-time token: start a session and show the dashboard."""
    async with context.whole(request).writes.connection() as conn:
        who = await keys.spend_token(conn, token)
        if who is None:
            return HTMLResponse(SPENT, HTTPStatus.UNAUTHORIZED, {"Cache-Control": "no-store"})
        return await sign_in.begin(request, conn, who, RedirectResponse("/", HTTPStatus.SEE_OTHER))
