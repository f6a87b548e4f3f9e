"""What is said about rules over HTTP, both ways."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from alerts.rule import Rule
from alerts.rules_compare import What
from alerts.rules_set import Origin
from api.bodies import Body
from api.params import Moment
from api.shapes import Number, Severity, Shape, Text
from devices.topics import DEVICE_ID

REASON_MAX = 2_000
CANDIDATES_MAX = 100
DEVICES_MAX = 10_000

Reason = Annotated[str, Field(min_length=1, max_length=REASON_MAX, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")]
Definition = Annotated[
    dict[str, Any], Field(description="a rule as in a [[rule]] table of a rule file (docs/rules.md)")
]


class RuleChange(Body):
    """A rule as it is to be, all of it, and why."""

    rule: Definition
    reason: Reason


class DryRun(Body):
    """from <= ts < to. rules: candidates, each in the place of the rule of its id, kind and scope, or beside them.
    ids: only rules of these; without them only those of the candidates, or all."""

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


class Stood(Shape):
    """An alert; what stands at the end of the run ends then."""

    begin: AwareDatetime
    end: AwareDatetime
    severity: Annotated[Severity, Field(description="its worst")]


class Changed(Shape):
    what: What
    rule: str
    device_id: str
    severity: Annotated[Severity, Field(description="the worst it was; of a new one, the worst it would be")]
    before: Annotated[Stood | None, Field(description="by the rules in force; null where there was none")]
    after: Annotated[Stood | None, Field(description="with the candidate; null where there would be none")]


class Price(Shape):
    """What the candidate changes, alert by alert: lost, milder, later, sooner, joined to another, or new."""

    same: Annotated[int, Field(description="alerts that would be the same")]
    counts: Annotated[dict[str, int], Field(description="alerts that differ, by what differs")]
    later_s: Annotated[Number, Field(description="by how much those that come later do: the median")]
    severe: Annotated[int, Field(description="lost or milder, of those that had severity 2 or 3")]
    named: Annotated[list[Changed], Field(description="severe ones first, then the newest; at most 50 of each")]


class Day(Shape):
    day: Annotated[date, Field(description="in the zone of the regency")]
    current: int
    candidate: int | None


class Short(Shape):
    current: int
    candidate: int | None


class DryRunAnswer(Shape):
    since: AwareDatetime = Field(alias="from")
    until: AwareDatetime = Field(alias="to")
    devices: int
    readings: int
    current: Total
    candidate: Annotated[Total | None, Field(description="null without candidates")]
    sentence: Text
    days: Annotated[
        list[Day], Field(description="alerts by the day on which they begin; days without any are left out")
    ]
    short: Annotated[Short, Field(description="alerts that were over within 30 min")]
    price: Annotated[Price | None, Field(description="null without candidates")]
