"""What the `type` of a problem leads to: a page for people, or JSON for who does not ask for HTML. Public."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.auth import Endpoints
from api.html_page import html_page, said
from api.problem_types import BY_NAME, TYPES, ProblemType
from api.problems import not_found
from api.reply import encode, reply

ENDPOINTS = Endpoints()
VARY = {"Vary": "Accept"}


@ENDPOINTS.get("/problems", role="anyone", include_in_schema=False)
async def list_problem_types(request: Request) -> Response:
    """All types of problems."""
    if not _wants_html(request):
        return reply(encode({"items": list(map(_item, TYPES))}), headers=VARY)
    rows = (f'<tr><td>{each.status}<td><a href="{each.uri}">{each.name}</a><td>{said(each.title)}' for each in TYPES)
    table = "<table><thead><tr><th scope=col>status<th scope=col>type<th scope=col>title<tbody>" + "".join(rows)
    return HTMLResponse(html_page("Problems", [table, "</table>"]), headers=VARY)


@ENDPOINTS.get("/problems/{name}", role="anyone", include_in_schema=False)
async def show_problem_type(request: Request, name: Annotated[str, Path(max_length=64)]) -> Response:
    """One type: when it is answered, and what to do."""
    kind = BY_NAME.get(name)
    if kind is None:
        raise not_found(f"problem {name!r}")
    if not _wants_html(request):
        return reply(encode(_item(kind)), headers=VARY)
    return HTMLResponse(html_page(kind.title, _told(kind)), headers=VARY)


def _wants_html(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _item(kind: ProblemType) -> dict[str, Any]:
    return {
        "type": kind.uri,
        "status": int(kind.status),
        "title": kind.title,
        "when": kind.when,
        "what_to_do": kind.what_to_do,
        "members": kind.members,
        "headers": kind.headers,
    }


def _told(kind: ProblemType) -> list[str]:
    beside = [f"member <code>{name}</code>" for name in kind.members]
    beside += [f"header <code>{name}</code>" for name in kind.headers]
    return [
        f"<p>Status {kind.status} {kind.status.phrase}, type <code>{kind.uri}</code></p>",
        f"<h2>When</h2><p>{said(kind.when)}</p>",
        f"<h2>What to do</h2><p>{said(kind.what_to_do)}</p>",
        f"<p>It comes with: {', '.join(beside)}.</p>" if beside else "",
        '<p><a href="/problems">All problems</a></p>',
    ]
