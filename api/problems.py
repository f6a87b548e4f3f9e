"""Every error as application/problem+json (RFC 9457), naming the field and the limit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import psycopg
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from api import context, metrics
from api.head import has_head
from api.problem_types import (
    DATABASE_AWAY,
    INVALID_REQUEST,
    METHOD_NOT_ALLOWED,
    NO_SUCH_ADDRESS,
    NOT_FOUND,
    TOO_SLOW,
    ProblemType,
    of_status,
)

MEDIA_TYPE = "application/problem+json"
BLANK = "about:blank"
RETRY_AFTER_S = 5


class Problem(HTTPException):
    """An error answer. errors name wrong fields; extra members stand beside the standard ones."""

    def __init__(
        self,
        kind: ProblemType,
        detail: str,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        usual = {"Retry-After": str(RETRY_AFTER_S)} if "Retry-After" in kind.headers else {}
        super().__init__(kind.status, detail, usual | dict(headers or {}))
        self.kind = kind
        self.errors = list(errors)
        self.extra = extra


def wrong_field(field: str, message: str) -> Problem:
    """422 for one field; the message names the limit."""
    return Problem(INVALID_REQUEST, f"{field}: {message}", errors=[{"field": field, "message": message}])


def documented(status: HTTPStatus) -> dict[str, Any]:
    """An answer with this status, for OpenAPI: its schema names the types (api/openapi.py)."""
    schema = {"$ref": f"#/components/schemas/Problem{int(status)}"}
    names = ", ".join(each.name for each in of_status(status))
    return {"description": f"{status.phrase}: {names}", "content": {MEDIA_TYPE: {"schema": schema}}}


def not_found(what: str) -> Problem:
    return Problem(NOT_FOUND, f"{what} is not known")


def respond(problem: Problem) -> Response:
    kind = problem.kind
    said: dict[str, Any] = {"type": kind.uri, "title": kind.title, "status": int(kind.status), "detail": problem.detail}
    if problem.errors:
        said["errors"] = problem.errors
    return _answer(said | problem.extra, kind.status, problem.headers)


def install(app: FastAPI) -> None:
    """Answer every exception with a problem. Unforeseen ones are the business of api/edge.py."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(psycopg.OperationalError, _database)
    app.add_exception_handler(psycopg.InterfaceError, _database)
    app.add_exception_handler(psycopg.errors.UndefinedTable, _not_migrated)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, Problem):
        return respond(error)
    if error.status_code == HTTPStatus.BAD_REQUEST:
        # All that FastAPI answers so is a body whose bytes are no text; it is wrong in the way broken JSON is.
        return respond(wrong_field("body", "is no JSON in UTF-8"))
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # Starlette names the methods of one route; a path may have a route for each method.
        allow = ", ".join(sorted(_methods(request)))
        return respond(Problem(METHOD_NOT_ALLOWED, f"{request.url.path} allows {allow}", headers={"Allow": allow}))
    if error.status_code == HTTPStatus.NOT_FOUND:
        return respond(Problem(NO_SUCH_ADDRESS, "there is nothing at this address"))
    # Nothing of ours, and nothing more is known of it than its status.
    phrase = HTTPStatus(error.status_code).phrase
    return _answer({"type": BLANK, "title": phrase, "status": error.status_code}, error.status_code, error.headers)


def _answer(said: Mapping[str, Any], status: int, headers: Mapping[str, str] | None) -> Response:
    # ASCII only: a message may quote what the client sent, and that may be no valid text.
    return Response(json.dumps(said).encode(), status, dict(headers or {}), MEDIA_TYPE)


def _methods(request: Request) -> set[str]:
    found: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= set(getattr(route, "methods", None) or ())
    if "GET" in found and has_head(request.url.path):
        found.add("HEAD")
    return found


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [{"field": _field(e["loc"], e["type"]), "message": str(e["msg"])} for e in error.errors()]
    detail = "; ".join(f"{e['field']}: {e['message']}" for e in errors[:3])
    return respond(Problem(INVALID_REQUEST, detail, errors))


def _field(location: Sequence[Any], what: str) -> str:
    """Without where it stands (body, query …); of a list with the number of the item: items.3.id."""
    names = [str(part) for part in location]
    # Of what is no JSON at all the second is the place in the text.
    return names[0] if what == "json_invalid" else ".".join(names[1:]) or names[0]


async def _database(request: Request, error: Exception) -> Response:
    metrics.DATABASE_UNAVAILABLE.inc()
    kind = DATABASE_AWAY
    if isinstance(error, PoolTimeout):
        here = context.of(request).settings
        detail = (
            f"no connection within {here.connection_wait_s:g} s (SIAGA_CONNECTION_WAIT_S): the database is away, or"
            f" {here.read_connections} queries are under way (SIAGA_READ_CONNECTIONS); please try again"
        )
    elif isinstance(error, psycopg.errors.QueryCanceled):
        kind, limit = TOO_SLOW, context.of(request).settings.statement_timeout_s
        detail = f"the query took longer than {limit} s (SIAGA_STATEMENT_TIMEOUT_S); ask for less at once"
    else:
        detail = "the database is away; nothing that was acknowledged is lost, please try again"
    return respond(Problem(kind, detail))


async def _not_migrated(request: Request, error: Exception) -> Response:
    return respond(Problem(DATABASE_AWAY, "the database has no tables yet; run `siaga migrate`"))
