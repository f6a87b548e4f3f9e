"""What /api/v1 has promised once stays: docs/openapi-v1.paths lists every address, parameter, member and its type.

SIAGA_TEST_PROMISE=1 adds what is new to the file. It takes nothing out, and lets nothing become required.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROMISED = Path(__file__).resolve().parents[2] / "docs/openapi-v1.paths"
HEAD = "# What clients of /api/v1 may rely on (docs/api.md). tests/api/test_promised.py adds what is new.\n"
REQUIRED = " required"


def test_nothing_promised_is_gone(app: Any) -> None:
    offered = set(lines(app.state.document()))
    promised = set(PROMISED.read_text(encoding="utf-8").splitlines()[1:])
    assert broken(promised, offered) == []
    if os.environ.get("SIAGA_TEST_PROMISE"):
        PROMISED.write_text(HEAD + "".join(f"{line}\n" for line in sorted(offered)), encoding="utf-8")
        promised = offered
    assert not offered - promised, f"new, run it with SIAGA_TEST_PROMISE=1: {sorted(offered - promised)}"


def test_it_notices_what_is_gone_changed_or_newly_required() -> None:
    before = lines_of({"id": "integer", "of": "string"}, {"name": "kind", "in": "query"})
    assert broken(before, lines_of({"id": "integer", "of": "string"}, {"name": "kind", "in": "query"})) == []
    assert broken(before, before | {"GET /api/v1/y", "GET /api/v1/y ?a required", "Thing.new string"}) == []
    assert broken(before, lines_of({"id": "string"}, {"name": "kind", "in": "query", "required": True})) == [
        "GET /api/v1/x ?kind", "GET /api/v1/x ?kind required", "Thing.id integer", "Thing.of string",
    ]  # fmt: skip
    asked = before | {"POST /api/v1/x body New", "New.name string"}
    assert broken(asked, asked | {"New.why string required"}) == ["New.why string required"]
    assert broken(before, asked | {"New.why string required"}) == []


def broken(promised: set[str], offered: set[str]) -> list[str]:
    """What a client of before would stumble over: lines that are gone, and what it does not send yet."""
    known = {_owner(line) for line in promised}
    asked = {line for line in offered - promised if line.endswith(REQUIRED) and _owner(line) in known}
    return sorted(promised - offered | asked)


def lines_of(members: dict[str, str], parameter: dict[str, Any]) -> set[str]:
    """Those of one address that answers a Thing."""
    answer = {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}}
    thing = {"properties": {name: {"type": kind} for name, kind in members.items()}}
    get = {"parameters": [parameter], "responses": answer}
    return set(lines({"paths": {"/api/v1/x": {"get": get}}, "components": {"schemas": {"Thing": thing}}}))


def lines(document: dict[str, Any]) -> Iterator[str]:
    """A line for everything that somebody may rely on."""
    schemas, sent = document["components"]["schemas"], set[str]()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            here = f"{method.upper()} {path}"
            yield here
            for parameter in operation.get("parameters", ()):
                if parameter["in"] != "path":
                    yield f"{here} ?{parameter['name']}{REQUIRED if parameter.get('required') else ''}"
            for media, content in operation.get("requestBody", {}).get("content", {}).items():
                yield f"{here} body {media} {_type(content['schema'])}"
                sent |= _named(content["schema"], schemas)
            for code, response in operation["responses"].items():
                if code.startswith("2"):
                    content = response.get("content", {})
                    yield from (f"{here} {code} {media} {_type(each['schema'])}" for media, each in content.items())
    for name, schema in schemas.items():
        needed = schema.get("required", ()) if name in sent else ()
        for field, described in schema.get("properties", {}).items():
            yield f"{name}.{field} {_type(described)}{REQUIRED if field in needed else ''}"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(sorted({_type(option) for option in schema["anyOf"]}))
    if schema.get("type") == "array":
        return f"[{_type(schema.get('items', {}))}]"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"{{{_type(schema['additionalProperties'])}}}"
    return str(schema.get("type", "any"))


def _named(schema: Any, schemas: dict[str, Any]) -> set[str]:
    """The schemas that it is made of."""
    if isinstance(schema, list):
        return set().union(*(_named(each, schemas) for each in schema))
    if not isinstance(schema, dict):
        return set()
    if "$ref" not in schema:
        return set().union(*(_named(each, schemas) for each in schema.values()))
    name = schema["$ref"].rpartition("/")[2]
    return {name} | _named(schemas[name], schemas)


def _owner(line: str) -> str:
    """The address or the schema that a line is about."""
    return line.partition(" ?")[0] if " ?" in line else line.partition(".")[0]
