"""The OpenAPI 3.1 document: what FastAPI derives, completed by what it cannot know."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from api import links, shapes
from api.problems import MEDIA_TYPE
from runtime.settings import Settings

DESCRIPTION = """City monitoring: devices, readings, aggregates and alerts of a regency.

Send `Authorization: Bearer KEY`. Times are RFC 3339 in UTC. Collections answer `items` and `next_cursor`; give the
latter back as `cursor` to read on. Errors are `application/problem+json` (RFC 9457) and name field and limit.
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
PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
# What stands for a parameter may be spelled out by another address, which has not this method.
NOT_ALLOWED = {"description": "Method Not Allowed", "content": PROBLEM}
TOO_MANY = {
    "description": "Too Many Requests",
    "headers": {
        "Retry-After": {"schema": {"type": "integer"}, "description": "seconds"},
        "RateLimit": {"schema": {"type": "string"}, "description": "how much is left, and for how many seconds"},
        "RateLimit-Policy": {"schema": {"type": "string"}, "description": "how many there are in how many seconds"},
    },
    "content": PROBLEM,
}


def document(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """The document of this application, made once."""
    _name(app)
    made = app.openapi()
    components = made.setdefault("components", {})
    components["securitySchemes"] = SCHEMES
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = shapes.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schemas["Problem"].pop("$defs", {}))
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
    return made


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
