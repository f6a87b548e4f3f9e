"""The wall's address with its key: the key becomes a cookie once, and the address is left without it.

A wall has no keyboard, so the key of role viewer stands in the address it is set up with. It is signed in for as long
as the key lives; GET /me tells until when.
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import context, sign_in
from api.auth import Endpoints
from api.routes.pages import show_page
from storage import keys
from storage.keys import Who

ENDPOINTS = Endpoints()
ADDRESS, KEY = "/dinding", "kunci"
# Browsers keep a cookie for no longer.
LONGEST = timedelta(days=400)
NO_STORE = {"Cache-Control": "no-store"}
REFUSED = """<!doctype html>
<html lang="id">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Siaga</title>
<main>
<h1>Kunci dinding ini tidak berlaku</h1>
<p>Layar dinding memerlukan kunci API dengan peran <code>viewer</code> yang masih berlaku. Admin membuat kunci baru di
halaman admin; lalu buka <code>/dinding?kunci=…</code> sekali di layar ini.</p>
<section lang="en">
<h2>This key of the wall is not valid</h2>
<p>A wall needs an API key of the role <code>viewer</code> that has not expired. An admin makes a new one on the admin
page; then open <code>/dinding?kunci=…</code> once on this screen.</p>
</section>
</main>
</html>
"""


@ENDPOINTS.get(ADDRESS, role="anyone", include_in_schema=False)
async def show_wall(request: Request, kunci: Annotated[str | None, Query(max_length=200)] = None) -> Response:
    """The wall; with a key in the address, signed in by it and sent to the address without."""
    if kunci is None:
        return await show_page(request)
    await sign_in.count_try(request, None)
    async with context.whole(request).writes.connection() as conn:
        who = await keys.who_has_key(conn, kunci)
        # What may do more must not stand in an address, which people photograph.
        if who is not None and who.role == "viewer":
            url = request.url.remove_query_params(KEY)
            there = RedirectResponse(f"{ADDRESS}?{url.query}" if url.query else ADDRESS, HTTPStatus.SEE_OTHER)
            return await sign_in.begin(request, conn, who, there, _hours(who))
    await sign_in.refuse(request, None)
    return HTMLResponse(REFUSED, HTTPStatus.UNAUTHORIZED, NO_STORE)


def _hours(who: Who) -> float:
    """As long as the key lives, or as a browser keeps a cookie."""
    left = LONGEST if who.expires_at is None else min(who.expires_at - context.utc_now(), LONGEST)
    return left / timedelta(hours=1)
