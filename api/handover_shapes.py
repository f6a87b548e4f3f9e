"""What is sent and answered about handing a shift over, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from alerts.handover import Part
from api.alert_shapes import Flood, StandingLong, Text, Window
from api.bodies import Body, Time
from api.forecast_shapes import Forecast
from api.shapes import Alert, Cursor, Number, Shape, Siaga

NOTES_MAX = 10_000
Count = Annotated[int, Field(ge=0, description="how many there are; at most 500 are told")]


class NewHandover(Body):
    """What whoever hands over adds to what the system tells; `from` as in the draft."""

    notes: Annotated[str, Field(max_length=NOTES_MAX, pattern=r"^[^\x00]*$")] = ""
    since: Time | None = Field(default=None, alias="from")


class Take(Body):
    """reason: needed of an admin who hands over as well and is alone."""

    reason: Text | None = None


class Peak(Shape):
    """The highest level of the shift."""

    level_m: float
    at: Annotated[AwareDatetime, Field(description="begin of the five minutes in which it was")]
    siaga: Siaga


class GaugeTold(Shape):
    device_id: str
    device_name: str
    district: str | None
    ts: Annotated[AwareDatetime | None, Field(description="of the newest reading; null: it was never heard")]
    qc: Annotated[int | None, Field(description="QARTOD, as in /latest")]
    level_m: Number
    siaga: Siaga
    rate: Annotated[Number, Field(description="m/h over the last 60 min; null where it cannot be told")]
    peak: Peak | None


class RiverTold(Shape):
    """Gauges in the order in which water passes them."""

    river: str | None
    gauges: list[GaugeTold]


class AlertsTold(Shape):
    count: Count
    items: list[Alert]


class WindowsTold(Shape):
    count: Count
    items: list[Window]


class SilentDevice(Shape):
    device_id: str
    device_name: str
    kind: str
    district: str | None
    since: Annotated[AwareDatetime | None, Field(description="its newest reading")]


class SuspectDevice(SilentDevice):
    qc: Annotated[int, Field(description="QARTOD of its newest reading: 3 suspect, 4 fail, 9 missing")]


class IncompleteDevice(Shape):
    """By numbers that are missing between those that came."""

    device_id: str
    device_name: str
    kind: str
    district: str | None
    missing: int
    stored: int
    completeness: float


class SilentDevices(Shape):
    count: Count
    items: list[SilentDevice]


class SuspectDevices(Shape):
    count: Count
    items: list[SuspectDevice]


class IncompleteDevices(Shape):
    count: Count
    items: list[IncompleteDevice]


class Degraded(Shape):
    silent: SilentDevices
    suspect: SuspectDevices
    incomplete: Annotated[IncompleteDevices, Field(description="fewer than 90 % of the last 24 h")]


class LedgerTold(Shape):
    """Of the last 24 h."""

    kind: str | None
    received: int
    missing: int
    quarantined: int
    completeness: Number


class ShiftTold(Shape):
    """docs/alerts.md defines the figures."""

    raised: int
    acknowledged: int
    median_s: Annotated[Number, Field(description="until an alert was acknowledged")]
    longest_s: Number
    floods: int
    flood_s: float
    worst_floods: list[Flood]
    notices_sent: int
    notices_dead: int


class TeamOnDuty(Shape):
    team: str
    on_duty: list[str]


class Draft(Shape):
    since: Annotated[AwareDatetime, Field(alias="from", description="the last handover that somebody took over")]
    to: AwareDatetime
    event_id: Annotated[int, Field(ge=0, description="the newest event it knows of")]
    rivers: list[RiverTold]
    open: AlertsTold
    unacked: Annotated[int, Field(description="of the open ones; until there are none nobody can take over")]
    shelved: AlertsTold
    windows: WindowsTold
    degraded: Degraded
    ledger: list[LedgerTold]
    quarantine_open: int
    forecasts: list[Forecast]
    shift: ShiftTold
    standing: StandingLong
    on_duty: Annotated[list[TeamOnDuty] | None, Field(description="null to who is limited to regions")]


class ChangedLine(Shape):
    part: Part
    id: Annotated[str, Field(description="of an alert, a window or a device")]
    what: Literal["added", "gone", "changed"]
    fields: list[str]


class Handover(Shape):
    id: int
    version: Annotated[int, Field(description="1: handed over; 2: taken over")]
    state: Literal["given", "taken"]
    since: Annotated[AwareDatetime, Field(alias="from")]
    given_at: AwareDatetime
    given_by: str
    taken_at: AwareDatetime | None
    taken_by: str | None
    reason: Annotated[str | None, Field(description="why it is the same person")]
    notes: str


class Handovers(Shape):
    items: list[Handover]
    next_cursor: Cursor


class HandoverTold(Handover):
    newest: Annotated[bool, Field(description="false: a later one has taken its place")]
    draft: Annotated[Draft, Field(description="as it was signed")]
    changed: Annotated[list[ChangedLine], Field(description="since then: until it was taken over, or until now")]
    unacknowledged: Annotated[list[Alert], Field(description="what keeps it from being taken over now")]
