"""Browser sessions: signing in with a key or with a one-time link, and out."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import psycopg
from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import context, shapes
from api.auth import COOKIE, Endpoints
from api.problems import Problem
from api.reply import encode, reply
from storage.keys import Who, end_session, spend_token, start_session, who_has_key

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


class Key(BaseModel):
    model_config = ConfigDict(extra="forbid")

    key: str = Field(min_length=1, max_length=200)


@ENDPOINTS.post("/api/v1/session", role="anyone", answer=shapes.SignedIn, problems=[HTTPStatus.UNAUTHORIZED])
async def sign_in(request: Request, body: Key) -> Response:
    """Start a browser session with an API key; the cookie cannot be read by scripts."""
    async with context.of(request).writes.connection() as conn:
        who = await who_has_key(conn, body.key)
        if who is None:
            raise Problem(HTTPStatus.UNAUTHORIZED, "this key is not valid", headers={"WWW-Authenticate": "Bearer"})
        return await _signed_in(request, conn, who, reply(encode({"name": who.name, "role": who.role})))


@ENDPOINTS.delete("/api/v1/session", role="viewer", status_code=HTTPStatus.NO_CONTENT)
async def sign_out(request: Request) -> Response:
    """End the browser session."""
    session = request.cookies.get(COOKIE)
    if session:
        async with context.of(request).writes.connection() as conn:
            await end_session(conn, session)
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=_is_secure(request))
    return response


@ENDPOINTS.get("/sign-in", role="anyone", include_in_schema=False)
async def sign_in_by_link(request: Request, token: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Spend a one-time token: start a session and show the dashboard."""
    async with context.of(request).writes.connection() as conn:
        who = await spend_token(conn, token)
        if who is None:
            return HTMLResponse(SPENT, HTTPStatus.UNAUTHORIZED, {"Cache-Control": "no-store"})
        return await _signed_in(request, conn, who, RedirectResponse("/", HTTPStatus.SEE_OTHER))


async def _signed_in(request: Request, conn: psycopg.AsyncConnection, who: Who, response: Response) -> Response:
    hours = context.of(request).settings.session_hours
    secret, _ = await start_session(conn, who, hours)
    response.set_cookie(
        COOKIE, secret, max_age=hours * 3600, path="/", httponly=True, samesite="strict", secure=_is_secure(request)
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"
