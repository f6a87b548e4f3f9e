"""What a plan means for an alert: which routes take it, with what it is told together, when, and to whom. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from alerts.notice_plan import DUTY, By, Language, Plan, Quiet, Route, Step

# What a message is about: an alert is new (or live, or back), worse, still there, nobody has acknowledged it, over;
# or all that came in quiet hours.
Kind = Literal["raised", "worse", "repeat", "escalated", "over", "digest"]
# Why something waits to be told. again: its acknowledgement was taken back.
Why = Literal["new", "worse", "now live", "back", "again", "over"]


class Subject(NamedTuple):
    """As much of an alert as decides who is told. registered: it is of one device, not of several or of Siaga."""

    alert_id: int
    rule: str
    kind: str
    severity: int
    device_id: str
    district: str | None
    registered: bool
    attributes: Mapping[str, Any]


class Due(NamedTuple):
    """When something is told. quiet: with all else that waits for the end of the quiet hours, not with its group."""

    at: datetime
    quiet: bool


class Recipient(NamedTuple):
    """One person on one channel. note: what is to be known about the choice."""

    who: str
    channel: str
    language: Language
    note: str | None = None


def routes_of(plan: Plan, subject: Subject) -> Iterator[Route]:
    """Every route that tells of an alert."""
    for route in plan.routes:
        if _takes(route, subject):
            yield route
            if not route.go_on:
                return


def group_of(route: Route, subject: Subject) -> str:
    """What an alert is told together with. One of several devices, an incident, stands for itself."""
    if not subject.registered:
        return f"alert={subject.alert_id}"
    return ", ".join(f"{by}={_value(by, subject)}" for by in route.by)


def due(route: Route, severity: int, now: datetime, last: datetime | None, zone: ZoneInfo) -> Due:
    """When an alert is told that is worth it since now. last: when its group was told of before."""
    at = now + timedelta(seconds=route.wait_s[severity])
    if last is not None:
        at = max(at, last + timedelta(seconds=route.interval_s[severity]))
    over = quiet_until(route.quiet, severity, at, zone)
    return Due(at, False) if over is None else Due(over, True)


def quiet_until(quiet: Quiet | None, severity: int, at: datetime, zone: ZoneInfo) -> datetime | None:
    """When the quiet hours end that an alert of this severity falls into; None where it does not."""
    if quiet is None or severity >= quiet.below_severity:
        return None
    local = at.astimezone(zone)
    clock = local.time()
    over_night = quiet.until < quiet.since
    inside = quiet.since <= clock or clock < quiet.until if over_night else quiet.since <= clock < quiet.until
    if not inside:
        return None
    end = datetime.combine(local.date(), quiet.until, zone)
    return (end if end > local else end + timedelta(days=1)).astimezone(at.tzinfo)


def next_step_at(route: Route, step: int, now: datetime) -> datetime | None:
    """When the step after this one is due, if this one is told now."""
    if step + 1 >= len(route.steps):
        return None
    return now + timedelta(seconds=route.steps[step + 1].after_s - route.steps[step].after_s)


def repeat_at(route: Route, now: datetime) -> datetime | None:
    return now + timedelta(seconds=route.repeat_s) if route.repeat_s else None


def recipients(plan: Plan, steps: Iterable[Step], on_duty: Mapping[str, Sequence[str]]) -> list[Recipient]:
    """Everybody in these steps, once on each of their channels. on_duty: who of which team is on duty now."""
    notes: dict[str, str | None] = {}
    for target in (target for step in steps for target in step.to):
        for name, note in _people(plan, target, on_duty):
            notes.setdefault(name, note)
    found = []
    for name, note in notes.items():
        if (person := plan.person(name)) is not None:
            found += [Recipient(name, channel, person.language, note) for channel in dict.fromkeys(person.channels)]
    return found


def kind_of(whys: Collection[Why]) -> Kind:
    """What a message is about that is made for these reasons."""
    if any(why in ("new", "now live", "back") for why in whys):
        return "raised"
    return "worse" if "worse" in whys else "repeat"


def _people(plan: Plan, target: str, on_duty: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str | None]]:
    if not target.startswith(DUTY):
        yield target, None
        return
    name = target.removeprefix(DUTY)
    known = [person for person in on_duty.get(name, ()) if plan.person(person)]
    yield from ((person, None) for person in known)
    if not known and (team := plan.team(name)):
        yield from ((person, f"nobody of {name} is on duty") for person in team.fallback)


def _takes(route: Route, subject: Subject) -> bool:
    return (
        route.min_severity <= subject.severity <= route.max_severity
        and (not route.kinds or subject.kind in route.kinds)
        and (not route.districts or subject.district in route.districts)
        and (not route.rules or subject.rule in route.rules)
    )


def _value(by: By, subject: Subject) -> object:
    own = {"rule": subject.rule, "kind": subject.kind, "severity": subject.severity, "device": subject.device_id}
    if by in own:
        return own[by]
    return (subject.district if by == "district" else subject.attributes.get(by)) or "-"
