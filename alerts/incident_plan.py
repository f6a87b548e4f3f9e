"""What the incidents of one rule should be, compared with those that are kept. Pure.

Large groups come before small ones: what a panel stands for, its feeders do not. What is live is decided by what is
live; late data makes historical incidents of its own, and these are worked out anew whenever more of it comes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from alerts.incident import Group, Outage, Spell, outages, quorum
from alerts.rule import Rule


class Kept(NamedTuple):
    """An incident as it is stored; end None: it stands. members: alerts that were ever put under it."""

    id: int
    group: Group
    begin: datetime
    end: datetime | None
    historical: bool
    members: frozenset[int]


class Step(NamedTuple):
    """A transition of a member's alert. historical, parent, superseded: of the alert as it is now; superseded: of late
    data, which more of it tells otherwise."""

    alert: int
    device: str
    rule: str
    historical: bool
    parent: int | None
    what: str
    at: datetime
    superseded: bool = False


class Told(NamedTuple):
    """What is known of members' alerts. live: while they were live; late: while late data alone told of them.
    under: the incident that stands for them now, of those that stand for any."""

    live: Sequence[Spell]
    late: Sequence[Spell]
    under: Mapping[int, int]


class Wanted(NamedTuple):
    """An incident as it should be. kept: the stored one that it is, None where there is none yet. goes_live: the stored
    one was historical. devices: of its members."""

    group: Group
    outage: Outage
    historical: bool
    kept: Kept | None
    goes_live: bool
    devices: int


class Plan(NamedTuple):
    """void: stored ones that turn out to be none, or part of another. parents: where alerts belong, as an index of
    wanted, None: to nobody; alerts that are not named stay where they are."""

    wanted: tuple[Wanted, ...]
    void: tuple[Kept, ...]
    parents: dict[int, int | None]


def told(steps: Iterable[Step], alone: Collection[str] = ()) -> Told:
    """Steps of each alert in order of the event log. alone: rules of which one alert makes an incident."""
    live: list[Spell] = []
    late: list[Spell] = []
    under: dict[int, int] = {}
    open_since: dict[int, datetime] = {}
    gone_live: set[int] = set()
    last: dict[int, Step] = {}
    for step in steps:
        last[step.alert] = step
        if step.parent is not None:
            under[step.alert] = step.parent
        if step.superseded:
            continue
        begin = open_since.pop(step.alert, None)
        if step.what == "raised":
            open_since[step.alert] = step.at
        elif step.what == "went_live":
            if begin is not None:
                late.append(Spell(step.alert, step.device, begin, step.at, step.rule in alone))
            open_since[step.alert] = step.at
            gone_live.add(step.alert)
        elif begin is not None:
            was_late = step.historical and step.alert not in gone_live
            (late if was_late else live).append(Spell(step.alert, step.device, begin, step.at, step.rule in alone))
    for alert, begin in open_since.items():
        step = last[alert]
        (late if step.historical else live).append(Spell(alert, step.device, begin, None, step.rule in alone))
    return Told(live, late, under)


def plan(rule: Rule, groups: Mapping[Group, frozenset[str]], given: Told, kept: Sequence[Kept], now: datetime) -> Plan:
    """groups: the devices that were ever heard, of every group that is looked at."""
    level = {by: number for number, by in enumerate(rule.by)}
    own: defaultdict[Group, list[Kept]] = defaultdict(list)
    for each in kept:
        own[each.group].append(each)
    level_of = {each.id: level[each.group.by] for each in kept}
    live, late = _Free(given.live, given.under, level_of), _Free(given.late, given.under, level_of)
    wanted: list[Wanted] = []
    for group in sorted(groups, key=lambda group: (level[group.by], group.name)):
        mine = own[group]
        asked = quorum(rule, len(groups[group]))
        depth = level[group.by]
        standing = next((each for each in mine if each.end is None and not each.historical), None)
        spells = live.of(groups[group], mine, depth)
        if standing is not None:
            spells += [spell for spell in late.under(standing) if spell not in spells]
        found = outages(spells, asked, now, standing.begin if standing else None)
        # One that late data made and nobody has seen the end of: now it is seen to stand.
        waiting = next((each for each in mine if each.end is None and each.historical), None)
        first = standing or (waiting if found else None)
        for number, outage in enumerate(found):
            is_kept = first if number == 0 else None
            goes_live = is_kept is not None and is_kept.historical
            wanted.append(_wanted(group, outage, False, is_kept, goes_live, spells))
        live.take(found)
        past = outages(late.of(groups[group], mine, depth), asked, None)
        late.take(past)
        past = [outage for outage in past if not any(_overlap(outage, other) for other in found)]
        mine = [each for each in mine if each.historical and each is not first]
        wanted += [_wanted(group, outage, True, was, False, given.late) for outage, was in _matched(past, mine)]
    matched = {each.kept.id for each in wanted if each.kept is not None}
    void = tuple(each for each in kept if each.id not in matched and each.historical)
    return Plan(tuple(wanted), void, _parents(wanted, given, kept))


class _Free:
    """Spells that no larger group has taken."""

    def __init__(self, spells: Iterable[Spell], under: Mapping[int, int], level_of: Mapping[int, int]) -> None:
        self._under, self._level_of = under, level_of
        self._taken: set[int] = set()
        self._by_device: defaultdict[str, list[Spell]] = defaultdict(list)
        self._by_parent: defaultdict[int | None, list[Spell]] = defaultdict(list)
        for spell in spells:
            self._by_device[spell.device].append(spell)
            self._by_parent[under.get(spell.alert)].append(spell)

    def of(self, devices: Iterable[str], mine: Iterable[Kept], level: int) -> list[Spell]:
        """Those of the group's devices that may be its members, and all that are."""
        ids = {each.id for each in mine}
        found = [
            spell for device in devices for spell in self._by_device.get(device, ()) if self._may(spell, ids, level)
        ]
        # A device that was moved to another panel belongs to the incident for as long as its alert stands.
        moved = [s for number in ids for s in self._by_parent.get(number, ()) if s.alert not in self._taken]
        return list(dict.fromkeys([*found, *moved]))

    def under(self, kept: Kept) -> list[Spell]:
        return [spell for spell in self._by_parent.get(kept.id, ()) if spell.alert not in self._taken]

    def take(self, found: Iterable[Outage]) -> None:
        self._taken.update(alert for outage in found for alert in outage.members)

    def _may(self, spell: Spell, mine: set[int], level: int) -> bool:
        parent = self._under.get(spell.alert)
        free = parent is None or parent in mine or self._level_of.get(parent, -1) > level
        return free and spell.alert not in self._taken


def _wanted(
    group: Group, outage: Outage, historical: bool, kept: Kept | None, goes_live: bool, spells: Iterable[Spell]
) -> Wanted:
    members = set(outage.members)
    devices = len({spell.device for spell in spells if spell.alert in members})
    return Wanted(group, outage, historical, kept, goes_live, devices)


def _overlap(one: Outage, other: Outage) -> bool:
    return (other.end is None or one.begin < other.end) and (one.end is None or other.begin < one.end)


def _matched(found: Sequence[Outage], kept: Sequence[Kept]) -> Iterator[tuple[Outage, Kept | None]]:
    """Each with the stored one with which it shares most members, if with any."""
    left = list(kept)
    for outage in found:
        members = frozenset(outage.members)
        best = max(left, key=lambda each: (len(each.members & members), -each.id), default=None)
        if best is not None and best.members & members:
            left.remove(best)
            yield outage, best
        else:
            yield outage, None


def _parents(wanted: Sequence[Wanted], given: Told, kept: Sequence[Kept]) -> dict[int, int | None]:
    # What is live is shown, unless something live stands for it.
    shown = {spell.alert for spell in given.live}
    found: dict[int, int | None] = {}
    for number, each in sorted(enumerate(wanted), key=lambda one: (not one[1].historical, one[1].outage.begin)):
        for alert in each.outage.members:
            found[alert] = None if each.historical and alert in shown else number
        found.update(dict.fromkeys(each.outage.left))
    still_live = {each.kept.id for each in wanted if each.kept is not None and not each.historical}
    past = {each.id for each in kept if each.historical} - still_live
    found.update({alert: None for alert, parent in given.under.items() if parent in past and alert not in found})
    return found
