"""Signing a browser in: how often it may be tried, whether it is the right password, and the cookie."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from math import ceil

from starlette.requests import Request
from starlette.responses import Response

from api import context
from api.auth import cookie_name, is_secure, session_of
from api.context import Conn
from api.problem_types import TOO_MANY_TRIES
from api.problems import Problem
from runtime.settings import Settings
from storage import audit_log, passwords, sign_in, users
from storage.keys import Who, end_session, start_session
from storage.sign_in import Patience

# argon2id takes 64 MiB each time: of many sign-ins at once the others wait.
_HASHING = ThreadPoolExecutor(2, "passwords")
FREE = 3
WRONG = "name or password is wrong"


async def hashed(password: str) -> str:
    """To be stored."""
    return await asyncio.get_running_loop().run_in_executor(_HASHING, passwords.hashed, password)


async def count_try(request: Request, name: str | None) -> None:
    """One more try from this address, and for this name. Raises 429 while it is to wait."""
    here = context.whole(request)
    settings, address = here.settings, context.address(request)
    async with here.writes.connection() as conn:
        waits = [await sign_in.wait_s(conn, "address", address, _of_address(settings))]
        if waits[0] is None and name is not None:
            waits.append(await sign_in.wait_s(conn, "name", name, _of_name(settings)))
    for wait_s, whose in zip(waits, ("from this address", "for this name"), strict=False):
        if wait_s is not None:
            seconds = max(1, ceil(wait_s))
            detail = f"too many tries {whose}; wait {seconds} s"
            raise Problem(TOO_MANY_TRIES, detail, headers={"Retry-After": str(seconds)})


async def by_password(request: Request, name: str, password: str) -> Who | None:
    """The user, if it is their password. A wrong one takes as long as a name that nobody has."""
    here = context.whole(request)
    async with here.writes.connection() as conn:
        account = await users.account(conn, name)
    stored = account.password if account else None
    # No connection is held meanwhile.
    loop = asyncio.get_running_loop()
    fits, better = await loop.run_in_executor(_HASHING, passwords.fits, password, stored)
    if account is None or not fits or account.disabled:
        return None
    if better is not None:
        async with here.writes.connection() as conn:
            await users.set_password(conn, name, better)
    return users.signed_in(name, account.role, account.regions)


async def refuse(request: Request, name: str | None) -> None:
    """Write down that somebody was not let in."""
    async with context.whole(request).writes.connection() as conn:
        await audit_log.write(conn, context.origin(request), "session.refused", name)


async def begin(request: Request, conn: Conn, who: Who, response: Response, hours: float | None = None) -> Response:
    """Start a session in the place of the one that this browser had; the answer with its cookie. hours: how long it
    lasts, SIAGA_SESSION_HOURS where nothing is said."""
    settings, old, address = context.whole(request).settings, session_of(request), context.address(request)
    hours = settings.session_hours if hours is None else hours
    async with conn.transaction():
        if old:
            await end_session(conn, old)
        secret, _ = await start_session(conn, who, hours, address)
        await audit_log.write(conn, context.origin(request, who), "session.started", who.name, {"by": who.by})
        await sign_in.succeeded(conn, who.owner, address)
    response.set_cookie(
        cookie_name(request), secret, max_age=int(hours * 3600), path="/", httponly=True,
        samesite="strict", secure=is_secure(request),
    )  # fmt: skip
    response.headers["Cache-Control"] = "no-store"
    return response


def _of_name(settings: Settings) -> Patience:
    return Patience(FREE, settings.sign_in_tries_max, settings.sign_in_lock_min * 60)


def _of_address(settings: Settings) -> Patience:
    most = settings.sign_in_address_tries_max
    return Patience(max(FREE, most // 3), most, settings.sign_in_lock_min * 60)
