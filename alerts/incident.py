"""Incidents: one alert for many that have one cause, taken together by what the devices share. Pure.

A group of devices stands as an incident when enough of them stand together and were raised within a short time. From
then on whatever is raised in the group belongs to it, until nobody of it stands, or too few for long enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from math import ceil
from typing import NamedTuple

from alerts.installation import KIND
from alerts.rule import Rule


class Group(NamedTuple):
    """Devices that share a value of an attribute: the lamps of a panel, whatever reports through a gateway."""

    by: str
    name: str

    @property
    def subject(self) -> str:
        """What stands in the place of a device in the alert of a group; no device can be called so."""
        return f"${self.by}/{self.name}"


def group_of(subject: str) -> Group | None:
    """The group that an alert is about; None where it is about a device, or about the installation."""
    by, slash, name = subject.partition("/")
    return Group(by[1:], name) if slash and by.startswith("$") else None


def kind_of(rule: Rule) -> str:
    """The kind of its incidents: of a rule for all kinds they are the installation's."""
    return KIND if rule.kind == "*" else rule.kind


class Spell(NamedTuple):
    """An alert of a device while it stood, by event time; end None: it still does. One alert may have several.

    alone: it makes the group an incident by itself, as a cabinet without mains does."""

    alert: int
    device: str
    begin: datetime
    end: datetime | None
    alone: bool = False

    def stands(self, at: datetime) -> bool:
        return self.begin <= at and (self.end is None or self.end > at)


class Outage(NamedTuple):
    """A group while it was an incident; end None: it is. Alerts by number, ascending. left: members that stood on
    when it ended, which are alone again."""

    begin: datetime
    end: datetime | None
    members: tuple[int, ...]
    left: tuple[int, ...] = ()


class Quorum(NamedTuple):
    """When a group is an incident. devices: so many must stand together, raised within `within`; with fewer than half
    as many for `delay_off` it is over."""

    devices: int
    within: timedelta
    delay_off: timedelta


def quorum(rule: Rule, devices: int) -> Quorum:
    """What a rule asks of a group of so many devices."""
    # Rounded first: 0.07 of 100 is 7.000000000000001 in binary fractions.
    asked = ceil(round(rule.share * devices, 6))
    return Quorum(max(rule.least, asked), timedelta(seconds=rule.within_s), timedelta(seconds=rule.delay_off_s))


def outages(
    spells: Iterable[Spell], asked: Quorum, now: datetime | None, standing: datetime | None = None
) -> list[Outage]:
    """The incidents of one group, in order of time. In whatever order the spells come, the answer is the same.

    standing: since when it is an incident already, of which the spells are members or may become it. now: the clock; by
    it too few stand for long enough. None: only what happened later tells (late data).
    """
    waiting = sorted(spells, key=lambda spell: (spell.begin, spell.alert))
    found: list[Outage] = []
    after: datetime | None = None
    begin = standing
    while begin is not None or (begin := _opening(waiting, asked, after)) is not None:
        outage = _course(waiting, begin, asked, now)
        found.append(outage)
        if outage.end is None:
            break
        over = set(outage.members) - set(outage.left)
        waiting = [spell for spell in waiting if spell.alert not in over or spell.begin >= outage.end]
        after, begin = outage.end, None
    return found


def _opening(spells: Sequence[Spell], asked: Quorum, after: datetime | None) -> datetime | None:
    """The first moment, not before `after`, at which enough devices stand that were raised shortly before."""
    oldest = 0
    for number, last in enumerate(spells):
        while spells[oldest].begin < last.begin - asked.within:
            oldest += 1
        if after is not None and last.begin < after:
            continue
        if last.alone and last.stands(last.begin):
            return last.begin
        if number - oldest + 1 < asked.devices:
            continue
        recent = spells[oldest : number + 1]
        if len({spell.device for spell in recent if spell.stands(last.begin)}) >= asked.devices:
            return last.begin
    return None


def _course(spells: Sequence[Spell], begin: datetime, asked: Quorum, now: datetime | None) -> Outage:
    """From its beginning to its end: who joins, and when too few are left."""
    members: set[int] = set()
    up: Counter[int] = Counter()
    device_of = {spell.alert: spell.device for spell in spells}
    alone = {spell.alert for spell in spells if spell.alone}
    low: datetime | None = None
    at = begin
    for at, moves in groupby(_moves(spells, begin, asked.within), key=lambda move: move[0]):
        if low is not None and at >= low + asked.delay_off:
            return Outage(begin, low + asked.delay_off, tuple(sorted(members)), tuple(sorted(up)))
        for _, step, alert in moves:
            members.add(alert)
            up[alert] += step
            if not up[alert]:
                del up[alert]
        if not up:
            return Outage(begin, at, tuple(sorted(members)))
        few = alone.isdisjoint(up) and 2 * len({device_of[alert] for alert in up}) < asked.devices
        low = (low or at) if few else None
    if not members:  # nobody is left to be a member: others have taken them
        return Outage(begin, now or begin, ())
    if low is not None and now is not None and now >= low + asked.delay_off:
        return Outage(begin, low + asked.delay_off, tuple(sorted(members)), tuple(sorted(up)))
    return Outage(begin, None, tuple(sorted(members)))


def _moves(spells: Iterable[Spell], begin: datetime, within: timedelta) -> Iterator[tuple[datetime, int, int]]:
    """(when, +1 or -1, alert) of those that stand at its beginning or are raised later, ascending.

    One raised a little earlier than the last that was needed is told a little later, perhaps: it belongs to it too.
    """
    moves = []
    for spell in spells:
        if spell.begin >= begin - within and (spell.end is None or spell.end > begin):
            moves.append((max(spell.begin, begin), 1, spell.alert))
            if spell.end is not None:
                moves.append((spell.end, -1, spell.alert))
    return iter(sorted(moves))
