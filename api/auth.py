"""Who may do what. Deny by default: an endpoint is an `Endpoint`, and an `Endpoint` cannot be made without a role.

A caller shows an API key (Authorization: Bearer) or the cookie of a browser session. The check runs before anything
of the request is read. Who is limited to regions is so in the database (storage/scope.py), whatever an endpoint asks.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar

import psycopg
from fastapi import Depends, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from api import context
from api.context import SAFE
from api.deprecation import Deprecated
from api.problem_types import HEADER_MISSING, NOT_ALLOWED, NOT_AUTHENTICATED, REGION_LIMITED
from api.problems import Problem, documented, wrong_field
from storage.keys import ROLES as ROLES
from storage.keys import Role, Who, who_has_key, who_is_signed_in

Access = Role | Literal["anyone"]
F = TypeVar("F", bound=Callable[..., Any])

COOKIE = "siaga_session"
# Over https: with this prefix no other host of the domain, and nobody without TLS, can have set it.
HOST_COOKIE = f"__Host-{COOKIE}"
# A form of another site cannot set a header, so a cookie alone never changes anything.
CSRF_HEADER = "X-Siaga"
# What the database says to who is limited: no such table in their schema, a view that is only to be read, a row that
# would not be theirs.
LIMITED = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.ObjectNotInPrerequisiteState,
    psycopg.errors.WithCheckOptionViolation,
)


class Endpoint(APIRoute):
    """A route that knows who may call it. whole: only callers who are not limited to regions. deprecated: said in every
    answer (api/edge.py)."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        role: Access,
        whole: bool = False,
        deprecated: Deprecated | None = None,
        **options: Any,
    ) -> None:
        self.role = role
        self.whole = whole
        self.deprecation = deprecated
        super().__init__(path, endpoint, deprecated=deprecated is not None or None, **options)
        if deprecated is not None:
            self.description = f"{self.description} {deprecated.sentence}"

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        role, whole = self.role, self.whole

        known = frozenset(self._parameters())

        async def guarded(request: Request) -> Response:
            if role == "anyone":
                return await handler(request)
            who = request.state.who = await authorise(request, role)
            _only(request, known)
            if who.regions is None:
                return await handler(request)
            if whole:
                raise beyond(who)
            try:
                return await handler(request)
            except LIMITED:
                raise beyond(who) from None

        return guarded

    def _parameters(self) -> Iterator[str]:
        """The names that a query may have, as OpenAPI lists them."""
        fields = get_flat_params(self.dependant)
        yield from (field.alias for field in fields if isinstance(field.field_info, params.Query))
        declared = (self.openapi_extra or {}).get("parameters", ())
        yield from (each["name"] for each in declared if each["in"] == "query")


class Endpoints(list[Endpoint]):
    """The endpoints of one file, declared by decorators: `@ENDPOINTS.get("/kinds", role="viewer", answer=Kinds)`."""

    def __init__(self, prefix: str = "") -> None:
        super().__init__()
        self.prefix = prefix

    def get(self, path: str, *, role: Access, **documented: Any) -> Callable[[F], F]:
        return self.on(("GET",), path, role=role, **documented)

    def post(self, path: str, *, role: Access, **documented: Any) -> Callable[[F], F]:
        return self.on(("POST",), path, role=role, **documented)

    def delete(self, path: str, *, role: Access, **documented: Any) -> Callable[[F], F]:
        return self.on(("DELETE",), path, role=role, **documented)

    def on(
        self,
        methods: Sequence[str],
        path: str,
        *,
        role: Access,
        whole: bool = False,
        answer: Any = None,
        problems: Sequence[HTTPStatus] = (),
        extra: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Callable[[F], F]:
        """Declare an endpoint; answer is what a 2xx holds, problems which errors there are beside the usual ones."""

        def declare(function: F) -> F:
            endpoint = Endpoint(
                self.prefix + path,
                function,
                role=role,
                whole=whole,
                methods=list(methods),
                response_model=None,
                response_class=options.pop("response_class", Response),
                responses=responses(role, whole, methods, problems, answer, options.get("status_code", HTTPStatus.OK)),
                openapi_extra={"security": security(role), **(extra or {})},
                **options,
            )
            self.append(endpoint)
            return function

        return declare


def security(role: Access) -> list[dict[str, list[str]]]:
    """What OpenAPI says about a role; the schemes are declared in api/openapi.py."""
    return [] if role == "anyone" else [{"key": []}, {"session": []}]


def responses(
    role: Access, whole: bool, methods: Sequence[str], problems: Sequence[HTTPStatus], answer: Any, status: int
) -> dict[int | str, dict[str, Any]]:
    """Every status an endpoint may answer, for OpenAPI."""
    usual = {HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE}
    changes = not SAFE.issuperset(methods)
    if role != "anyone":
        usual.add(HTTPStatus.UNAUTHORIZED)
        if changes or whole or role != "viewer":
            usual.add(HTTPStatus.FORBIDDEN)
    if changes:
        usual.add(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    found: dict[int | str, dict[str, Any]] = {int(code): documented(code) for code in sorted(usual | set(problems))}
    if answer is not None:
        found[int(status)] = {"model": answer}
    return found


def _only(request: Request, known: frozenset[str]) -> None:
    """Raise 422 for a parameter that nobody reads: a filter with a slip in its name would answer everything."""
    for name in request.query_params:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise wrong_field(name, f"is no parameter of this address; there are: {listed}")


async def authorise(request: Request, role: Role) -> Who:
    """Whoever calls, if they may do what `role` may. Raises 401 without a valid key or session, 403 otherwise."""
    who, by_cookie = await identify(request)
    if who is None:
        raise Problem(
            NOT_AUTHENTICATED,
            "no valid key: send Authorization: Bearer KEY, or sign in",
            headers={"WWW-Authenticate": 'Bearer realm="siaga"'},
        )
    if ROLES.index(who.role) < ROLES.index(role):
        raise Problem(NOT_ALLOWED, f"this needs the role {role}; {who.name} has {who.role}")
    if by_cookie and request.method not in SAFE and request.headers.get(CSRF_HEADER) != "1":
        raise Problem(HEADER_MISSING, f"a signed-in browser must send the header {CSRF_HEADER}: 1")
    return who


def beyond(who: Who) -> Problem:
    """What somebody gets who is limited to regions and asks for more."""
    return Problem(
        REGION_LIMITED,
        f"this is not only about {', '.join(who.regions or ())}, and {who.name} is limited to that",
    )


async def identify(request: Request) -> tuple[Who | None, bool]:
    """Who calls, and whether only a cookie says so. A key beats a cookie."""
    # Whoever wants to acknowledge must not wait here for those who read.
    here = context.whole(request)
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    session = session_of(request)
    if scheme.lower() == "bearer" and key.strip():
        async with here.writes.connection() as conn:
            return await who_has_key(conn, key.strip()), False
    if session:
        async with here.writes.connection() as conn:
            return await who_is_signed_in(conn, session, here.settings.session_idle_min * 60), True
    return None, False


def session_of(request: Request) -> str | None:
    """The secret in the cookie of this connection's kind."""
    return request.cookies.get(cookie_name(request))


def cookie_name(request: Request) -> str:
    return HOST_COOKIE if is_secure(request) else COOKIE


def is_secure(request: Request) -> bool:
    return request.url.scheme == "https"


def caller(request: Request) -> Who:
    """Who was let in."""
    who: Who = request.state.who
    return who


Caller = Annotated[Who, Depends(caller)]
