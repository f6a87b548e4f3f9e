"""What is asked of devices, what became of it, and their lives, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from api.alert_shapes import Said, Text
from api.bodies import WHOLE, Body, Time
from api.shapes import Cursor, Shape
from devices.device import Status
from devices.kinds import KINDS
from storage.commands import State

NAMES = tuple(dict.fromkeys(command.name for kind in KINDS.values() for command in kind.commands))
TELLABLE = tuple(name for name, kind in sorted(KINDS.items()) if kind.commands)
SCOPES = tuple(sorted({name for kind in KINDS.values() if kind.commands for name in kind.group_by}))
GroupName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00]+$")]


class NewCommand(Body):
    """What a device is to do: docs/commands.md has the commands of each kind with their args and limits."""

    name: str = Field(max_length=64, json_schema_extra={"enum": list(NAMES)})
    args: dict[str, Any] = Field(default_factory=dict, json_schema_extra={"additionalProperties": True})
    timeout_s: Annotated[int, Field(ge=1), WHOLE] | None = Field(
        default=None, description="expires then; SIAGA_COMMAND_TIMEOUT_S when left out"
    )
    reason: Text | None = None


class NewCommands(NewCommand):
    """The same for all devices of a kind that share a panel, feeder, river …"""

    kind: str = Field(json_schema_extra={"enum": list(TELLABLE)})
    scope: str = Field(json_schema_extra={"enum": list(SCOPES)})
    group: GroupName


class Command(Shape):
    """queued: waits for ingest; sent: the broker has it; done, failed: what the device answers; expired: none did."""

    id: str
    batch: Annotated[str, Field(description="what one request has asked for")]
    device_id: str
    name: str
    args: dict[str, Any]
    state: State
    who: str
    reason: str | None
    made_at: AwareDatetime
    expires_at: Annotated[AwareDatetime, Field(description="from then on the device does not obey any more")]
    sent_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    error: Annotated[str | None, Field(description="why not, in the words of the device")]


class Commands(Shape):
    items: list[Command]
    next_cursor: Cursor


class Batch(Shape):
    batch: Annotated[str, Field(description="/commands?batch= lists them")]
    devices: Annotated[int, Field(description="how many were told")]


class NewStep(Body):
    """What a device is from a time on; `from` now when left out."""

    status: Status
    since: Time | None = Field(default=None, alias="from")
    reason: Said


class LifeStep(Shape):
    status: Literal["planned", "in_service", "retired"]
    from_: Annotated[AwareDatetime, Field(alias="from")]
    who: str
    reason: str
    made_at: AwareDatetime


class Life(Shape):
    items: Annotated[list[LifeStep], Field(description="newest first; none: in service since it was registered")]
    next_cursor: Cursor


class Belonged(Shape):
    from_: Annotated[AwareDatetime, Field(alias="from")]
    to: Annotated[AwareDatetime | None, Field(description="null: still")]
    region: str | None
    district: str | None
    attributes: dict[str, Any]


class History(Shape):
    items: list[Belonged]
    next_cursor: Cursor
