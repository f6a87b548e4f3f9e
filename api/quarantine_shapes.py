"""What answers about quarantine and the ledger look like, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from api.shapes import Cursor, Number, Shape
from devices.batch import QuarantineReason
from storage.quarantine_act import State


class Entry(Shape):
    id: int
    reason: QuarantineReason
    fingerprint: Annotated[str, Field(description="the same for entries with the same complaint")]
    device_id: Annotated[str, Field(description="? for whoever is not registered")]
    topic: str
    detail: str
    skew_s: Annotated[Number, Field(description="ts - received_at in seconds, of a clock that is wrong")]
    first_seen: AwareDatetime
    last_seen: AwareDatetime
    count: int
    state: State
    claimed_by: str | None
    claimed_at: AwareDatetime | None
    replay_of: Annotated[int | None, Field(description="the entry whose replay became this one")]
    has_payload: Annotated[
        bool, Field(description="false past the daily cap, and SIAGA_QUARANTINE_KEEP_DAYS after it was seen last")
    ]


class Entries(Shape):
    items: list[Entry]
    next_cursor: Cursor


class Group(Shape):
    fingerprint: str
    reason: QuarantineReason
    device_id: str
    topic: str
    entries: int
    count: Annotated[int, Field(description="how often they came, redeliveries included")]
    first_seen: AwareDatetime
    last_seen: AwareDatetime
    detail: str
    sample: Annotated[int, Field(description="id of the newest entry")]


class Groups(Shape):
    items: list[Group]
    next_cursor: Cursor


class Event(Shape):
    at: AwareDatetime
    who: str
    what: str
    note: str | None
    shift_s: Number
    outcome: Annotated[dict[str, int] | None, Field(description="of a replay: readings by what became of them")]


class EntryWhole(Entry):
    payload_text: Annotated[str | None, Field(description="null where it is no UTF-8")]
    payload_base64: str | None
    events: list[Event]


class ActedEntry(Shape):
    id: int
    state: State
    problem: Annotated[str | None, Field(description="why nothing was done; null where it was")]


class ActedEntries(Shape):
    items: list[ActedEntry]
    more: Annotated[bool, Field(description="more entries match than one request may change; repeat it")]


class LedgerHour(Shape):
    hour: AwareDatetime
    received: int
    stored: int
    duplicate: int
    conflict: int
    quarantined: int
    missing: Annotated[int, Field(description="numbers that readings of this hour show to be missing")]
    expected: Annotated[int, Field(description="stored + missing with numbers; else by the interval of the kind")]
    completeness: Annotated[Number, Field(description="stored / expected, at most 1; null when nothing is expected")]


class Ledger(Shape):
    items: list[LedgerHour]


class SummaryLine(Shape):
    """With hour, kind and district as far as it is by these; null is whoever is not registered, or has none."""

    hour: AwareDatetime | None = None
    kind: str | None = None
    district: str | None = None
    received: int
    stored: int
    duplicate: int
    conflict: int
    quarantined: int
    missing: Annotated[int, Field(description="sequence numbers missing, counted when the hour is closed")]
    expected: Annotated[int, Field(description="by the numbers of each device, else by the interval of its kind")]
    completeness: Annotated[Number, Field(description="stored up to what was expected of each device / expected")]
    final: Annotated[bool, Field(description="hours closed, 65 minutes after their end: only late data changes them")]


class Summary(Shape):
    items: list[SummaryLine]


class LedgerDevice(Shape):
    device_id: Annotated[str, Field(description="? for whoever is not registered")]
    received: int
    stored: int
    duplicate: int
    conflict: int
    quarantined: int
    missing: Annotated[int, Field(description="sequence numbers missing, counted when an hour is closed")]


class LedgerDevices(Shape):
    items: list[LedgerDevice]


class MissingRange(Shape):
    boot: str
    first: int
    last: int
    count: int
    after: Annotated[AwareDatetime, Field(description="ts of the reading before the gap")]
    until: Annotated[AwareDatetime, Field(description="ts of the reading that ends it")]


class MissingRanges(Shape):
    items: list[MissingRange]


class Drift(Shape):
    device_id: str
    offset_s: Annotated[Number, Field(description="median of received_at - ts of the last day; positive: clock behind")]
    drift_s_per_day: Annotated[Number, Field(description="trend over the range (Theil-Sen); null before 3 hours")]
    n: Annotated[int, Field(description="live readings in the range")]
    flagged: Annotated[bool, Field(description="offset beyond SIAGA_CLOCK_OFFSET_MAX_S")]
