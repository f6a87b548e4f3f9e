"""The live stream (server-sent events)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated

import psycopg
from fastapi import Header, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api import context
from api.auth import Endpoints, authorise
from api.live import Live
from api.params import DistrictFilter, KindFilter
from api.problems import Problem
from api.wanted import TOPICS, Topic, Wanted

ENDPOINTS = Endpoints("/api/v1")
EVENTS = {
    "responses": {
        "200": {
            "description": "alert (with an id), latest, command, presence, beat, reset: docs/api.md",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    }
}
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
# A key may be withdrawn and a session end while its stream is open.
CHECK_S = 60.0
ID_DIGITS_MAX = 18
TOPIC = "|".join(sorted(TOPICS))
Topics = Annotated[
    str | None,
    Query(
        pattern=f"^({TOPIC})(,({TOPIC})){{0,9}}$",
        description="only these, separated by commas: alert (incidents too), incident, latest, command, presence, beat",
        examples=["alert,beat"],
    ),
]


@ENDPOINTS.get("/stream", role="viewer", extra=EVENTS)
async def stream(
    request: Request,
    topic: Topics = None,
    kind: KindFilter = None,
    district: DistrictFilter = None,
    last_event_id: Annotated[str | None, Header(description="go on after this event; too old gives `reset`")] = None,
) -> Response:
    """Alerts as they change (replayed after Last-Event-ID), changed latest values, what became of commands, who came
    and went, and a beat every 5 s.

    An incident in several districts is told to all of them."""
    live = context.of(request).live
    await live.ready()
    wanted = Wanted(_topics(topic), kind, district)
    return LiveResponse(request, live, wanted, _last_id(last_event_id))


class LiveResponse(StreamingResponse):
    """Joins before the first byte is sent and leaves whatever happens, even if no byte ever was."""

    def __init__(self, request: Request, live: Live, wanted: Wanted, last_id: int | None) -> None:
        super().__init__((), 200, HEADERS, "text/event-stream")
        self.request, self.live, self.wanted, self.last_id = request, live, wanted, last_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self.live.joined(self.wanted) as client:
            self.body_iterator = _while_allowed(self.request, self.live.events(client, self.last_id))
            await super().__call__(scope, receive, send)


async def _while_allowed(request: Request, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    next_check = time.monotonic() + CHECK_S
    async for chunk in chunks:
        yield chunk
        if time.monotonic() >= next_check:
            next_check = time.monotonic() + CHECK_S
            try:
                await authorise(request, "viewer")
            except Problem:
                return
            except psycopg.Error:
                continue  # the database is away: nobody is shut out for that


def _topics(text: str | None) -> frozenset[Topic]:
    return TOPICS if text is None else TOPICS & set(text.split(","))


def _last_id(text: str | None) -> int | None:
    """The id to go on after; anything that is none of ours counts as ahead of the log, which answers `reset`."""
    if text is None or text.strip() == "":
        return None
    digits = text.strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= ID_DIGITS_MAX else 2**63 - 1
