"""What the AsyncAPI document says of topics beside readings: who is connected, what devices are told and answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from devices.commands import Answer, Command
from devices.kind import Kind
from devices.topics import command_topic, result_topic, status_topic

BINDING = "0.2.0"
ID = "0d6a3b52-5b0e-4c55-9a43-2f6f0f1f7a11"
EXPIRES = 1_764_000_300_000
Part = dict[str, Any]


def channels(parameters: Mapping[str, Any], kinds: Iterable[Kind]) -> Part:
    """By name; a command has a message of its own for each kind that can be told it."""
    listed = {
        "status": (status_topic, "Whether a device is connected", ["status"]),
        "command": (command_topic, "What a device is told", [name for name, _, _ in _commands(kinds)]),
        "result": (result_topic, "What a device answers to a command", ["result"]),
    }
    return {
        name: {
            "address": topic("{region}", "{device_id}"),
            "title": title,
            "parameters": dict(parameters),
            "messages": {each: {"$ref": f"#/components/messages/{each}"} for each in named},
        }
        for name, (topic, title, named) in listed.items()
    }


def operations(kinds: Iterable[Kind]) -> Part:
    """As Siaga does them: it receives what devices say, and sends what they are told."""
    told = [name for name, _, _ in _commands(kinds)]
    return {
        "receiveStatus": _operation("receive", "status", "Keep who is connected, and since when.", ["status"], True),
        "sendCommand": _operation("send", "command", "Tell a device something, until it is too late.", told, False),
        "receiveResult": _operation("receive", "result", "Keep what became of a command.", ["result"], False),
    }


def messages(kinds: Iterable[Kind]) -> Part:
    """By name: status, result, and each command of each kind."""
    status = {
        "name": "status",
        "title": "Connected or not",
        "summary": "Retained; the last will says offline.",
        "contentType": "text/plain",
        "payload": {"type": "string", "enum": ["online", "offline"]},
    }
    schema = Answer.model_json_schema()
    result = {
        "name": "result",
        "title": "What became of a command",
        "summary": "Once for each time that the command is told.",
        "contentType": "application/json",
        "payload": {key: value for key, value in schema.items() if key != "title"},
        "examples": [{"name": "obeyed", "payload": {"id": ID, "ok": True, "ts": EXPIRES - 240_000}}],
    }
    told = {name: _message(name, kind, command) for name, kind, command in _commands(kinds)}
    return {"status": status, "result": result} | told


def _commands(kinds: Iterable[Kind]) -> list[tuple[str, Kind, Command]]:
    return [(f"{kind.name}_{command.name}", kind, command) for kind in kinds for command in kind.commands]


def _operation(action: str, channel: str, summary: str, named: Iterable[str], retain: bool) -> Part:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{each}"} for each in named],
        "bindings": {"mqtt": {"qos": 1, "retain": retain, "bindingVersion": BINDING}},
    }


def _message(name: str, kind: Kind, command: Command) -> Part:
    args = {key: value for key, value in command.args.model_json_schema().items() if key != "title"}
    return {
        "name": name,
        "title": f"{kind.label.en}: {command.label.en}",
        "summary": command.text,
        "description": "The same id is the same command: it is done once, and answered each time.",
        "contentType": "application/json",
        "payload": {
            "type": "object",
            "required": ["id", "name", "args", "expires"],
            "properties": {
                "id": {"type": "string", "format": "uuid"},
                "name": {"const": command.name},
                "args": args,
                "expires": {"type": "integer", "description": "epoch ms: from then on it is not to be obeyed"},
            },
        },
        "examples": [
            {
                "name": command.name,
                "payload": {"id": ID, "name": command.name, "args": dict(command.example), "expires": EXPIRES},
            }
        ],
        "x-kind": kind.name,
    }
