"""What every request passes: a number, a log line, a measurement, a span; security headers; limits on what comes in."""

from __future__ import annotations

import re
import secrets
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import metrics
from api.forwarded import TRUSTED
from api.problem_types import BODY_TOO_LARGE, INTERNAL_ERROR
from api.problems import Problem, respond, wrong_field
from runtime import trace
from runtime.log import get_logger

log = get_logger(__name__)

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
UNUSED = ("accelerometer", "camera", "geolocation", "gyroscope", "magnetometer", "microphone", "payment", "usb")
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{name}=()" for name in UNUSED),
}
# A year. Only said where it was asked by https: elsewhere browsers ignore it.
HSTS = "max-age=31536000"
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE"))
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Probes and the page's own files would fill the log without saying anything.
LOGGED = ("/api/", "/sign-in")


class Watched:
    """Counts and logs every request, and makes an unforeseen error a problem that names its log line."""

    def __init__(self, app: ASGIApp, access_log: bool) -> None:
        self.app = app
        self.access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        trusted = scope.get(TRUSTED, False)
        seen = Seen(scope, _request_id(headers) if trusted else secrets.token_hex(8))
        scope.setdefault("state", {})["request_id"] = seen.request_id
        metrics.UNDER_WAY.inc()
        carrier = {"traceparent": headers.get("traceparent", "")} if trusted else {}
        with (
            structlog.contextvars.bound_contextvars(request=seen.request_id),
            trace.request_span(scope["method"], carrier) as span,
        ):
            if span is not None:
                structlog.contextvars.bind_contextvars(trace=trace.trace_id(span))
            try:
                await self._answer(seen, receive, send)
            finally:
                metrics.UNDER_WAY.dec()
                seen.tell(self.access_log)
                if span is not None:
                    span.update_name(f"{scope['method']} {seen.route}")
                    span.set_attributes({"http.route": seen.route, "http.response.status_code": seen.status})
                    structlog.contextvars.unbind_contextvars("trace")

    async def _answer(self, seen: Seen, receive: Receive, send: Send) -> None:
        scope = seen.scope

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = int(message["status"])
                _mark(MutableHeaders(scope=message), scope, seen.request_id)
            else:
                seen.sent_bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, send_marked)
        except Exception:
            log.exception("request.failed", method=scope["method"], path=scope["path"])
            if seen.status:
                raise  # half an answer is out: break the connection off, so that it does not look whole
            detail = f"an error of ours; its details are in the log under {seen.request_id}"
            await respond(Problem(INTERNAL_ERROR, detail))(scope, receive, send_marked)


class Seen:
    """One request, and what became of it."""

    def __init__(self, scope: Scope, request_id: str) -> None:
        self.scope, self.request_id = scope, request_id
        self.status = self.sent_bytes = 0
        self._began = time.perf_counter()

    @property
    def route(self) -> str:
        """The address as it is declared: a closed set, whatever clients invent."""
        return getattr(self.scope.get("route"), "path", "none")

    def tell(self, access_log: bool) -> None:
        """Count it and log it. Queries are not logged: one-time tokens stand there."""
        scope, seconds = self.scope, time.perf_counter() - self._began
        method = scope["method"] if scope["method"] in METHODS else "other"
        metrics.REQUESTS.labels(method, self.route, str(self.status)).inc()
        metrics.SENT_BYTES.labels(self.route).inc(self.sent_bytes)
        if not self.route.endswith("/stream"):
            metrics.REQUEST_SECONDS.labels(self.route).observe(seconds)
        client, who = scope.get("client"), scope["state"].get("who")
        say = log.info if access_log and scope["path"].startswith(LOGGED) else log.debug
        say(
            "request.answered",
            method=scope["method"],
            path=scope["path"],
            status=self.status,
            ms=round(seconds * 1000, 1),
            bytes=self.sent_bytes,
            client=client and client[0],
            who=who and who.name,
        )


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
            BODY_TOO_LARGE,
            f"the body is larger than {self.body_max_bytes} bytes (SIAGA_BODY_MAX_BYTES); send it in parts",
        )


def _request_id(headers: Headers) -> str:
    """That of a proxy of ours, so that its log and ours tell the same story; else a new one."""
    said = headers.get("x-request-id", "")
    return said if REQUEST_ID.fullmatch(said) else secrets.token_hex(8)


def _mark(headers: MutableHeaders, scope: Scope, request_id: str) -> None:
    headers["X-Request-Id"] = request_id
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    deprecation = getattr(scope.get("route"), "deprecation", None)
    if deprecation is not None:
        for name, value in deprecation.headers.items():
            headers.append(name, value)
    if scope["scheme"] == "https":
        headers.setdefault("Strict-Transport-Security", HSTS)
    if scope["path"].startswith("/api/"):
        headers.setdefault("Cache-Control", "no-store")
