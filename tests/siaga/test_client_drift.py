"""The client and the API's own document: every method, with all that it takes, asks for what is there and understands
what is answered. A member that is renamed, or a parameter that is gone, fails here."""

from __future__ import annotations

import inspect
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import jsonschema_rs
import pytest

from api.app import create_app
from runtime.settings import Settings
from siaga.client import Client, Reset
from siaga.client.plain import Plain
from siaga.client.rules import RuleInForce
from siaga.client.values import Groups, Place

NOW = datetime(2026, 11, 24, 12, 10, tzinfo=UTC)
# Of any address; Client.csv and save add nothing but format=.
ANY = {name for name in vars(Plain) if not name.startswith("_")} - {"me"}
METHODS = sorted(name for name in dir(Client) if not name.startswith("_") and name not in ANY)
RULE = RuleInForce("siaga", "water_level", "", True, "stored", 3, None, None, None, {})
# What is given for a parameter, by its name; by method where that needs another.
GIVEN: dict[str, Any] = {
    "args": {"level_pct": 50}, "batch": "00000000-0000-4000-8000-000000000000", "name": "dim", "timeout_s": 60,
    "action": "assign", "agg": ["avg"], "alert": 7, "alert_id": 7, "alerts": [7], "assignee": "Rudi", "at": NOW,
    "bbox": (99.5, 2.9, 99.7, 3.0), "bucket": "1h", "by": ["hour", "kind"], "comment": "dicek", "device": "wl-1",
    "device_id": "wl-1", "district": "12.09.19", "entry_id": 7, "feeder": "F-1", "fill": "null",
    "fingerprint": "0" * 16, "fleet": "id,kind\n", "force": True, "gateway": "g", "good": True, "group": "river",
    "historical": "any", "ids": [7], "key": "once", "kind": "water_level", "last_id": 5, "limit": 10,
    "method": "lttb", "metric": ["level_m"], "min_severity": 1, "near": (2.98, 99.6, 990), "note": "a test",
    "panel": "P-01", "parent": 7, "points": 50, "readings": [{"device": "wl-1", "ts": NOW, "level_m": 2.6}],
    "reason": "malformed", "river": "Silau", "rule": "siaga", "rule_id": "siaga", "scope": "alert", "seen": 3,
    "shift_s": -25200.0, "since": NOW, "site": "S", "skip_bad": True, "state": "open", "topic": ["alert"],
    "correct": True,
    "tz": "Asia/Jakarta", "until": NOW,
}  # fmt: skip
ELSE: dict[str, dict[str, Any]] = {
    "act_on_quarantine": {"action": "claim"},
    "tell": {"reason": "a test"},
    "change_rule": {"rule": {"id": "siaga", "kind": "water_level"}},
    "give_back_rule": {"rule": RULE},
    "metrics": {"device": ["wl-1", "wl-2"]},
    "series": {"device": ["wl-1", "wl-2"]},
}
MANY = {"groups": tuple(Groups.__annotations__), "place": tuple(Place.__annotations__), "chosen": ("reason", "since")}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    made: dict[str, Any] = create_app(Settings(database_url="postgresql://nobody@127.0.0.1:1/none")).state.document()
    return made


class Documented:
    """Answers as the document says, with every member there may be; refuses what the document does not have."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def __call__(self, request: httpx.Request) -> httpx.Response:
        operation = self._operation(request)
        self._check_parameters(request, operation)
        if request.content:
            self._check_body(request, operation)
        answers = operation["responses"]
        content = answers.get("200", answers.get("201"))["content"]
        if "text/event-stream" in content:
            headers = {"content-type": "text/event-stream"}
            return httpx.Response(200, text="event: reset\nid: 5\ndata: {}\n\n", headers=headers)
        return httpx.Response(200, json=self._example(content["application/json"]["schema"]))

    def _operation(self, request: httpx.Request) -> dict[str, Any]:
        """As the server finds it: an address without parameters goes before one with them."""
        paths = self.document["paths"]
        for template in sorted(paths, key=lambda path: path.count("{")):
            pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
            if re.fullmatch(pattern, request.url.path) and request.method.lower() in paths[template]:
                found: dict[str, Any] = paths[template][request.method.lower()]
                return found
        raise AssertionError(f"there is no {request.method} {request.url.path}")

    def _check_parameters(self, request: httpx.Request, operation: dict[str, Any]) -> None:
        known = {(each["in"], each["name"].lower()): each for each in operation.get("parameters", ())}
        own = {"if-match", "idempotency-key", "last-event-id"} & set(request.headers)
        sent = {("query", name) for name in request.url.params} | {("header", name) for name in own}
        assert sent <= known.keys()
        required = {name for name, each in known.items() if each.get("required") and each["in"] != "path"}
        assert required <= sent

    def _check_body(self, request: httpx.Request, operation: dict[str, Any]) -> None:
        media = request.headers["content-type"]
        schema = operation["requestBody"]["content"][media]["schema"]
        if media == "application/json":
            jsonschema_rs.validate({**schema, "components": self.document["components"]}, json.loads(request.content))

    def _example(self, schema: dict[str, Any]) -> Any:
        if "$ref" in schema:
            return self._example(self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
        if "anyOf" in schema:
            return self._example(next(each for each in schema["anyOf"] if each.get("type") != "null"))
        if "enum" in schema or "const" in schema:
            return schema.get("enum", [schema.get("const")])[0]
        match schema.get("type"):
            case "object":
                named = {name: self._example(each) for name, each in schema.get("properties", {}).items()}
                more = schema.get("additionalProperties")
                more = {"more": self._example(more)} if isinstance(more, dict) else {"more": 1} if more else {}
                return more | named | ({"next_cursor": None} if "next_cursor" in named else {})
            case "array":
                return [self._example(each) for each in schema["items"].get("anyOf", [schema["items"]])]
            case "string":
                return "2026-11-24T12:10:00Z" if schema.get("format") == "date-time" else "text"
            case "integer":
                return max(schema.get("minimum", 1), 1)
            case "number":
                return 1.5
            case "boolean":
                return True
            case _:
                return None


def arguments(name: str) -> dict[str, Any]:
    """All that a method takes."""
    chosen = GIVEN | ELSE.get(name, {})
    found: dict[str, Any] = {}
    for parameter in list(inspect.signature(getattr(Client, name)).parameters.values())[1:]:
        many = parameter.kind is inspect.Parameter.VAR_KEYWORD
        found |= {each: chosen[each] for each in (MANY[parameter.name] if many else (parameter.name,))}
    return found


def values(answer: Any) -> Iterator[Any]:
    """Every dataclass in it."""
    if is_dataclass(answer):
        yield answer
        for each in fields(answer):
            yield from values(getattr(answer, each.name))
    elif isinstance(answer, list | tuple):
        for each in answer:
            yield from values(each)


@pytest.mark.parametrize("name", METHODS)
def test_each_method_asks_for_what_is_there_and_understands_the_answer(name: str, document: dict[str, Any]) -> None:
    with Client("http://siaga", "key", transport=httpx.MockTransport(Documented(document))) as client:
        answer = getattr(client, name)(**arguments(name))
        if name == "stream":
            assert next(answer) == Reset(5)
            return
        found = list(answer) if isinstance(answer, Iterator) else answer
    told: dict[type, set[str]] = defaultdict(set)
    for value in values(found):
        told[type(value)] |= {each.name for each in fields(value) if getattr(value, each.name) not in (None, (), {})}
    assert told, "an answer without a value"
    for shape, names in told.items():
        assert names == {each.name for each in fields(shape)}, f"{shape.__name__}: never told by {name}"


def test_methods_are_found() -> None:
    assert {"me", "devices", "readings", "post_readings", "alerts", "acknowledge", "stream", "rules"} <= set(METHODS)
