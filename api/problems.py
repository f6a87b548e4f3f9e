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

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5


class Problem(HTTPException):
    """An error answer. errors name wrong fields; extra members stand beside the standard ones."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.errors = list(errors)
        self.extra = extra


def wrong_field(field: str, message: str) -> Problem:
    """422 for one field; the message names the limit."""
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, f"{field}: {message}", errors=[{"field": field, "message": message}]
    )


def not_found(what: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, f"{what} is not known")


def body_of(
    status: int, detail: str | None, errors: Sequence[Mapping[str, Any]] = (), extra: Mapping[str, Any] | None = None
) -> bytes:
    """The JSON text of a problem."""
    problem: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    if detail:
        problem["detail"] = detail
    if errors:
        problem["errors"] = list(errors)
    # ASCII only: a message may quote what the client sent, and that may be no valid text.
    return json.dumps(problem | dict(extra or {})).encode()


def respond(problem: Problem) -> Response:
    body = body_of(problem.status_code, problem.detail, problem.errors, problem.extra)
    return Response(body, problem.status_code, dict(problem.headers or {}), MEDIA_TYPE)


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
    headers = dict(error.headers or {})
    detail = error.detail if error.detail != HTTPStatus(error.status_code).phrase else None
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # Starlette names the methods of one route; a path may have a route for each method.
        headers["Allow"] = ", ".join(sorted(_methods(request)))
        detail = f"{request.url.path} allows {headers['Allow']}"
    elif error.status_code == HTTPStatus.NOT_FOUND and detail is None:
        detail = "there is nothing at this address"
    return Response(body_of(error.status_code, detail), error.status_code, headers, MEDIA_TYPE)


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
    errors = [{"field": _field(e["loc"]), "message": str(e["msg"])} for e in error.errors()]
    detail = "; ".join(f"{e['field']}: {e['message']}" for e in errors[:3])
    return respond(Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors))


def _field(location: Sequence[Any]) -> str:
    names = [str(part) for part in location if not isinstance(part, int)]
    return ".".join(names[1:]) or names[0]


async def _database(request: Request, error: Exception) -> Response:
    metrics.DATABASE_UNAVAILABLE.inc()
    if isinstance(error, PoolTimeout):
        here = context.of(request).settings
        detail = (
            f"no connection within {here.connection_wait_s:g} s (SIAGA_CONNECTION_WAIT_S): the database is away, or"
            f" {here.read_connections} queries are under way (SIAGA_READ_CONNECTIONS); please try again"
        )
    elif isinstance(error, psycopg.errors.QueryCanceled):
        limit = context.of(request).settings.statement_timeout_s
        detail = f"the query took longer than {limit} s (SIAGA_STATEMENT_TIMEOUT_S); ask for less at once"
    else:
        detail = "the database is away; nothing that was acknowledged is lost, please try again"
    return _unavailable(detail)


async def _not_migrated(request: Request, error: Exception) -> Response:
    return _unavailable("the database has no tables yet; run `siaga migrate`")


def _unavailable(detail: str) -> Response:
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return respond(Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=headers))
