"""What advice on alerts that come too often looks like, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from alerts.advice_changes import What
from alerts.rule import Rule
from api.shapes import Severity, Shape, Text


class Caused(Shape):
    """By a rule on a device, in a replay of its readings."""

    alerts: int
    transitions: int
    standing_s: Annotated[float, Field(description="time in alert, s")]


class LostAlert(Shape):
    begin: AwareDatetime
    end: AwareDatetime
    severity: Severity


class Proposal(Shape):
    """What else a rule could be on a device, and what that would have done; docs/alerts.md."""

    change: Annotated[What, Field(description="the field that differs")]
    value: Annotated[float, Field(description="s, readings, or the unit of the bound")]
    after: Caused
    removed_share: Annotated[float, Field(description="of the transitions, 0 … 1")]
    delay_s: Annotated[float, Field(description="by how much the worst delayed level of those that remain is later")]
    lost_count: Annotated[int, Field(description="alerts that would not have come; none of them is severe")]
    lost: Annotated[list[LostAlert], Field(description="the first of them")]
    rule: Annotated[Rule, Field(description="for PUT /rules/{rule_id}")]


class Advised(Shape):
    rule: str
    device_id: str
    device_name: str
    alerts: Annotated[int, Field(description="that people were shown")]
    most_in_1_min: Annotated[int, Field(description="transitions, where it chatters; else 0")]
    since: Annotated[AwareDatetime, Field(alias="from", description="later where there are too many readings")]
    readings: int
    suspect_share: Annotated[float, Field(description="of the readings, 0 … 1")]
    before: Annotated[Caused | None, Field(description="by the rule in force; null: nothing to replay")]
    proposal: Proposal | None
    sentence: Annotated[Text, Field(description="what is proposed, or why nothing is")]


class Advice(Shape):
    since: Annotated[AwareDatetime, Field(alias="from")]
    until: Annotated[AwareDatetime, Field(alias="to")]
    items: list[Advised]
