"""The description of the API: for machines (OpenAPI, of MQTT AsyncAPI) and as a page for people."""

from __future__ import annotations

import asyncio
import functools
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import context
from api.auth import Endpoints
from api.html_page import html_page, said
from api.reply import encode, reply
from devices import asyncapi
from devices.kinds import KINDS

ENDPOINTS = Endpoints()


@ENDPOINTS.get("/openapi.json", role="anyone", include_in_schema=False)
async def show_openapi(request: Request) -> Response:
    """The OpenAPI 3.1 document."""
    return reply(await asyncio.to_thread(lambda: encode(request.app.state.document())))


@ENDPOINTS.get("/asyncapi.json", role="anyone", include_in_schema=False)
async def show_asyncapi(request: Request) -> Response:
    """The AsyncAPI 3.0 document of what devices publish."""
    settings = context.whole(request).settings
    return reply(_asyncapi(asyncapi.Limits(settings.array_max, settings.payload_max_bytes)))


@ENDPOINTS.get("/docs", role="anyone", include_in_schema=False)
async def show_docs(request: Request) -> Response:
    """Every endpoint with its parameters and answers."""
    return HTMLResponse(await asyncio.to_thread(lambda: page(request.app.state.document())))


def page(document: dict[str, Any]) -> str:
    """The OpenAPI document as plain HTML."""
    info = document["info"]
    parts = [
        *(f"<p>{said(paragraph)}</p>" for paragraph in info["description"].split("\n\n")),
        '<p>For machines: <a href="/openapi.json">openapi.json</a></p>',
        '<p>What devices publish over MQTT: <a href="/asyncapi.json">asyncapi.json</a></p>',
        '<p>What can go wrong, and what to do: <a href="/problems">problems</a></p>',
    ]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parts += _operation(path, method, operation)
    return html_page(info["title"], parts)


@functools.cache
def _asyncapi(limits: asyncapi.Limits) -> str:
    return encode(asyncapi.document(KINDS.values(), limits))


def _operation(path: str, method: str, operation: dict[str, Any]) -> list[str]:
    lines = [
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2>",
        f"<p>{said(operation.get('description', ''))}</p>",
    ]
    parameters = operation.get("parameters", [])
    if parameters:
        rows = (
            f"<tr><th scope=row><code>{escape(p['name'])}</code><td>{p['in']}"
            f"<td>{'required' if p.get('required') else ''}<td>{escape(_words(p))}"
            for p in parameters
        )
        lines.append(
            "<table><thead><tr><th scope=col>name<th scope=col>in<th scope=col><th scope=col>meaning<tbody>"
            + "".join(rows)
            + "</table>"
        )
    answers = ", ".join(f"{code} {escape(a.get('description', ''))}" for code, a in operation["responses"].items())
    return [*lines, f"<p>Answers: {answers}</p></section>"]


def _words(parameter: dict[str, Any]) -> str:
    schema = parameter.get("schema", {})
    options = schema.get("enum") or next((p["enum"] for p in schema.get("anyOf", []) if "enum" in p), None)
    text = str(parameter.get("description", ""))
    return f"{text} ({', '.join(map(str, options))})" if options else text
