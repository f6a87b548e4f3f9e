"""The description of the API: for machines (OpenAPI) and as a page for people, without scripts of others."""

from __future__ import annotations

from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.auth import Endpoints
from api.reply import encode, reply

ENDPOINTS = Endpoints()


@ENDPOINTS.get("/openapi.json", role="anyone", include_in_schema=False)
async def show_openapi(request: Request) -> Response:
    """The OpenAPI 3.1 document."""
    return reply(encode(request.app.state.document))


@ENDPOINTS.get("/docs", role="anyone", include_in_schema=False)
async def show_docs(request: Request) -> Response:
    """Every endpoint with its parameters and answers."""
    return HTMLResponse(page(request.app.state.document))


def page(document: dict[str, Any]) -> str:
    """The OpenAPI document as plain HTML: our security policy forbids scripts and styles that are not files."""
    info = document["info"]
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(info['title'])}</title><main><h1>{escape(info['title'])}</h1>",
        *(f"<p>{escape(paragraph)}</p>" for paragraph in info["description"].split("\n\n")),
        '<p>For machines: <a href="/openapi.json">openapi.json</a></p>',
    ]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parts += _operation(path, method, operation)
    return "\n".join([*parts, "</main></html>"])


def _operation(path: str, method: str, operation: dict[str, Any]) -> list[str]:
    lines = [
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2>",
        f"<p>{escape(operation.get('description', ''))}</p>",
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
