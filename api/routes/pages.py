"""The dashboard: one page for all its addresses, and its files. Public, as they hold no data."""

from __future__ import annotations

import mimetypes
from http import HTTPStatus
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from api.auth import Endpoints
from api.problems import Problem

ENDPOINTS = Endpoints()
DASHBOARD = Path(__file__).resolve().parent.parent / "dashboard"
FILES = StaticFiles(directory=DASHBOARD, check_dir=False)
# First segments of the dashboard's addresses. Any other unknown address is an honest 404.
PAGES = (
    "peringatan", "sungai", "lampu", "lalu-lintas", "perangkat", "serah-terima", "karantina", "aturan", "admin",
    "dinding", "keadaan", "masuk",
)  # fmt: skip
# Without a version in their names files are asked for every time, and answered 304 by their ETag.
CACHE = {"Cache-Control": "no-cache"}
for _type, _ending in (("text/javascript", ".js"), ("text/javascript", ".mjs"), ("application/geo+json", ".geojson")):
    mimetypes.add_type(_type, _ending)


async def show_page(request: Request) -> Response:
    """The dashboard; its script reads the address."""
    return await _file(request, "index.html")


async def show_asset(request: Request, path: str) -> Response:
    return await _file(request, path)


async def show_vendored(request: Request, path: str) -> Response:
    """Libraries of others, fetched by `make setup`."""
    return await _file(request, f"vendor/{path}")


async def _file(request: Request, path: str) -> Response:
    if path.startswith("/") or ".." in path.split("/"):
        raise Problem(HTTPStatus.NOT_FOUND, "there is nothing at this address")
    response = await FILES.get_response(path, request.scope)
    response.headers.update(CACHE)
    return response


def _declare() -> None:
    options = {"role": "anyone", "include_in_schema": False}
    pages = ["/", *(f"/{page}" for page in PAGES), *(f"/{page}/{{rest:path}}" for page in PAGES)]
    for path in pages:
        ENDPOINTS.on(("GET", "HEAD"), path, **options)(show_page)  # type: ignore[arg-type]
    ENDPOINTS.on(("GET", "HEAD"), "/assets/{path:path}", **options)(show_asset)  # type: ignore[arg-type]
    ENDPOINTS.on(("GET", "HEAD"), "/vendor/{path:path}", **options)(show_vendored)  # type: ignore[arg-type]


_declare()
