"""The dashboard: one page for all its addresses, and its files. Public, as they hold no data."""

from __future__ import annotations

import functools
import mimetypes
from pathlib import Path

import anyio.to_thread
import brotli
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from api.auth import Endpoints
from api.preload import preload_link
from api.problem_types import NO_SUCH_ADDRESS
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
    response = await _file(request, "index.html")
    page, _, rest = request.url.path.strip("/").partition("/")
    response.headers["Link"] = preload_link(DASHBOARD, page, bool(rest))
    return response


async def show_asset(request: Request, path: str) -> Response:
    return await _file(request, path)


async def show_vendored(request: Request, path: str) -> Response:
    """Libraries of others, fetched by `make setup`."""
    return await _file(request, f"vendor/{path}")


async def _file(request: Request, path: str) -> Response:
    if path.startswith("/") or ".." in path.split("/"):
        raise Problem(NO_SUCH_ADDRESS, "there is nothing at this address")
    response = await FILES.get_response(path, request.scope)
    if isinstance(response, FileResponse) and request.method == "GET" and _takes_brotli(request):
        response = await _smaller(response)
    response.headers.update(CACHE)
    return response


def _takes_brotli(request: Request) -> bool:
    offered = (part.strip() for part in request.headers.get("accept-encoding", "").split(","))
    return any(name.partition(";")[0] == "br" and not name.endswith("q=0") for name in offered)


async def _smaller(file: FileResponse) -> Response:
    """The same by Brotli. Others get what the middleware makes of it: gzip, which is a sixth larger."""
    assert file.stat_result is not None
    body = await anyio.to_thread.run_sync(_compressed, str(file.path), file.stat_result.st_mtime_ns)
    kept = {name: file.headers[name] for name in ("etag", "last-modified")}
    headers = {**kept, "Content-Encoding": "br", "Vary": "Accept-Encoding"}
    return Response(body, media_type=file.media_type, headers=headers)


# A hundred files of a few kB, each compressed once in the life of the process (Leaflet: 0.3 s) and when it changes.
@functools.lru_cache(maxsize=256)
def _compressed(path: str, changed_at: int) -> bytes:
    return bytes(brotli.compress(Path(path).read_bytes(), mode=brotli.MODE_TEXT))


def _declare() -> None:
    options = {"role": "anyone", "include_in_schema": False}
    pages = ["/", *(f"/{page}" for page in PAGES), *(f"/{page}/{{rest:path}}" for page in PAGES)]
    for path in pages:
        ENDPOINTS.on(("GET", "HEAD"), path, **options)(show_page)  # type: ignore[arg-type]
    ENDPOINTS.on(("GET", "HEAD"), "/assets/{path:path}", **options)(show_asset)  # type: ignore[arg-type]
    ENDPOINTS.on(("GET", "HEAD"), "/vendor/{path:path}", **options)(show_vendored)  # type: ignore[arg-type]


_declare()
