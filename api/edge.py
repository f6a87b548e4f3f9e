"""What every request passes: a number, a log line, a measurement; security headers; limits on what comes in."""

from __future__ import annotations

import secrets
import time
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import metrics
from api.problems import MEDIA_TYPE as PROBLEM
from api.problems import Problem, body_of, respond, wrong_field
from runtime.log import get_logger

log = get_logger(__name__)

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Watched:
    """Outermost: counts and logs every request, and makes an unforeseen error a problem that names its log line."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        started = time.perf_counter()
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self.app(scope, receive, send_marked)
        except Exception:
            log.exception("request.failed", request=request_id, method=scope["method"], path=scope["path"])
            if status:
                raise  # half an answer is out: break the connection off, so that it does not look whole
            detail = f"an error of ours; its details are in the log under {request_id}"
            body = body_of(HTTPStatus.INTERNAL_SERVER_ERROR, detail)
            await Response(body, 500, media_type=PROBLEM)(scope, receive, send_marked)
        finally:
            _count(scope, status, time.perf_counter() - started, request_id)


class Limited:
    """Refuses what no endpoint takes: bodies over the limit, and NUL, which PostgreSQL has no text for."""

    def __init__(self, app: ASGIApp, body_max_bytes: int) -> None:
        self.app = app
        self.body_max_bytes = body_max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdigit() or int(length) > self.body_max_bytes:
            await respond(self._too_large())(scope, receive, send)
            return
        if b"%00" in scope["query_string"] or "\x00" in scope["path"]:
            problem = wrong_field("query" if b"%00" in scope["query_string"] else "path", "has a NUL (%00)")
            await respond(problem)(scope, receive, send)
            return
        taken = 0

        async def receive_limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.body_max_bytes:  # sent in chunks, without saying how long
                raise self._too_large()
            return message

        await self.app(scope, receive_limited, send)

    def _too_large(self) -> Problem:
        return Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body is larger than {self.body_max_bytes} bytes (SIAGA_BODY_MAX_BYTES); send it in parts",
        )


def _count(scope: Scope, status: int, seconds: float, request_id: str) -> None:
    route = getattr(scope.get("route"), "path", "none")
    method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "DELETE") else "other"
    metrics.REQUESTS.labels(method, route, str(status)).inc()
    if not route.endswith("/stream"):
        metrics.REQUEST_SECONDS.labels(route).observe(seconds)
    log.debug(
        "request.answered",
        request=request_id,
        method=scope["method"],
        path=scope["path"],
        status=status,
        ms=round(seconds * 1000, 1),
    )
