"""What goes with an action on alerts, and what answers about them look like, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from alerts.life import Action, Scope
from api.bodies import WHOLE, Body, Time
from api.shapes import Cursor, Number, Severity, Shape
from storage.alert_act import Outcome

COMMENT_MAX = 2_000
BIGINT_MAX = 2**63 - 1
VERSION_MAX = 2**31 - 1

Text = Annotated[str, Field(max_length=COMMENT_MAX, pattern=r"^[^\x00]*$")]
Said = Annotated[str, Field(min_length=1, max_length=COMMENT_MAX, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")]
Person = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")]
Until = Annotated[Time, Field(description="when it comes back by itself, within SIAGA_SHELVE_MAX_H")]
OnShelf = Annotated[
    Scope, Field(description="alert: this one, until it is over; rule: what the rule raises on the device meanwhile")
]


class Ack(Body):
    """What goes with an acknowledgement."""

    comment: Text | None = None


class Because(Body):
    """Why."""

    reason: Said


class MayBecause(Body):
    """Why, where there is something to say."""

    reason: Text | None = None


class Shelve(Because):
    """Why, until when, and what is shelved."""

    until: Until
    scope: OnShelf = "alert"


class Comment(Body):
    """A word for the record."""

    comment: Said


class Assign(MayBecause):
    """Who looks after it; null takes the assignment back."""

    assignee: Person | None


class AlertAndVersion(Body):
    """One alert of many; without a version, whatever has become of it."""

    id: Annotated[int, Field(ge=1, le=BIGINT_MAX), WHOLE]
    version: Annotated[int, Field(ge=1, le=VERSION_MAX), WHOLE] | None = None


class Bulk(Body):
    """One action for many alerts. reason is its comment too; assignee is of assign, until and scope of shelve."""

    action: Action
    items: Annotated[list[AlertAndVersion], Field(min_length=1, description="at most SIAGA_PAGE_MAX")]
    reason: Text | None = None
    until: Until | None = None
    scope: OnShelf = "alert"
    assignee: Person | None = None


class ActedAlert(Shape):
    id: int
    outcome: Annotated[Outcome, Field(description="what did not become done has its problem")]
    version: Annotated[int | None, Field(description="as it is now; null when unknown")]
    problem: str | None


class ActedAlerts(Shape):
    items: list[ActedAlert]


class Shelf(Shape):
    rule: str
    device_id: str
    device_name: str
    until: AwareDatetime
    severity: Annotated[int, Field(ge=0, le=3, description="a worse alert is not held back")]
    who: str
    why: str


class Shelves(Shape):
    items: list[Shelf]
    next_cursor: Cursor


class Rate(Shape):
    """Of alerts an operator hour; shares are of all hours, or of all periods of ten minutes, 0 … 1."""

    hours: int
    mean: Number
    most: int
    share_up_to_6: Number
    share_7_to_12: Number
    share_above_12: Number
    most_in_10_min: int
    share_10_min_above_10: Number


class Flood(Shape):
    begin: AwareDatetime
    end: AwareDatetime
    alerts: int


class Floods(Shape):
    count: int
    share_of_time: Number
    worst: Annotated[list[Flood], Field(description="at most ten")]


class BadActor(Shape):
    rule: str
    device_id: str
    device_name: str
    alerts: int
    share: Annotated[float, Field(description="of all alerts, 0 … 1")]


class Standing(Shape):
    id: int
    rule: str
    device_id: str
    device_name: str
    severity: Severity
    raised_at: AwareDatetime


class StandingLong(Shape):
    count: Annotated[int, Field(description="active for more than 24 h at the end of the range")]
    longest: Annotated[list[Standing], Field(description="at most ten")]


class Chattering(Shape):
    id: int
    rule: str
    device_id: str
    device_name: str
    most_in_1_min: int


class ToAck(Shape):
    severity: Annotated[int | None, Field(description="null: of all")]
    acknowledged: int
    median_s: Number
    p90_s: Number


class ShelvedBy(Shape):
    who: str
    shelved: int


class Kpi(Shape):
    """docs/alerts.md defines every figure. Historical, shelved and suppressed alerts are left out."""

    since: Annotated[AwareDatetime, Field(alias="from")]
    until: Annotated[AwareDatetime, Field(alias="to")]
    operators: int
    alerts: int
    by_hour: Annotated[list[int], Field(description="new alerts of each hour from `from` on")]
    per_operator_hour: Rate
    floods: Floods
    bad_actors: list[BadActor]
    bad_actors_share: Annotated[Number, Field(description="of all alerts, 0 … 1")]
    standing: StandingLong
    chattering: list[Chattering]
    to_ack: list[ToAck]
    shelved_by: Annotated[list[ShelvedBy], Field(description="how often who has shelved an alert")]
    unacknowledged: Annotated[int, Field(description="open and without an acknowledgement now")]


class Window(Shape):
    id: int
    what: Literal["maintenance", "out_of_service"]
    scope: str
    name: str
    since: Annotated[AwareDatetime, Field(alias="from")]
    until: Annotated[AwareDatetime | None, Field(alias="to")]
    reason: str
    who: str
    created_at: AwareDatetime
    ended_at: AwareDatetime | None
    ended_by: str | None
    ended_why: str | None
    state: Literal["to come", "standing", "over"]
    withheld: Annotated[int, Field(description="open alerts it holds back now")]


class Windows(Shape):
    items: list[Window]
    next_cursor: Cursor
