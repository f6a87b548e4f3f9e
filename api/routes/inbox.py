"""Readings over HTTP. Ingest alone writes readings: the request is left for it, and its answer waited for."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Collection, Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import Header
from starlette.requests import Request
from starlette.responses import Response

from api import context, inbox_shapes, posted
from api.auth import Caller, Endpoints
from api.context import Context
from api.problem_types import INGEST_AWAY, UNSUPPORTED_MEDIA_TYPE
from api.problems import Problem, wrong_field
from api.reply import reply
from devices.topics import filters_meet, readings_topic
from storage import inbox

ENDPOINTS = Endpoints("/api/v1")
# Between two looks for the answer: soon first, as ingest mostly answers within SIAGA_INBOX_POLL_S.
LOOK_FIRST_S, LOOK_MAX_S = 0.05, 0.5
KEY = r"^[\x21-\x7e]{1,200}$"
READING = {
    "type": "object",
    "description": "beside these what the kind takes: /asyncapi.json has a schema for each",
    "required": ["device", "ts"],
    "properties": {"device": {"type": "string"}, "ts": {"anyOf": [{"type": "string"}, {"type": "number"}]}},
    "additionalProperties": True,
}
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            posted.JSON: {"schema": {"anyOf": [{"type": "array", "items": READING}, READING]}},
            posted.LINES[0]: {"schema": {"type": "string", "description": "one reading a line"}},
        },
    }
}


@ENDPOINTS.post(
    "/readings",
    role="engineer",
    answer=inbox_shapes.Posted,
    problems=[HTTPStatus.UNSUPPORTED_MEDIA_TYPE],
    extra=BODY,
)
async def post_readings(
    request: Request,
    who: Caller,
    idempotency_key: Annotated[
        str | None, Header(pattern=KEY, description="the same request under the same key is done once")
    ] = None,
) -> Response:
    """Store readings as MQTT would, each `{"device": …, "ts": …, …}`; answered after the commit, with what became of
    each. 503: nothing of it was stored."""
    here = context.of(request)
    body = await request.body()
    found = await asyncio.to_thread(posted.items, body, _in_lines(request), here.settings.post_items_max)
    named = sorted({item.device for item in found if item.device is not None})
    home = here.settings.region
    async with here.writes.connection() as conn:
        known = await inbox.regions_of(conn, named)
        regions = sorted({posted.region(item, known, home) for item in found})
        _check_served(regions, await inbox.served(conn))
        left = inbox.Request(
            who.name, idempotency_key, hashlib.sha256(body).digest(), regions,
            [posted.topic(item, known, home) for item in found], [item.payload for item in found], context.utc_now(),
        )  # fmt: skip
        try:
            number = await inbox.post(conn, left, here.settings.inbox_max)
        except inbox.KeyUsedError:
            raise wrong_field("Idempotency-Key", "another request was sent under this key; take a new one") from None
    if number is None:
        raise _away(f"{here.settings.inbox_max} requests wait for ingest already (SIAGA_INBOX_MAX)")
    return reply(await _answer(here, number))


async def _answer(here: Context, number: int) -> str:
    """What ingest says. Raises 503 when the request was taken back."""
    deadline, pause_s = time.monotonic() + here.settings.post_wait_s, LOOK_FIRST_S
    while True:
        is_last = time.monotonic() >= deadline
        async with here.writes.connection() as conn:
            if is_last:
                await inbox.withdraw(conn, number)
            text = await inbox.answer(conn, number)
        if text is not None:
            return text
        if is_last:
            raise _away(f"ingest has not taken them within {here.settings.post_wait_s:g} s (SIAGA_POST_WAIT_S)")
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.5, LOOK_MAX_S)


def _in_lines(request: Request) -> bool:
    media = request.headers.get("content-type", posted.JSON).partition(";")[0].strip().lower()
    if media not in (posted.JSON, *posted.LINES):
        detail = f"{media} is neither {posted.JSON} nor {posted.LINES[0]}"
        raise Problem(UNSUPPORTED_MEDIA_TYPE, detail)
    return media != posted.JSON


def _check_served(regions: Collection[str], processes: Sequence[Sequence[str]]) -> None:
    """One ingest process must serve all of a request, or half of it could be stored."""
    serving = [{region for region in regions if _meets(region, filters)} for filters in processes]
    if any(len(each) == len(regions) for each in serving):
        return
    missing = set(regions).difference(*serving)
    if missing:
        raise _away(f"no ingest process serves {', '.join(sorted(missing))} just now")
    told = " and ".join(sorted(", ".join(sorted(each)) for each in serving if each))
    raise wrong_field("device", f"different ingest processes serve {told}; send a request for each")


def _meets(region: str, filters: Sequence[str]) -> bool:
    return any(filters_meet(each, readings_topic(region, "+")) for each in filters)


def _away(why: str) -> Problem:
    return Problem(INGEST_AWAY, f"{why}; nothing was stored, please try again")
