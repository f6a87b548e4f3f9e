"""Sign-in by the organisation's own accounts: to the OpenID Connect provider, and back."""

from __future__ import annotations

import hmac
import re
from http import HTTPStatus
from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import account_shapes, context, oidc, sign_in
from api.auth import Endpoints, is_secure
from api.oidc import Kept, OidcError
from api.problems import not_found
from devices.topics import REGION
from runtime.log import get_logger
from runtime.settings import Settings
from storage import users
from storage.users import NameTakenError

log = get_logger(__name__)

ENDPOINTS = Endpoints()
START, BACK = "/sign-in/oidc", "/sign-in/oidc/back"
COOKIE = "siaga_oidc"
KEPT_S = 600
Text = Annotated[str, Query(max_length=4_000)]
REFUSED = """<!doctype html>
<html lang="id">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Siaga</title>
<main>
<h1>Masuk tidak berhasil</h1>
<p>Akun organisasi Anda tidak dapat masuk ke Siaga. Silakan <a href="/sign-in/oidc">coba lagi</a>, atau hubungi
admin Siaga dan sebutkan waktunya; alasannya ada di log.</p>
<section lang="en">
<h2>Signing in failed</h2>
<p>Your organisation's account cannot sign in to Siaga. Please <a href="/sign-in/oidc">try again</a>, or tell Siaga's
admin when this was; the reason is in the log.</p>
</section>
</main>
</html>
"""


@ENDPOINTS.get(START, role="anyone", include_in_schema=False)
async def go_to_provider(request: Request) -> Response:
    """Send the browser to the provider; 404 where there is none."""
    settings = _settings(request)
    kept = oidc.new_kept()
    try:
        url = await oidc.address(settings, _back(request), kept)
    except OidcError as error:
        return await _refuse(request, error)
    response = RedirectResponse(url, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})
    # Lax: it must come along when the provider sends the browser back.
    response.set_cookie(
        _cookie(request), ".".join(kept), max_age=KEPT_S, path="/", httponly=True, samesite="lax",
        secure=is_secure(request),
    )  # fmt: skip
    return response


@ENDPOINTS.get(BACK, role="anyone", include_in_schema=False)
async def come_back(request: Request, code: Text = "", state: Text = "") -> Response:
    """Start a session for whom the provider has seen, and show the dashboard."""
    settings = _settings(request)
    parts = request.cookies.get(_cookie(request), "").split(".")
    try:
        # A link that somebody else has made has not their state, so nobody is signed in as another.
        if len(parts) != len(Kept._fields) or not hmac.compare_digest(parts[0].encode(), state.encode()):
            raise OidcError("this browser has not asked, or more than ten minutes ago")
        found = _checked(await oidc.person(settings, _back(request), code, Kept(*parts)))
        async with context.whole(request).writes.connection() as conn:
            who = await users.from_provider(conn, *found)
            if who is None:
                raise OidcError(f"{found.name} is disabled here")
            response = await sign_in.begin(request, conn, who, RedirectResponse("/", HTTPStatus.SEE_OTHER))
    except NameTakenError as error:
        return await _refuse(request, OidcError(f"there is another user {error} here already"))
    except OidcError as error:
        return await _refuse(request, error)
    response.delete_cookie(_cookie(request), path="/", httponly=True, secure=is_secure(request))
    return response


async def _refuse(request: Request, error: OidcError) -> Response:
    """The reason is for the log: what a provider says is nothing to show."""
    log.warning("oidc.refused", error=str(error))
    await sign_in.refuse(request, None)
    return HTMLResponse(REFUSED, HTTPStatus.UNAUTHORIZED, {"Cache-Control": "no-store"})


def _checked(found: oidc.Person) -> oidc.Person:
    if not re.fullmatch(account_shapes.NAME, found.name):
        raise OidcError(f"{found.name!r} cannot be a name here")
    if wrong := [region for region in found.regions or () if not REGION.fullmatch(region)]:
        raise OidcError(f"{wrong[0]!r} is no region")
    return found


def _settings(request: Request) -> Settings:
    settings = context.whole(request).settings
    if settings.oidc_issuer is None or settings.oidc_client_id is None:
        raise not_found("a provider to sign in by (SIAGA_OIDC_ISSUER, SIAGA_OIDC_CLIENT_ID)")
    return settings


def _back(request: Request) -> str:
    """As it is registered with the provider."""
    here = context.whole(request).settings.api_url or str(request.base_url)
    return here.rstrip("/") + BACK


def _cookie(request: Request) -> str:
    return f"__Host-{COOKIE}" if is_secure(request) else COOKIE
