"""The OpenAPI 3.1 document: what FastAPI derives, completed by what it cannot know."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from api import examples, links, shapes, units
from api.problem_types import TYPES, of_status
from api.problems import documented
from runtime.settings import Settings

DESCRIPTION = """City monitoring: devices, readings, aggregates and alerts of a regency.

Send `Authorization: Bearer KEY`. Times are RFC 3339 in UTC. Collections answer `items` and `next_cursor`; give the
latter back as `cursor` to read on. Errors are `application/problem+json` (RFC 9457) and name field and limit; `type`
leads to what to do. Numbers have their unit in `x-unit`: a UCUM code, "1" for counts and shares.
Roles: viewer reads, operator also acknowledges, engineer also imports devices, admin may do everything."""
SCHEMES = {
    "key": {"type": "http", "scheme": "bearer", "description": "an API key"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "siaga_session",
        "description": "a browser session; other methods than GET also need the header X-Siaga: 1",
    },
}


# What a sentence about a parameter cannot say; by name, as they mean the same everywhere.
EXAMPLES = {
    "from": "-6h",
    "to": "-1h",
    "at": "-1h",
    "since": "-1d",
    "district": "12.09.19",
    "tz": "Asia/Jakarta",
    "if-match": '"3"',
}
# api/routes/alert_actions.py and rules.py answer 428 without it.
IF_MATCH = {"type": "string", "pattern": r'^(\*|(W/)?"[0-9]{1,10}")$'}
# What stands for a parameter may be spelled out by another address, which has not this method.
NOT_ALLOWED = documented(HTTPStatus.METHOD_NOT_ALLOWED)
TOO_MANY = {
    **documented(HTTPStatus.TOO_MANY_REQUESTS),
    "headers": {
        "Retry-After": {"schema": {"type": "integer"}, "description": "seconds"},
        "RateLimit": {"schema": {"type": "string"}, "description": "how much is left, and for how many seconds"},
        "RateLimit-Policy": {"schema": {"type": "string"}, "description": "how many there are in how many seconds"},
    },
}
# Members that some problems have beside the standard ones.
MEMBERS = {"current": {"description": "what is to be changed, as it is now", "type": ["object", "null"]}}


def made_when_asked(app: FastAPI, settings: Settings) -> Callable[[], dict[str, Any]]:
    """Makes the document at the first call: it is a third of the API's start, and most never show it. For threads."""
    lock = threading.Lock()
    made: list[dict[str, Any]] = []

    def once() -> dict[str, Any]:
        with lock:
            if not made:
                made.append(document(app, settings))
        return made[0]

    return once


def document(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """The document of this application, made once."""
    _name(app)
    made = app.openapi()
    components = made.setdefault("components", {})
    components["securitySchemes"] = SCHEMES
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = shapes.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schemas["Problem"].pop("$defs", {}))
    schemas.update({f"Problem{status}": _problem(status) for status in {int(each.status) for each in TYPES}})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    operations: dict[str, dict[str, Any]] = {}
    for address, path in made["paths"].items():
        most = settings.latest_max if address == "/api/v1/latest" else settings.page_max
        for operation in path.values():
            operations[operation["operationId"]] = operation
            for parameter in operation.get("parameters", ()):
                _complete(parameter, most)
            if address.startswith("/api/"):
                operation["responses"]["429"] = TOO_MANY
            if "{" in address:
                operation["responses"].setdefault("405", NOT_ALLOWED)
    links.add(operations)
    units.add(made)
    examples.add(made)
    return made


def _problem(status: int) -> dict[str, Any]:
    """What a problem with this status looks like: of which types it may be."""
    kinds = of_status(status)
    own = {name: MEMBERS[name] for kind in kinds for name in kind.members if name in MEMBERS}
    return {
        "allOf": [{"$ref": "#/components/schemas/Problem"}],
        "description": " ".join(f"{kind.uri}: {kind.when}" for kind in kinds),
        "properties": {"type": {"enum": [kind.uri for kind in kinds]}, "status": {"const": status}, **own},
        "examples": [{"type": k.uri, "title": k.title, "status": status, "detail": k.when} for k in kinds],
    }


def _name(app: FastAPI) -> None:
    """Operations are called as their functions, which reads well in clients that are made from the document."""
    routes = [route for route in app.routes if isinstance(route, APIRoute) and route.include_in_schema]
    times = Counter(route.name for route in routes)
    for route in routes:
        area = route.path.removeprefix("/api/v1/").partition("/")[0]
        route.operation_id = route.name if times[route.name] == 1 else f"{route.name}_{area}"


def _complete(parameter: dict[str, Any], most: int) -> None:
    name = parameter["name"].lower()
    if name == "limit":
        _bound(parameter["schema"], most)
    if name == "if-match":
        parameter["required"] = True
        parameter["schema"] = IF_MATCH
    if name in EXAMPLES:
        parameter.setdefault("example", EXAMPLES[name])


def _bound(schema: dict[str, Any], most: int) -> None:
    """Limits are settings, so only the running application knows them."""
    for part in schema.get("anyOf", [schema]):
        if part.get("type") == "integer":
            part["maximum"] = most
