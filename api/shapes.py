"""What answers look like, for the OpenAPI document. Large answers are assembled as text; tests hold them to this."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alerts.engine import What
from alerts.life import Done, Withheld
from alerts.notice_plan import Language
from alerts.notice_route import Kind as NoticeKind
from storage.notices import State as NoticeState

Number = float | None
Cursor = Annotated[str | None, Field(description="give it as `cursor` to read on; null on the last page")]
Severity = Annotated[int, Field(ge=0, le=3, description="3 critical, 2 high, 1 medium, 0 low")]
Siaga = Annotated[int | None, Field(ge=1, le=4, description="official level: 4 normal to 1 worst; null without bounds")]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FieldProblem(BaseModel):
    field: str
    message: str


class Problem(BaseModel):
    """An error after RFC 9457."""

    type: Annotated[str, Field(description="which problem it is: compare it as text, open it to read what to do")]
    title: Annotated[str, Field(description="the type in words")]
    status: Annotated[int, Field(description="that of the answer")]
    detail: Annotated[str | None, Field(description="about this one case")] = None
    errors: Annotated[list[FieldProblem] | None, Field(description="which fields are wrong, and how")] = None


class Text(Shape):
    """Indonesian is the master, English is complete."""

    id: str
    en: str


class Me(Shape):
    name: str
    role: Literal["viewer", "operator", "engineer", "admin"]
    by: Annotated[Literal["user", "key", "link"], Field(description="how they were let in")]
    regions: Annotated[list[str] | None, Field(description="all that they may see of; null: everything")]
    expires_at: Annotated[AwareDatetime | None, Field(description="when this key or session ends; null: never")]
    region: str
    regency: str
    time_zone: str
    now: AwareDatetime


class Quantity(Shape):
    name: str
    unit: Annotated[str, Field(description="UCUM code")]
    unit_label: Text
    label: Text
    decimals: int


class KindMetric(Quantity):
    rollup: Literal["gauge", "counter", "sum", "state"]
    low: float
    high: float
    derived: bool


class KindAttribute(Shape):
    name: str
    type: str
    format: str | None
    required: bool


class Kind(Shape):
    kind: str
    label: Text
    interval_s: float
    primary: str
    metrics: list[KindMetric]
    diagnostics: list[Quantity]
    attributes: list[KindAttribute]
    groups: Annotated[list[str], Field(description="in what ways /metrics takes devices together")]


class Kinds(Shape):
    items: list[Kind]
    next_cursor: Cursor


class OpenAlert(Shape):
    id: int
    severity: Severity
    acked: bool


class Presence(Shape):
    online: Annotated[bool, Field(description="as the device says itself, or its last will")]
    since: Annotated[AwareDatetime, Field(description="when we were told so first")]
    heard_at: Annotated[AwareDatetime, Field(description="when we were told so last")]
    changes: Annotated[int, Field(description="how often it came and went")]


class Device(Shape):
    id: str
    kind: str
    name: str | None
    region: str | None
    district: str | None
    lat: Number
    lon: Number
    attributes: dict[str, Any]
    status: Annotated[
        Literal["planned", "in_service", "maintenance", "retired"],
        Field(description="of one that is planned or retired nothing is expected; maintenance: a window of work"),
    ]
    presence: Annotated[Presence | None, Field(description="null: it has never said whether it is connected")]
    alert: Annotated[OpenAlert | None, Field(description="the worst that is open")]


class Devices(Shape):
    items: list[Device]
    next_cursor: Cursor


class RowProblem(Shape):
    row: int
    field: str
    message: str


class Imported(Shape):
    added: int
    updated: int
    unchanged: int
    corrected: int
    skipped: int
    errors: list[RowProblem]


class LatestReading(Shape):
    device_id: str
    kind: str
    ts: AwareDatetime
    received_at: AwareDatetime
    qc: Annotated[int, Field(description="QARTOD: 1 good, 2 not evaluated, 3 suspect, 4 fail, 9 missing")]
    late: bool
    values: dict[str, Number]
    interval_s: float | None
    siaga: Siaga
    rate: Annotated[Number, Field(description="m/h over the last 60 min; null where it cannot be told")]


class Latest(Shape):
    items: list[LatestReading]
    next_cursor: Cursor


class Reading(BaseModel):
    """Beside these, a member for every metric and diagnostic of the kind."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Number]

    device_id: str
    ts: AwareDatetime
    received_at: AwareDatetime
    seq: int | None
    boot: str | None
    fw: str | None
    qc: int
    qc_reason: int
    late: bool
    siaga: Siaga


class Readings(Shape):
    items: list[Reading]
    next_cursor: Cursor


class Aggregates(Shape):
    """Those that were asked for and that the metric has."""

    avg: Number = None
    min: Number = None
    max: Number = None
    last: Number = None
    sum: Number = None
    delta: Number = None
    total: Annotated[Number, Field(description="of a group: the averages of its devices added up")] = None


class Bucket(BaseModel):
    """Beside these, a member for every metric."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Aggregates]

    device_id: str
    bucket: Annotated[AwareDatetime, Field(description="start")]
    n: int
    good: int
    partial: Annotated[bool, Field(description="cut by from or to, or still running")]


class GroupBucket(BaseModel):
    """The same of devices taken together."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Aggregates]

    group: Annotated[str | None, Field(description="null: devices without a name in this grouping, or all")]
    bucket: Annotated[AwareDatetime, Field(description="start")]
    devices: Annotated[int, Field(description="that have readings in it; of a month, the most on one day")]
    n: int
    good: int
    partial: bool


class Buckets(Shape):
    items: list[Bucket | GroupBucket]
    next_cursor: Cursor


class Series(Shape):
    """A curve: arrays of the same length. v is null where nothing came for several intervals."""

    device_id: str
    metric: str
    source: Annotated[Literal["raw", "5m", "1h", "1d"], Field(description="readings, or which rollup of them")]
    step_s: Annotated[Number, Field(description="length of a bucket of the rollup; null of readings")]
    t: Annotated[list[int], Field(description="ms since 1970 UTC")]
    v: Annotated[list[Number], Field(description="values; of rollups averages, last counts, or sums of a bucket")]
    min: Annotated[list[Number] | None, Field(description="from this point to the next; null: every reading is here")]
    max: list[Number] | None
    qc: Annotated[list[int | None] | None, Field(description="of readings, as in /readings")]


class SeriesList(Shape):
    items: list[Series]
    next_cursor: Cursor


class Alert(Shape):
    id: int
    rule: str
    kind: str
    device_id: str
    device_name: str
    district: str | None
    severity: Severity
    peak_severity: Severity
    siaga: Siaga
    state: Literal["active", "cleared"]
    acked: bool
    historical: bool
    worsened: bool
    raised_at: AwareDatetime
    detected_at: AwareDatetime
    cleared_at: AwareDatetime | None
    acked_at: AwareDatetime | None
    acked_by: str | None
    comment: str | None
    metric: str | None
    value: Number
    unit: str | None
    title: Text
    assignee: str | None
    shelved_until: AwareDatetime | None
    shelved_by: str | None
    shelved_why: str | None
    suppressed: Annotated[
        Literal["maintenance", "out_of_service", "parent"] | None,
        Field(description="withheld: work goes on (window_id), or another alert stands for it (parent_id)"),
    ]
    window_id: int | None
    parent_id: int | None
    members: Annotated[int | None, Field(description="devices that an incident stands for; null: it is none")]
    superseded: Annotated[bool, Field(description="readings that came late tell it otherwise")]
    superseded_by: Annotated[int | None, Field(description="the alert that tells it; null: there would have been none")]
    version: int


class Alerts(Shape):
    items: list[Alert]
    next_cursor: Cursor


class Transition(Shape):
    id: int
    what: What | Done | Withheld
    from_severity: int | None
    to_severity: int | None
    siaga: Siaga
    event_at: AwareDatetime
    detected_at: AwareDatetime
    who: Annotated[str | None, Field(description="null: a rule; siaga: the server")]
    why: str | None
    value: Number
    until: Annotated[AwareDatetime | None, Field(description="of shelved")]
    assignee: Annotated[str | None, Field(description="of assigned")]
    parent_id: Annotated[int | None, Field(description="of suppressed by another alert")]


class Procedure(Shape):
    """What the rule says of the level at which an alert stands."""

    role: Annotated[str | None, Field(description="who is in charge")]
    sop: Annotated[Text | None, Field(description="what is to be done")]
    report_s: Annotated[Number, Field(description="how often the device should report, s")]


class Notice(Shape):
    """One message to one person on one channel."""

    id: int
    made_at: AwareDatetime
    who: str
    channel: str
    language: Language
    route: str
    step: Annotated[int, Field(description="of the route's escalation, from 0")]
    what: Annotated[NoticeKind, Field(description="what it is about")]
    severity: Severity
    title: str
    body: str
    note: Annotated[str | None, Field(description="what is to be known about the choice of person")]
    state: Annotated[NoticeState, Field(description="failed: will be tried again; dead: given up")]
    tries: int
    next_try_at: AwareDatetime | None
    sent_at: AwareDatetime | None
    error: str | None
    alerts: Annotated[list[int], Field(description="the alerts it is about")]


class AlertWithHistory(Alert):
    history: list[Transition]
    notices: Annotated[list[Notice], Field(description="who was told of it, in order")]
    procedure: Annotated[Procedure | None, Field(description="null: the alert is over, or its rule is gone")]


class FloodNow(Shape):
    """More than ten new alerts within ten minutes, until there are fewer than five."""

    since: AwareDatetime
    alerts: int
    per_minute: Annotated[list[int], Field(description="new alerts of each minute of the last hour, oldest first")]


class Counts(Shape):
    """Historical alerts are not counted; shelved and suppressed ones only as such."""

    open: int
    unacked: Annotated[dict[str, int], Field(description="by severity")]
    shelved: int
    suppressed: int
    flood: Annotated[FloodNow | None, Field(description="more alerts than one can read: GET /alerts/groups")]


class SignedIn(Shape):
    name: str
    role: str
    regions: list[str] | None


class Alive(Shape):
    status: Literal["ok"]


class Part(Shape):
    name: str
    state: str
    detail: str
    facts: Annotated[dict[str, Number], Field(description="in numbers; names end in their unit, null is unknown")]
    beat_at: AwareDatetime | None


class Ready(Shape):
    status: Literal["ready", "not ready"]
    parts: list[Part]
