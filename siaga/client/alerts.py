"""Alerts, what happened to them, and what one does to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal, Unpack

from siaga.client.answers import Number, Text, Time, read
from siaga.client.plain import JSON, Plain
from siaga.client.values import Moment, Place, as_body, given, only

Action = Literal["ack", "unack", "shelve", "unshelve", "comment", "assign"]


@dataclass(frozen=True, slots=True)
class Alert:
    id: int
    rule: str
    kind: str
    device_id: str
    device_name: str
    district: str | None
    severity: int
    peak_severity: int
    siaga: int | None
    state: str
    acked: bool
    historical: bool
    worsened: bool
    raised_at: Time
    detected_at: Time
    cleared_at: Time | None
    acked_at: Time | None
    acked_by: str | None
    comment: str | None
    metric: str | None
    value: Number
    unit: str | None
    title: Text
    assignee: str | None
    shelved_until: Time | None
    shelved_by: str | None
    shelved_why: str | None
    suppressed: str | None
    window_id: int | None
    parent_id: int | None
    members: int | None
    version: int


@dataclass(frozen=True, slots=True)
class Transition:
    id: int
    what: str
    from_severity: int | None
    to_severity: int | None
    siaga: int | None
    event_at: Time
    detected_at: Time
    who: str | None
    why: str | None
    value: Number


@dataclass(frozen=True, slots=True)
class Notice:
    id: int
    made_at: Time
    who: str
    channel: str
    what: str
    title: str
    state: str
    tries: int
    sent_at: Time | None
    error: str | None


@dataclass(frozen=True, slots=True)
class AlertWithHistory(Alert):
    history: tuple[Transition, ...]
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True)
class Flood:
    since: Time
    alerts: int


@dataclass(frozen=True, slots=True)
class Counts:
    """unacked: by severity, "3" to "0"."""

    open: int
    unacked: Mapping[str, int]
    shelved: int
    suppressed: int
    flood: Flood | None


@dataclass(frozen=True, slots=True)
class Acted:
    """What became of an action on one alert of many: its version now, and why nothing was done where nothing was."""

    id: int
    outcome: str
    version: int | None
    problem: str | None


class AlertCalls(Plain):
    """Actions take an Alert as it was seen, refused with 412 and its `current` state where it has changed since, or the
    id of one in whatever state."""

    def alerts(
        self,
        *,
        state: str | None = None,
        historical: str | None = None,
        kind: str | None = None,
        device: str | None = None,
        rule: str | None = None,
        assignee: str | None = None,
        parent: int | None = None,
        since: Moment | None = None,
        min_severity: int | None = None,
        limit: int | None = None,
        **place: Unpack[Place],
    ) -> Iterator[Alert]:
        """Open ones, unless a state is given."""
        query = {
            "state": state, "historical": historical, "kind": kind, "device": device, "rule": rule,
            "assignee": assignee, "parent": parent, "since": since, "min_severity": min_severity, "limit": limit,
            **only(Place, place),
        }  # fmt: skip
        return map(partial(read, Alert), self.items("/alerts", **query))

    def alert(self, alert_id: int) -> AlertWithHistory:
        return read(AlertWithHistory, self.get(f"/alerts/{alert_id}"))

    def alert_counts(self) -> Counts:
        return read(Counts, self.get("/alerts/counts"))

    def acknowledge(self, alert: Alert | int, comment: str | None = None) -> Alert:
        """Say that somebody looks after it."""
        return self._act(alert, "ack", {"comment": comment})

    def unacknowledge(self, alert: Alert | int, reason: str) -> Alert:
        return self._act(alert, "unack", {"reason": reason})

    def shelve(
        self, alert: Alert | int, until: datetime, reason: str, scope: Literal["alert", "rule"] = "alert"
    ) -> Alert:
        return self._act(alert, "shelve", {"until": until, "reason": reason, "scope": scope})

    def unshelve(self, alert: Alert | int, reason: str | None = None) -> Alert:
        return self._act(alert, "unshelve", {"reason": reason})

    def comment(self, alert: Alert | int, comment: str) -> Alert:
        return self._act(alert, "comment", {"comment": comment})

    def assign(self, alert: Alert | int, assignee: str | None, reason: str | None = None) -> Alert:
        """None takes the assignment back."""
        return self._act(alert, "assign", {"assignee": assignee, "reason": reason})

    def bulk(
        self,
        action: Action,
        alerts: Iterable[Alert | int],
        *,
        reason: str | None = None,
        until: datetime | None = None,
        scope: Literal["alert", "rule"] | None = None,
        assignee: str | None = None,
    ) -> list[Acted]:
        """One action for many, each judged on its own."""
        body = given(reason=reason, until=until, scope=scope) | ({"assignee": assignee} if action == "assign" else {})
        those = [given(id=_id(each), version=_version(each)) for each in alerts]
        told = self.ask("POST", "/alerts/bulk", body | {"action": action, "items": those})
        return [read(Acted, each) for each in told["items"]]

    def _act(self, alert: Alert | int, action: Action, body: Mapping[str, Any]) -> Alert:
        version = _version(alert)
        headers = JSON | {"If-Match": "*" if version is None else f'"{version}"'}
        told = self._wire.ask("POST", f"/alerts/{_id(alert)}/{action}", None, as_body(body), headers)
        return read(Alert, told)


def _id(alert: Alert | int) -> int:
    return alert if isinstance(alert, int) else alert.id


def _version(alert: Alert | int) -> int | None:
    return None if isinstance(alert, int) else alert.version
