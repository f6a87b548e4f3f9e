"""What is said about rules over HTTP, both ways."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alerts.rule import Rule
from alerts.rules_set import Origin
from api.params import Moment
from api.shapes import Shape, Text
from devices.topics import DEVICE_ID

REASON_MAX = 2_000
CANDIDATES_MAX = 100
DEVICES_MAX = 10_000

Reason = Annotated[str, Field(min_length=1, max_length=REASON_MAX, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")]
Definition = Annotated[
    dict[str, Any], Field(description="a rule as in a [[rule]] table of a rule file (docs/rules.md)")
]


class Change(BaseModel):
    """A rule as it is to be, all of it, and why."""

    model_config = ConfigDict(extra="forbid")

    rule: Definition
    reason: Reason


class DryRun(BaseModel):
    """from <= ts < to. rules: candidates, each in the place of the rule of its id, kind and scope, or beside them.
    ids: only rules of these; without them only those of the candidates, or all."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[Moment, Field(alias="from")]
    until: Annotated[Moment | None, Field(alias="to")] = None
    rules: list[Definition] = Field(default_factory=list, max_length=CANDIDATES_MAX)
    ids: list[str] = Field(default_factory=list, max_length=CANDIDATES_MAX)
    devices: list[Annotated[str, Field(pattern=DEVICE_ID.pattern)]] | None = Field(
        default=None, min_length=1, max_length=DEVICES_MAX
    )


class RuleInForce(Shape):
    id: str
    kind: Annotated[str, Field(description="* for all kinds without a rule of this id")]
    scope: Annotated[str, Field(description="panel=PNL-07, river=Silau, district=…, device=…; empty: all of the kind")]
    enabled: bool
    origin: Annotated[Origin, Field(description="shipped with the program, or stored in its place or beside it")]
    version: Annotated[int, Field(description="of its newest change, 0 before the first; for If-Match")]
    changed_at: AwareDatetime | None
    changed_by: str | None
    reason: str | None
    rule: Rule


class Rules(Shape):
    items: list[RuleInForce]
    next_cursor: None


class RuleVersion(Shape):
    version: int
    kind: str
    scope: str
    at: AwareDatetime
    who: str
    reason: str
    rule: Annotated[dict[str, Any] | None, Field(description="all of it from then on; null: as shipped again")]


class RuleWithHistory(Shape):
    id: str
    in_force: list[RuleInForce]
    history: Annotated[list[RuleVersion], Field(description="newest first, at most SIAGA_PAGE_MAX")]


class GivenBack(Shape):
    version: int
    now: Annotated[RuleInForce | None, Field(description="the shipped rule; null where there is none")]


class Noisy(Shape):
    rule: str
    device_id: str
    alerts: int
    transitions: int


class Total(Shape):
    alerts: Annotated[int, Field(description="raised live, or gone live")]
    historical: Annotated[int, Field(description="raised by late data: nobody is told")]
    transitions: int
    floods: Annotated[int, Field(description="more than 10 new alerts in 10 min, until fewer than 5")]
    flood_s: float
    by_rule: dict[str, int]
    top: Annotated[list[Noisy], Field(description="the ten with most alerts")]


class DryRunAnswer(Shape):
    since: AwareDatetime = Field(alias="from")
    until: AwareDatetime = Field(alias="to")
    devices: int
    readings: int
    current: Total
    candidate: Annotated[Total | None, Field(description="null without candidates")]
    sentence: Text
