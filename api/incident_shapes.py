"""What answers about incidents look like, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from api.shapes import Alert, Cursor, Severity, Shape, Transition


class Incidents(Shape):
    items: list[Alert]
    next_cursor: Cursor


class MemberDevices(Shape):
    """How many devices the incident stands for."""

    ever: Annotated[int, Field(description="that were under it at any time")]
    active: Annotated[int, Field(description="under it now, with an alert that stands")]
    released: Annotated[int, Field(description="that are under it no longer: alone again, or part of another")]


class SharedBy(Shape):
    """What its devices have in common."""

    by: Annotated[str, Field(description="an attribute: panel, feeder, gateway …")]
    name: str


class Incident(Alert):
    history: list[Transition]
    group: Annotated[SharedBy | None, Field(description="null: the whole stream")]
    devices: MemberDevices


class Member(Alert):
    joined_at: AwareDatetime
    left_at: Annotated[AwareDatetime | None, Field(description="null: it belongs to the incident, over or not")]


class Members(Shape):
    items: list[Member]
    next_cursor: Cursor


class AlertGroup(Shape):
    """Open alerts of one rule in one district, none that are shelved or suppressed."""

    rule: str
    district: str | None
    alerts: int
    unacked: int
    severity: Severity
    oldest: AwareDatetime
    newest: AwareDatetime


class AlertGroups(Shape):
    items: list[AlertGroup]
    next_cursor: Cursor
