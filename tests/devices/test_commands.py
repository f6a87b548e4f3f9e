"""What devices can be told: declared once, checked by that, and the same in document and page."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from devices.asyncapi import Limits, document
from devices.commands import ArgsError, Told, checked, command_of, payload, read_answer
from devices.kinds import KINDS
from devices.topics import command_topic, parse_other, parse_topic, result_topic, status_topic
from tests.asyncapi_specs import schema

ID = "0d6a3b52-5b0e-4c55-9a43-2f6f0f1f7a11"
COMMANDS = [(kind, command) for kind in KINDS.values() for command in kind.commands]
PAGE = Path(__file__).resolve().parents[2] / "docs/commands.md"


@pytest.mark.parametrize(("kind", "command"), COMMANDS, ids=lambda each: each.name)
def test_the_example_of_each_command_is_one(kind: Any, command: Any) -> None:
    assert checked(command_of(kind, command.name), command.example) == command.example


@pytest.mark.parametrize(
    ("kind", "name", "args", "where", "says"),
    [
        ("streetlight", "dim", {"level_pct": 100.5}, "args.level_pct", "less than or equal to 100"),
        ("streetlight", "dim", {"level_pct": -1}, "args.level_pct", "greater than or equal to 0"),
        ("streetlight", "dim", {"level_pct": "50"}, "args.level_pct", "valid number"),
        ("streetlight", "dim", {"level_pct": float("nan")}, "args.level_pct", "finite"),
        ("streetlight", "dim", {}, "args.level_pct", "required"),
        ("streetlight", "switch", {"state": "dark"}, "args.state", "'on', 'off' or 'auto'"),
        ("streetlight", "switch", {"state": "on", "for_s": 5}, "args.for_s", "not permitted"),
        ("water_level", "interval", {"interval_s": 9}, "args.interval_s", "greater than or equal to 10"),
        ("water_level", "interval", {"interval_s": 60.5}, "args.interval_s", "integer"),
        ("water_level", "dim", {}, "name", "there are: interval"),
        ("traffic", "dim", {}, "name", "there are: none"),
    ],
)
def test_what_is_wrong_is_named_with_its_limit(kind: str, name: str, args: Any, where: str, says: str) -> None:
    with pytest.raises(ArgsError) as refused:
        checked(command_of(KINDS[kind], name), args)
    assert refused.value.field == where
    assert says in refused.value.message


def test_a_command_goes_as_the_page_says() -> None:
    told = Told(ID, "dim", {"level_pct": 50.0}, datetime(2026, 11, 24, 12, 15, tzinfo=UTC))
    assert json.loads(payload(told)) == {
        "id": ID, "name": "dim", "args": {"level_pct": 50.0}, "expires": 1_795_522_500_000,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("message", "is_one"),
    [
        ({"id": ID, "ok": True}, True),
        ({"id": ID, "ok": False, "error": "the driver does not answer", "ts": "any"}, True),
        ({"id": ID, "ok": True, "more": [1]}, True),
        ({"id": ID, "ok": "yes"}, False),
        ({"id": ID.upper(), "ok": True}, False),
        ({"id": "7", "ok": True}, False),
        ({"ok": True}, False),
        ({"id": ID, "ok": False, "error": "x" * 201}, False),
        ({"id": ID, "ok": False, "error": "a\x00"}, False),
        ([], False),
    ],
)
def test_an_answer_is_read_or_none(message: Any, is_one: bool) -> None:
    assert (read_answer(json.dumps(message).encode()) is not None) is is_one


@pytest.mark.parametrize("message", [b"", b"{", b"\xff\xfe", b'{"id": "\\ud800", "ok": true}', b"[" * 10_000])
def test_what_is_no_json_is_no_answer(message: bytes) -> None:
    assert read_answer(message) is None


def test_topics_beside_readings_are_told_apart() -> None:
    for topic, what in ((status_topic, "status"), (command_topic, "command"), (result_topic, "command/result")):
        named = topic("12.09", "pju-1")
        assert parse_other(named) == (("12.09", "pju-1"), what)
        assert parse_topic(named) is None
    for other in ("siaga/v1/12.09/pju-1/readings", "siaga/v1/12.09/pju-1/command/", "siaga/v1/x/pju-1/status", ""):
        assert parse_other(other) is None


def test_each_command_is_in_the_document_with_its_limits() -> None:
    made = document(KINDS.values(), Limits(1000, 262_144))
    assert list(jsonschema_rs.validator_for(schema()).iter_errors(made)) == []
    assert made["channels"]["command"]["address"] == "siaga/v1/{region}/{device_id}/command"
    assert len(made["operations"]["sendCommand"]["messages"]) == len(COMMANDS)
    for kind, command in COMMANDS:
        told = made["components"]["messages"][f"{kind.name}_{command.name}"]
        validator = jsonschema_rs.validator_for(told["payload"])
        (example,) = told["examples"]
        assert validator.is_valid(example["payload"])
        assert not validator.is_valid(example["payload"] | {"args": {"other": 1}})
    args = made["components"]["messages"]["streetlight_dim"]["payload"]["properties"]["args"]
    assert (
        args["properties"]["level_pct"] | {"minimum": 0, "maximum": 100, "x-unit": "%"}
        == (args["properties"]["level_pct"])
    )


def test_each_command_is_in_the_page() -> None:
    """With its role, its args and their limits."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for kind, command in COMMANDS:
        (line,) = [each for each in lines if each.startswith(f"| `{kind.name}` | `{command.name}` |")]
        assert f"| {command.role} |" in line
        for name, field in command.args.model_json_schema()["properties"].items():
            assert f"`{name}`" in line
            for limit in (field.get("minimum"), field.get("maximum"), *field.get("enum", ())):
                assert limit is None or f"{limit}" in line, f"{name}: {limit}"
