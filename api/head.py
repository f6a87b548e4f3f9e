"""HEAD: answered as GET is, without the body."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD = "siaga.head"  # in the scope of such a request


def has_head(path: str) -> bool:
    """Whether an address of the API that has GET has HEAD; live events never end, and have not."""
    return path.startswith("/api/") and not path.endswith("/stream")


def is_head(request: Request) -> bool:
    """Whether only the headers are wanted, so that nothing need be read for the body."""
    return HEAD in request.scope


class Headed:
    """Makes a GET of a HEAD for all that lies within."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") != "HEAD" or not has_head(scope["path"]):
            await self.app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            await send(message if message["type"] == "http.response.start" else {**message, "body": b""})

        scope[HEAD] = True
        scope["method"] = "GET"
        try:
            await self.app(scope, receive, send_head)
        finally:
            scope["method"] = "HEAD"
