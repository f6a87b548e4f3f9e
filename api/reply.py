"""JSON answers from texts that are JSON already, and pages of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response


def encode(value: Any) -> str:
    """Compact JSON text. NaN, which is nowhere stored, would become null."""
    return orjson.dumps(value).decode()


def reply(text: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(text.encode(), status, headers, "application/json")


def items_reply(request: Request, items: Iterable[str], next_cursor: str | None = None) -> Response:
    """A collection; the next page is named in the body and, for those who follow links, in Link."""
    body = f'{{"items":[{",".join(items)}],"next_cursor":{encode(next_cursor)}}}'
    return reply(body, headers=next_link(request, next_cursor))


def next_link(request: Request, next_cursor: str | None) -> dict[str, str]:
    """The header that names the next page, if there is one."""
    if next_cursor is None:
        return {}
    url = request.url.include_query_params(cursor=next_cursor)
    return {"Link": f'<{url.path}?{url.query}>; rel="next"'}
