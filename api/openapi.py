"""The OpenAPI 3.1 document: what FastAPI derives, completed by what it cannot know."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from api import shapes
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


def document(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """The document of this application, made once."""
    made = app.openapi()
    components = made.setdefault("components", {})
    components["securitySchemes"] = SCHEMES
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = shapes.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schemas["Problem"].pop("$defs", {}))
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for address, path in made["paths"].items():
        most = settings.latest_max if address == "/api/v1/latest" else settings.page_max
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "limit":
                    _bound(parameter["schema"], most)
    return made


def _bound(schema: dict[str, Any], most: int) -> None:
    """Limits are settings, so only the running application knows them."""
    for part in schema.get("anyOf", [schema]):
        if part.get("type") == "integer":
            part["maximum"] = most
