"""What a device can be told: each command is one declaration beside its kind, and from it come the check of what is
asked for, the AsyncAPI document and the documents. Pure.

On the wire a command is `{"id", "name", "args", "expires"}`, its answer `{"id", "ok", "error"?, "ts"?}`
(docs/devices.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from devices.kind import Kind, Label

# As storage has it: a UUID in its usual form. Whatever else comes as an id was never given by us.
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ERROR_MAX = 200
Least = Literal["operator", "engineer"]


class Args(BaseModel):
    """What a command is told beside its name; its fields say unit and limits."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Command:
    """role: the least that may send it. text: what a device that obeys does. example: args, for documents."""

    name: str
    label: Label
    role: Least
    args: type[Args]
    text: str
    example: Mapping[str, Any] = field(default_factory=dict, hash=False)


class ArgsError(ValueError):
    """What is asked for is no command of the kind, or beyond its limits; field and message say what."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}")
        self.field, self.message = where, message


class Told(NamedTuple):
    """A command as it goes to a device."""

    id: str
    name: str
    args: Mapping[str, Any]
    expires: datetime


class Answer(BaseModel):
    """What a device answers. A `ts` beside it, when it obeyed by its own clock, decides nothing and is not read."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    id: Annotated[str, Field(strict=True, pattern=f"^{ID.pattern}$", description="that of the command")]
    ok: Annotated[bool, Field(strict=True, description="whether it was obeyed")]
    error: Annotated[
        str | None,
        Field(strict=True, max_length=ERROR_MAX, pattern=r"^[^\x00]*$", description="why not, in a few words"),
    ] = None


def command_of(kind: Kind, name: str) -> Command:
    """The command of a kind by its name. Raises ArgsError naming those there are."""
    for command in kind.commands:
        if command.name == name:
            return command
    there = ", ".join(command.name for command in kind.commands) or "none"
    raise ArgsError("name", f"{name!r} is no command of the kind {kind.name}; there are: {there}")


def checked(command: Command, args: Mapping[str, Any]) -> dict[str, Any]:
    """Args as they go to the device. Raises ArgsError naming the first wrong one and its limit."""
    try:
        return command.args.model_validate(dict(args)).model_dump(mode="json")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(("args", *map(str, first["loc"])))
        raise ArgsError(where, first["msg"]) from None


def payload(told: Told) -> bytes:
    """The message to the device; expires in epoch ms, as the smallest of devices can compare it."""
    expires = round(told.expires.timestamp() * 1000)
    return to_json({"id": told.id, "name": told.name, "args": dict(told.args), "expires": expires})


def read_answer(message: bytes) -> Answer | None:
    """A result; None where it is none."""
    try:
        return Answer.model_validate_json(message)
    except ValidationError:
        return None
