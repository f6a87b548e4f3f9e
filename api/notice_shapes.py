"""What answers about notices and the roster look like, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from alerts.notice_plan import By, Language
from api.shapes import Cursor, Notice, Severity, Shape


class Notices(Shape):
    items: list[Notice]
    next_cursor: Cursor


class PlanChannel(Shape):
    name: str
    source: Annotated[Literal["url", "url_env", "url_file"], Field(description="where its URL is read; never shown")]


class PlanPerson(Shape):
    name: str
    channels: list[str]
    language: Language


class PlanTeam(Shape):
    name: str
    fallback: list[str]


class PlanStep(Shape):
    after_s: int
    to: list[str]


class PlanQuiet(Shape):
    since: Annotated[str, Field(alias="from", description="time of day in SIAGA_TIME_ZONE")]
    until: str
    below_severity: int


class PlanRoute(Shape):
    """Empty filters let all through. wait_s and interval_s are by severity 0 … 3."""

    name: str
    kinds: list[str]
    districts: list[str]
    rules: list[str]
    min_severity: Severity
    max_severity: Severity
    go_on: Annotated[bool, Field(alias="continue")]
    wait_s: list[int]
    interval_s: list[int]
    repeat_s: int
    by: list[By]
    steps: list[PlanStep]
    quiet: PlanQuiet | None


class NoticePlan(Shape):
    """Who is told of what: as the file says it, without any URL."""

    channels: list[PlanChannel]
    people: list[PlanPerson]
    teams: list[PlanTeam]
    routes: list[PlanRoute]


class Shift(Shape):
    id: int
    team: str
    person: str
    since: Annotated[AwareDatetime, Field(alias="from")]
    until: Annotated[AwareDatetime, Field(alias="to")]
    who: Annotated[str, Field(description="who wrote it down")]
    created_at: AwareDatetime
    ended_at: AwareDatetime | None
    ended_by: str | None
    state: Literal["standing", "to come", "over"]


class Shifts(Shape):
    items: list[Shift]
    next_cursor: Cursor


class TeamNow(Shape):
    team: str
    on_duty: list[str]
    told: Annotated[list[str], Field(description="who is told now: those on duty, else the team's fallback")]


class DutyNow(Shape):
    teams: list[TeamNow]
