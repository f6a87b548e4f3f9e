"""What could not become readings, and what one does about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from siaga.client.answers import Number, Time, read
from siaga.client.plain import Plain
from siaga.client.values import Moment, given

Action = Literal["claim", "replay", "discard"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What could not become a reading."""

    id: int
    reason: str
    fingerprint: str
    device_id: str
    topic: str
    detail: str
    skew_s: Number
    first_seen: Time
    last_seen: Time
    count: int
    state: str
    claimed_by: str | None
    claimed_at: Time | None
    replay_of: int | None
    has_payload: bool


@dataclass(frozen=True, slots=True)
class EntryEvent:
    at: Time
    who: str
    what: str
    note: str | None
    shift_s: Number
    outcome: Mapping[str, int] | None


@dataclass(frozen=True, slots=True)
class EntryWhole(Entry):
    payload_text: str | None
    payload_base64: str | None
    events: tuple[EntryEvent, ...]


@dataclass(frozen=True, slots=True)
class EntryGroup:
    fingerprint: str
    reason: str
    device_id: str
    topic: str
    entries: int
    count: int
    first_seen: Time
    last_seen: Time
    detail: str
    sample: int


@dataclass(frozen=True, slots=True)
class EntryActed:
    id: int
    state: str
    problem: str | None


class QuarantineCalls(Plain):
    """Entries, one by one or by complaint."""

    def quarantine(
        self,
        *,
        reason: str | None = None,
        state: str | None = None,
        device: str | None = None,
        fingerprint: str | None = None,
        since: Moment | None = None,
        limit: int | None = None,
    ) -> Iterator[Entry]:
        query = {
            "reason": reason, "state": state, "device": device, "fingerprint": fingerprint, "since": since,
            "limit": limit,
        }  # fmt: skip
        return map(partial(read, Entry), self.items("/quarantine", **query))

    def quarantine_groups(
        self,
        *,
        reason: str | None = None,
        state: str | None = None,
        device: str | None = None,
        since: Moment | None = None,
        limit: int | None = None,
    ) -> Iterator[EntryGroup]:
        """One for each complaint."""
        query = {"reason": reason, "state": state, "device": device, "since": since, "limit": limit}
        return map(partial(read, EntryGroup), self.items("/quarantine/groups", **query))

    def quarantine_entry(self, entry_id: int) -> EntryWhole:
        return read(EntryWhole, self.get(f"/quarantine/{entry_id}"))

    def act_on_quarantine(
        self,
        action: Action,
        ids: Sequence[int] = (),
        *,
        note: str | None = None,
        force: bool = False,
        shift_s: float = 0.0,
        **chosen: Moment | None,
    ) -> Iterator[EntryActed]:
        """Entries by their ids, or all with this reason, state, device, fingerprint or since; in as many requests as it
        takes."""
        body = given(note=note, force=force, shift_s=shift_s)
        body |= given(ids=list(ids) or None, filter=given(**chosen) or None)
        more = True
        while more:
            told = self.ask("POST", f"/quarantine/{action}", body)
            acted = [read(EntryActed, each) for each in told["items"]]
            yield from acted
            # What is refused is chosen again by the next request: without anything good it would go on for ever.
            more = told["more"] and any(each.problem is None for each in acted)
